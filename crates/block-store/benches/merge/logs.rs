//! Streams of log lines, each replica's in blocks that were flushed somewhat sooner or later.

use super::{REPLICAS, Random, Setup};
use block_store::{BlockMeta, EncodedPage, LogBlockWriter};
use model::{Labels, Lines, Signal};

const FLUSHES: usize = 20;
/// Of each program.
const PODS: usize = 8;
/// Of one replica.
const TEXT_BYTES: usize = 100 << 20;

/// A program, and lines that it wrote.
type Program = (String, Vec<Vec<u8>>);

pub fn all() {
    let setup = Setup::new(Signal::Logs);
    let mut replicas: Vec<Vec<BlockMeta>> = Vec::new();
    {
        let streams = streams(&programs());
        for replica in 0..REPLICAS {
            replicas.push(flushes(&setup, replica, &streams));
        }
    }
    setup.measure("logs, 100 MB of text in 20 blocks", &replicas);
}

fn programs() -> Vec<Program> {
    match std::env::var("YAGURA_BENCH_LOGS") {
        Ok(folder) => given(&folder),
        Err(_) => (0..10).map(|program| (format!("app-{program}"), made_up(program))).collect(),
    }
}

fn given(folder: &str) -> Vec<Program> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort();
    let program = |path: &std::path::PathBuf| {
        let text = std::fs::read(path).expect("a file");
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, lines.map(<[u8]>::to_vec).collect())
    };
    paths.iter().map(program).collect()
}

fn made_up(program: u64) -> Vec<Vec<u8>> {
    let mut random = Random(program);
    let words =
        ["request", "served", "timeout", "user", "cache", "miss", "retry", "upstream", "closed", "queue"];
    let line = |_| {
        let level = ["info", "info", "info", "warn", "error"][random.below(5) as usize];
        let mut line = format!("level={level} caller=server.go:{} msg=\"", random.below(900));
        for _ in 0..3 + random.below(6) {
            line += words[random.below(10) as usize];
            line += " ";
        }
        let (status, took) = (200 + 100 * random.below(4), random.below(10_000));
        line + &format!("\" status={status} duration={took}ms trace={:016x}", random.below(u64::MAX >> 32))
    };
    (0..2_000).map(line).map(String::into_bytes).collect()
}

/// Such lines, with other digits each time.
fn streams(programs: &[Program]) -> Vec<(Labels, Lines)> {
    let (mut random, mut all) = (Random(3), Vec::new());
    for (app, given) in programs {
        for pod in 0..PODS {
            let labels = Labels::from_pairs([("app", app.clone()), ("pod", format!("pod-{pod}"))]);
            let (mut lines, mut time, mut line) = (Lines::default(), 1_700_000_000_000_000_000, Vec::new());
            while lines.text.len() < TEXT_BYTES / programs.len() / PODS {
                time += random.below(200_000_000) as i64;
                line.clear();
                let of = &given[random.below(given.len() as u64) as usize];
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
fn flushes(setup: &Setup, replica: u64, streams: &[(Labels, Lines)]) -> Vec<BlockMeta> {
    let (mut random, mut metas, mut ends) = (Random(replica + 1), Vec::new(), vec![0; streams.len()]);
    for flush in 0..FLUSHES {
        let mut writer = LogBlockWriter::new();
        for ((labels, lines), end) in streams.iter().zip(&mut ends) {
            let (from, share) = (*end, lines.len() / FLUSHES);
            let early = random.below(share as u64 / 2) as usize;
            *end = if flush + 1 == FLUSHES { lines.len() } else { (flush + 1) * share - early };
            let mut some = Lines::default();
            (from..*end).filter(|_| random.below(1_000) > 0).for_each(|at| some.push_from(lines, at));
            writer.add(labels, EncodedPage::encode_all(&some).expect("pages")).expect("in order");
        }
        let block = writer.finish(setup.next_id(), "ingester-0/1:2", 5).expect("small").expect("not empty");
        metas.push(setup.put(block));
    }
    metas
}
