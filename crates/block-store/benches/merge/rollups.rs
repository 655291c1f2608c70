//! What the figures of a day of node_exporter's series cost, made of one merged block.

use super::{Setup, metrics, used};
use block_store::{BlockMeta, roll_up};
use model::Signal;
use runtime::{Clock, SystemClock};

pub fn all() {
    for (name, jitter) in [("rollup, 10,000 series, a day", false), ("  timestamps differ", true)] {
        let setup = Setup::new(Signal::Metrics);
        let flushed = metrics::day(&setup, jitter);
        let day = setup.merge(&flushed).blocks;
        let (clock, (cpu_before, _)) = (SystemClock::new(), used());
        let start = clock.monotonic();
        let (from, to) = (metrics::START, metrics::START + 86_400_000);
        let made = setup.with_merge(&day, |merge| setup.runtime.block_on(roll_up(merge, from, to)));
        let made = made.expect("rolled up");
        let (seconds, (cpu, peak)) = ((clock.monotonic() - start).as_secs_f64(), used());
        let sum = |blocks: &[BlockMeta]| blocks.iter().map(|block| block.bytes).sum::<u64>() as f64;
        let (cpu, bytes, out) = (cpu - cpu_before, sum(&day), sum(&made.blocks));
        println!(
            "{name:<44} {:>6.1} {:>6.1} {cpu:>7.2} {seconds:>8.2} {peak:>9.0} {:>8.3}",
            bytes / 1e6,
            out / 1e6,
            out / bytes
        );
        let figures: u64 = made.blocks.iter().map(|block| block.samples).sum();
        let series = day.iter().map(|block| block.series).sum::<u64>() as f64;
        println!(
            "    {:.2} ns a sample; {:.0} bytes a series; {:.4} bytes a figure, {} pages; {:.1} MiB open",
            cpu * 1e9 / made.figures.samples as f64,
            out / series,
            out / figures as f64,
            made.figures.pages,
            made.figures.open_peak as f64 / (1 << 20) as f64,
        );
    }
}
