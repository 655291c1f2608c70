//! Series as node_exporter has them, scraped every 15 s.

use super::{REPLICAS, Random, Setup};
use block_store::{BlockMeta, BlockWriter};
use model::{Labels, Signal};
use service_api::SampleBuffer;
use std::ops::Range;

/// A multiple of a day, as blocks of ingesters begin with an even hour.
pub const START: i64 = 19_700 * 86_400_000;
const INTERVAL: i64 = 15_000;
/// Scrapes in a block of two hours.
const WINDOW: usize = 480;

struct Case {
    name: &'static str,
    hosts: usize,
    names: usize,
    windows: usize,
    /// Each series has timestamps of its own, and not those of its host.
    jitter: bool,
    /// Whether a replica lacks the sample of a series that was scraped so often.
    lacks: fn(u64, usize, usize) -> bool,
}

pub fn all() {
    let case = Case {
        name: "metrics, 100,000 series, 2 h",
        hosts: 100,
        names: 1_000,
        windows: 1,
        jitter: false,
        lacks: |_, _, _| false,
    };
    run(&case);
    // As when it was restarted.
    let name = "  one lacks 40 scrapes of all";
    run(&Case { name, lacks: |replica, _, scrape| replica == 1 && (200..240).contains(&scrape), ..case });
    let name = "  one lacks some samples of some series";
    let lacks =
        |replica, series, scrape| replica == 0 && series % 4 == 0 && (scrape * 31 + series) % 120 == 0;
    run(&Case { name, lacks, ..case });
    let name = "  each lacks some samples of all series";
    run(&Case { name, lacks: |replica, _, scrape| (scrape as u64 + replica * 7).is_multiple_of(40), ..case });
    run(&Case { name: "  timestamps differ from series to series", jitter: true, ..case });
    run(&Case { name: "metrics, 10,000 series, 12 blocks of a day", hosts: 10, windows: 12, ..case });
}

/// One replica's blocks of two hours of a day.
pub fn day(setup: &Setup, jitter: bool) -> Vec<BlockMeta> {
    let lacks = |_, _, _| false;
    let case = Case { name: "", hosts: 10, names: 1_000, windows: 12, jitter, lacks };
    (0..case.windows).map(|window| write(setup, &case, 0, window * WINDOW..(window + 1) * WINDOW)).collect()
}

fn run(case: &Case) {
    let setup = Setup::new(Signal::Metrics);
    let block =
        |replica: u64, window: usize| write(&setup, case, replica, window * WINDOW..(window + 1) * WINDOW);
    let replica = |replica: u64| (0..case.windows).map(|window| block(replica, window)).collect();
    let replicas: Vec<Vec<BlockMeta>> = (0..REPLICAS).map(replica).collect();
    setup.measure(case.name, &replicas);
}

fn write(setup: &Setup, case: &Case, replica: u64, scrapes: Range<usize>) -> BlockMeta {
    let (mut writer, mut samples) = (BlockWriter::new(), SampleBuffer::default());
    for series in 0..case.hosts * case.names {
        let (name, host) = (series / case.hosts, series % case.hosts);
        let labels = Labels::from_pairs([
            ("__name__", format!("node_metric_{:03}_total", name / 4)),
            ("device", format!("dev{}", name % 4)),
            ("instance", format!("host-{host:04}:9100")),
            ("job", "node".to_owned()),
            ("region", "eu-west-1".to_owned()),
        ]);
        samples.clear();
        let mut jitter = Random(if case.jitter { series } else { host } as u64);
        let (mut random, mut last) = (Random(series as u64 * 7_919), 0.0);
        for scrape in 0..scrapes.end {
            last = value(name % 10, series, &mut random, last);
            let late = jitter.below(30) as i64;
            if scrapes.contains(&scrape) && !(case.lacks)(replica, series, scrape) {
                samples.timestamps.push(START + host as i64 * 97 + scrape as i64 * INTERVAL + late);
                samples.values.push(last);
            }
        }
        writer.add(&labels, &samples).expect("in order");
    }
    let block = writer.finish(setup.next_id(), "ingester-0/1:2", 0).expect("small").expect("not empty");
    setup.put(block)
}

/// Of ten series five constant, two counters, one float of two decimals, one gauge of integers, one counter
/// that stands still most of the time.
fn value(kind: usize, series: usize, random: &mut Random, last: f64) -> f64 {
    let drawn = random.below(1 << 31);
    match kind {
        0..=4 => (series % 1_000) as f64,
        5 | 6 => last + (drawn % 2_000) as f64,
        7 => (drawn % 10_000) as f64 / 100.0,
        8 => 100_000.0 + (drawn % 512) as f64,
        _ => last + f64::from(u8::from(drawn.is_multiple_of(20))),
    }
}
