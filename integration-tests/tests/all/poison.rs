//! Row 20, with a real process: a block that is damaged in the bucket is set aside, queries over its time say so,
//! the others are merged, and once it is put right it counts again.

use integration_tests::{Answer, Settings, TimeSeries, Version, Yagura, form, now_ms};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};
use tokio::time::sleep;

const HOUR: i64 = 3_600_000;

fn blocks(settings: &Settings) -> BTreeSet<PathBuf> {
    let folder = settings.data_dir().join("bucket/anonymous/metrics/blocks");
    fs::read_dir(folder).map(|all| all.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
}

/// Writes series of their own into three blocks of one window; gives the files of those.
async fn three_blocks(settings: &Settings, start: i64) -> Vec<PathBuf> {
    let yagura = settings.start().await;
    let mut files = Vec::new();
    for n in 0..3 {
        let samples: Vec<(i64, f64)> = (0..60).map(|k| (start + k * 60_000, (100 * n + k) as f64)).collect();
        let series = TimeSeries::new(&[("__name__", "m"), ("n", &n.to_string())], &samples);
        assert_eq!(yagura.write(Version::V2, &[series]).await.status / 100, 2);
        let before = blocks(settings);
        assert_eq!(yagura.post("/flush", &[], Vec::new()).await.status / 100, 2);
        files.extend(blocks(settings).difference(&before).cloned());
    }
    assert!(yagura.stop().await.success());
    files
}

/// How many samples of each series there are, and what is said beside that.
async fn count(yagura: &Yagura, start: i64) -> (Vec<(String, String)>, Vec<String>) {
    let time = ((start + 2 * HOUR) / 1000).to_string();
    let fields = [("query", "count_over_time(m[3h])"), ("time", &time)];
    let Answer { status, body, .. } = yagura.get(&format!("/api/v1/query?{}", form(&fields))).await;
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let found = all(&body["data"]["result"]);
    let found = found.iter().map(|series| (text(&series["metric"]["n"]), text(&series["value"][1])));
    let mut found: Vec<(String, String)> = found.collect();
    found.sort();
    (found, all(&body["warnings"]).iter().map(text).collect())
}

async fn metric(yagura: &Yagura, name: &str) -> f64 {
    let body = yagura.get("/metrics").await.body;
    let line = body.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    line.unwrap_or_else(|| panic!("there is no {name}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_block_is_named_and_the_others_go_on() {
    let start = (now_ms() / (2 * HOUR) - 2) * 2 * HOUR;
    let set = ["limits.out_of_order_window=1d"];
    let settings = Settings::new(&set);
    let files = three_blocks(&settings, start).await;
    assert_eq!(files.len(), 3, "{files:?}");
    let sound = fs::read(&files[1]).unwrap();
    let mut damaged = sound.clone();
    damaged[20] ^= 1;
    fs::write(&files[1], damaged).unwrap();
    let id = files[1].file_name().unwrap().to_string_lossy().into_owned();

    let set = ["limits.out_of_order_window=1d", "compactor.interval=1s", "compactor.delay=0s"];
    let merging = Settings::new(&set).with_data_dir(settings.data_dir());
    let yagura = merging.start().await;
    for _ in 0..300 {
        if metric(&yagura, "yagura_compactor_merges_total").await > 0.0 {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    let counts = |of: &[&str]| -> Vec<(String, String)> {
        of.iter().map(|n| ((*n).to_owned(), "60".to_owned())).collect()
    };
    let (found, warnings) = count(&yagura, start).await;
    assert_eq!(found, counts(&["0", "2"]));
    assert!(warnings.len() == 1 && warnings[0].contains(&id), "{warnings:?}");
    assert_eq!(metric(&yagura, "yagura_compactor_damaged_blocks").await, 1.0);
    let listed = merging.bucket_prints(&["ls", "--tenant", "anonymous"]);
    assert!(listed.contains("2 blocks") && listed.contains("set aside: "), "{listed}");
    let verified = merging.bucket(&["verify", "--tenant", "anonymous", &id]);
    let said = String::from_utf8_lossy(&verified.stdout);
    assert!(!verified.status.success() && said.contains(&id) && said.contains("1 damaged"), "{said}");

    // An operator puts the object back as it was.
    fs::write(&files[1], sound).unwrap();
    let said = merging.bucket_prints(&["verify", "--tenant", "anonymous", "--restore", &id]);
    assert!(said.contains("it is read again"), "{said}");
    for _ in 0..300 {
        if count(&yagura, start).await == (counts(&["0", "1", "2"]), Vec::new()) {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("the block is not read again: {:?}", count(&yagura, start).await);
}
