//! `yagura bucket` as it is typed: what it prints, how it ends, and what it says of mistakes.

use integration_tests::{Settings, TimeSeries, Version, now_ms, push_json};
use std::{
    fs,
    io::{BufRead, BufReader},
    process::Stdio,
};

/// Writes some of both signals and has them put into blocks.
async fn with_blocks(settings: &Settings) {
    let yagura = settings.start().await;
    let now = now_ms();
    let series: Vec<TimeSeries> = (0..50)
        .map(|n| {
            let samples: Vec<(i64, f64)> = (0..200).map(|k| (now - 600_000 + k * 1000, k as f64)).collect();
            TimeSeries::new(&[("__name__", "m"), ("n", &format!("{n:02}"))], &samples)
        })
        .collect();
    assert_eq!(yagura.write(Version::V2, &series).await.status / 100, 2);
    let lines: Vec<_> = (0..100).map(|k| (now * 1_000_000 + k, format!("line {k}"))).collect();
    let lines: Vec<(i64, &str)> = lines.iter().map(|(time, line)| (*time, line.as_str())).collect();
    push_lines(&yagura, &lines).await;
    assert_eq!(yagura.post("/flush", &[], Vec::new()).await.status / 100, 2);
    assert!(yagura.stop().await.success());
}

async fn push_lines(yagura: &integration_tests::Yagura, lines: &[(i64, &str)]) {
    let stream = integration_tests::LogStream::new(&[("app", "shop")], lines);
    let answer = yagura.post(integration_tests::PUSH, integration_tests::JSON, push_json(&[stream])).await;
    assert_eq!(answer.status / 100, 2, "{}", answer.body);
}

/// The first words of the lines of a table.
fn first_words(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.split_whitespace().next()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_are_listed_inspected_printed_and_verified() {
    let settings = Settings::default();
    with_blocks(&settings).await;
    assert_eq!(first_words(&settings.bucket_prints(&["ls"])), ["tenant", "anonymous", "anonymous"]);
    let json = settings.bucket_prints(&["ls", "--tenant", "anonymous", "--json"]);
    let blocks: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(blocks.iter().map(|b| b["samples"].as_u64().unwrap()).sum::<u64>(), 50 * 200 + 100);
    let of = |signal: &str| {
        let block = blocks.iter().find(|block| block["signal"] == signal).unwrap();
        block["block"].as_str().unwrap().to_owned()
    };
    let (metrics, logs) = (of("metrics"), of("logs"));

    let inspected = settings.bucket_prints(&["inspect", &metrics, "--tenant", "anonymous"]);
    assert!(inspected.contains("section postings") && inspected.contains("B a sample"), "{inspected}");
    let inspected = settings.bucket_prints(&["inspect", &logs, "--tenant", "anonymous"]);
    assert!(inspected.contains("100 lines") && inspected.contains("shop"), "{inspected}");

    let cat = ["cat", &metrics, "--tenant", "anonymous", "--match", "m{n=~\"0[12]\"}"];
    let printed = settings.bucket_prints(&cat);
    assert!(printed.lines().all(|line| line.starts_with("m{n=\"0") || line == "# EOF"), "{printed}");
    let lines = settings.bucket_prints(&["cat", &logs, "--tenant", "anonymous", "--match", "{app=\"shop\"}"]);
    assert!(lines.lines().count() == 100 && lines.lines().all(|line| line.contains("} line ")), "{lines}");

    assert!(settings.bucket_prints(&["verify"]).contains("0 damaged"));
    let object = settings.data_dir().join("bucket/anonymous/metrics/blocks").join(&metrics);
    let mut bytes = fs::read(&object).unwrap();
    bytes[100] ^= 4;
    fs::write(&object, bytes).unwrap();
    let damaged = settings.bucket(&["verify", "--tenant", "anonymous"]);
    let said = String::from_utf8_lossy(&damaged.stdout);
    assert_eq!(damaged.status.code(), Some(1), "{said}");
    assert!(said.contains(&metrics) && said.contains("1 damaged"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn printing_ends_quietly_when_nobody_reads_any_more() {
    let settings = Settings::default();
    with_blocks(&settings).await;
    let json = settings.bucket_prints(&["ls", "--tenant", "anonymous", "--signal", "metrics", "--json"]);
    let block: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    let mut command = settings.command();
    command.args(["bucket", "cat", block["block"].as_str().unwrap(), "--tenant", "anonymous"]);
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut reader = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("m{n=\"00\"} 0 "), "{line}");
    drop(reader);
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mistakes_are_explained() {
    let settings = Settings::default();
    let refused = |words: &[&str]| {
        let output = settings.bucket(words);
        assert!(!output.status.success() && output.stdout.is_empty(), "{words:?}: {output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = refused(&["ls"]);
    assert!(said.contains("there is no bucket at") && said.contains("data_dir"), "{said}");
    assert!(!settings.data_dir().exists(), "a bucket was made where there was none");
    with_blocks(&settings).await;
    let said = refused(&["sl"]);
    assert!(said.contains("unrecognized subcommand 'sl'") && said.contains("yagura bucket"), "{said}");
    let said = refused(&["ls", "--tenant", "anonymus"]);
    assert!(said.contains("there is no tenant anonymus") && said.contains("there are: anonymous"), "{said}");
    let said = refused(&["cat", "01ZZ", "--tenant", "anonymous"]);
    assert!(
        said.contains("no block 01ZZ is listed") && said.contains("yagura bucket ls --tenant anonymous"),
        "{said}"
    );
    let said = refused(&["import", "--tenant", "a", "nowhere"]);
    assert!(said.contains("there is no folder nowhere"), "{said}");
    fs::write(settings.folder().join("text"), "m 1 1700000000\nm 1 \n").unwrap();
    let said = refused(&["backfill", "--tenant", "a", "text"]);
    assert!(said.contains("text: line 2, column 5: a space and the timestamp"), "{said}");
}
