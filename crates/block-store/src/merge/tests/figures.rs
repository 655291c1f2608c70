//! What a merge costs, and how much smaller it makes three replicas. `YAGURA_TEST_LOGS` names a folder
//! of text files, of whose lines the streams are made.

use super::*;
use runtime::{Clock, SystemClock};

const REPLICAS: u64 = 3;
const FLUSHES: usize = 20;
/// Of each file.
const PODS: usize = 8;
/// Of one replica.
const TEXT_BYTES: usize = 100 << 20;

/// Lines of real programs, with other digits each time.
fn streams(folder: &str) -> Vec<(Labels, Lines)> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort();
    let (mut random, mut all) = (Random(3), Vec::new());
    for path in &paths {
        let text = std::fs::read(path).unwrap();
        let given: Vec<_> = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
        for pod in 0..PODS {
            let app = path.file_stem().unwrap().to_string_lossy().into_owned();
            let labels = Labels::from_pairs([("app", app), ("pod", format!("pod-{pod}"))]);
            let (mut lines, mut time, mut line) = (Lines::default(), 1_700_000_000_000_000_000, Vec::new());
            while lines.text.len() < TEXT_BYTES / paths.len() / PODS {
                time += random.below(200_000_000) as i64;
                line.clear();
                let of = given[random.below(given.len() as u64) as usize];
                let digit = |byte: &u8| match byte.is_ascii_digit() && random.below(4) == 0 {
                    true => b'0' + random.below(10) as u8,
                    false => *byte,
                };
                line.extend(of.iter().map(digit));
                lines.push(time, &line, []);
            }
            all.push((labels, lines));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// The blocks of one replica: each stream in as many parts as there are flushes, of which one ends somewhat
/// sooner or later than those of the other replicas; one line in a thousand is missing.
async fn flushes(bucket: &Bucket, replica: u64, streams: &[(Labels, Lines)]) -> Vec<BlockMeta> {
    let mut random = Random(replica + 1);
    let mut metas = Vec::new();
    let mut ends = vec![0; streams.len()];
    for flush in 0..FLUSHES {
        let mut writer = LogBlockWriter::new();
        for ((labels, lines), end) in streams.iter().zip(&mut ends) {
            let from = *end;
            let share = lines.len() / FLUSHES;
            *end = if flush + 1 == FLUSHES {
                lines.len()
            } else {
                (flush + 1) * share - random.below(share as u64 / 2) as usize
            };
            let mut some = Lines::default();
            (from..*end).filter(|_| random.below(1_000) > 0).for_each(|at| some.push_from(lines, at));
            writer.add(labels, EncodedPage::encode_all(&some).unwrap()).unwrap();
        }
        let number = replica * FLUSHES as u64 + flush as u64;
        let block = writer.finish(id(number), "ingester-0/1:2", 5).unwrap().unwrap();
        bucket.put(&block.meta.object(&tenant(), Signal::Logs), block.parts).await.unwrap();
        metas.push(block.meta);
    }
    metas
}

/// Seconds of processor time of this process, and the most memory that it has had, in MiB.
fn used() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    (ticks as f64 / 100.0, peak.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1_024.0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute, and real logs"]
async fn three_replicas_become_as_large_as_one() {
    let given = std::env::var("YAGURA_TEST_LOGS").unwrap();
    let store = TempDir::new().unwrap();
    let local = object_store::local::LocalFileSystem::new_with_prefix(store.path()).unwrap();
    let mut setup = Setup::with(Bucket::new(Arc::new(local), ""));
    setup.config.memory = 64 << 20;
    let mut replicas = Vec::new();
    {
        let streams = streams(&given);
        for replica in 0..REPLICAS {
            replicas.push(flushes(&setup.bucket, replica, &streams).await);
        }
    }
    let all: Vec<_> = replicas.concat();
    let sum = |metas: &[BlockMeta]| metas.iter().map(|meta| meta.bytes).sum::<u64>() as f64 / 1e6;
    println!("{} blocks of {:.1} MB, one replica's {:.1} MB", all.len(), sum(&all), sum(&replicas[0]));
    for level in [3, 6, 9, 12] {
        setup.tuning.pages.zstd_level = level;
        // The most that was needed so far is forgotten.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let ((before, memory), clock) = (used(), SystemClock::new());
        let start = clock.monotonic();
        let merged = setup.merge(&all, 1_000 + level as u64).await.unwrap();
        let ((after, peak), took) = (used(), clock.monotonic() - start);
        let one = setup.merge(&replicas[0], 2_000 + level as u64).await.unwrap();
        let (bytes, text) = (merged.meta.bytes as f64 / 1e6, merged.meta.text_bytes as f64 / 1e6);
        println!(
            "zstd {level}: {bytes:.1} MB, {:.3} of one replica merged ({:.3} of its flushes); ratio {:.2}; \
             {:.2} CPU s, {:.1} ms a MB of text that came out, {:.1} s; {:.0} MiB more at most; {:?}",
            merged.meta.bytes as f64 / one.meta.bytes as f64,
            bytes / sum(&replicas[0]),
            text / bytes,
            after - before,
            (after - before) * 1e3 / text,
            took.as_secs_f64(),
            peak - memory,
            merged.figures,
        );
        assert!(merged.meta.bytes as f64 <= 1.05 * one.meta.bytes as f64);
        if level == Tuning::MERGED.pages.zstd_level {
            let before = used().0;
            let again = setup.merge(std::slice::from_ref(&merged.meta), 3_000).await.unwrap();
            println!("again: {:.2} CPU s, {:?}", used().0 - before, again.figures);
        }
    }
}
