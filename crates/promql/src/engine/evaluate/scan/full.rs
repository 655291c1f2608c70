//! The way of a series that has native histograms, starts that count, or edges.

use super::worker::Worker;
use crate::engine::{
    instant,
    plan::ScanFunction,
    range::{self, Teller},
    window::WindowSpec,
};
use model::Labels;
use service_api::Result;
use vectors::{Histograms, absent, is_absent};

impl Worker<'_, '_> {
    pub fn compute_in_full(&mut self, labels: &Labels) -> Result<()> {
        // Before it is taken: there may be many steps, and a histogram at each.
        self.hold(self.held_bytes.max(self.steps.count * 2 * size_of::<f64>()))?;
        let selector = &self.chain.scan.selector;
        let spec = |range| WindowSpec { steps: self.steps, shift: selector.shift, range, rate: None };
        let metric = labels.metric_name().unwrap_or("");
        let with_starts = self.evaluator.config.features.use_start_timestamps;
        let out = (&mut self.values, &mut self.histograms);
        match (&self.chain.scan.function, &self.chain.function) {
            (ScanFunction::Range { range, notes, .. }, Some(function)) => {
                self.full.fill(&self.samples, with_starts);
                let cancel = &self.evaluator.ctx.cancel;
                let mut teller = Teller { notes: &mut self.notes, metric, span: notes.range };
                let spec = spec(*range);
                let samples = &self.full;
                range::compute(
                    function,
                    &spec,
                    selector.edges,
                    samples,
                    &mut teller,
                    &|| cancel.is_cancelled(),
                    out,
                )?;
            }
            (ScanFunction::Interpolated { lookback }, _) => {
                self.full.fill(&self.samples, false);
                let mut teller = Teller { notes: &mut self.notes, metric, span: selector.span };
                instant::interpolated(&spec(*lookback), &self.full, &mut teller, out);
            }
            (ScanFunction::Newest { lookback }, _) => {
                instant::newest(&spec(*lookback), &self.samples, out);
            }
            (ScanFunction::NewestTime { lookback }, _) => {
                instant::newest_time(&spec(*lookback), &self.samples, out);
            }
            (ScanFunction::NewestStart { lookback }, _) if with_starts => {
                instant::newest_start(&spec(*lookback), &self.samples, out);
            }
            _ => {
                self.values.clear();
                self.values.resize(self.steps.count, absent());
                self.histograms = Histograms::default();
            }
        }
        if let ScanFunction::Range { range, .. } = &self.chain.scan.function {
            self.count_in_full(*range);
        } else if let Some(counts) = &mut self.counts {
            let values = self.values.iter().enumerate().filter(|(_, v)| !is_absent(**v));
            values.for_each(|(step, _)| counts[step] += 1);
            self.histograms.iter().for_each(|(step, h)| counts[step] += range::size(h));
        }
        self.hold(self.full.heap_bytes() + self.histograms.heap_bytes())
    }

    /// Adds to the counts what the windows of a series in full hold.
    fn count_in_full(&mut self, range: i64) {
        let Some(counts) = &mut self.counts else { return };
        let spec = WindowSpec { steps: self.steps, shift: self.chain.scan.selector.shift, range, rate: None };
        for (step, count) in counts.iter_mut().enumerate() {
            let end = spec.window_end(step);
            let within = |time: i64| time > end.saturating_sub(range) && time <= end;
            *count += self.full.times.iter().filter(|time| within(**time)).count() as u64;
            let points = self.full.histograms.iter().filter(|point| within(point.time));
            *count += points.map(|point| point.size()).sum::<u64>();
        }
    }
}
