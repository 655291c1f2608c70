//! Classic histograms: series that have their buckets' bounds as labels.

use crate::{
    engine::evaluate::Evaluator,
    functions::histogram::{Bucket, parse_bound},
};
use model::Labels;
use query_syntax::Span;
use std::collections::HashMap;
use vectors::{Row, has_values, is_absent};

const BUCKET_LABEL: &str = "le";

/// The histograms that rows make up, in order of first appearance. Metrics of different names stay apart,
/// even though a result may show no name.
pub(super) struct ClassicHistograms<'r> {
    histograms: Vec<Classic<'r>>,
    index: HashMap<Labels, usize>,
}

/// One classic histogram.
pub(super) struct Classic<'r> {
    /// Without the bound.
    pub labels: Labels,
    /// The row of a native histogram with the same labels.
    pub native: Option<usize>,
    /// Sorted by their bounds.
    buckets: Vec<(f64, &'r [f64])>,
}

impl<'r> ClassicHistograms<'r> {
    pub fn gather(evaluator: &mut Evaluator<'_>, span: Span, rows: &'r [Row]) -> Self {
        let mut found = Self { histograms: Vec::new(), index: HashMap::new() };
        let delayed = evaluator.config.features.delayed_name_removal;
        for row in rows.iter().filter(|row| has_values(&row.values)) {
            let le = row.labels.get(BUCKET_LABEL).unwrap_or("");
            let Some(bound) = parse_bound(le) else {
                let metric = if delayed { row.labels.metric_name().unwrap_or("") } else { "" };
                evaluator.notes.bad_bucket_label(metric, le, span);
                continue;
            };
            let labels = row.labels.without(|name| name == BUCKET_LABEL);
            let histograms = &mut found.histograms;
            let at = *found.index.entry(labels).or_insert_with_key(|labels| {
                histograms.push(Classic { labels: labels.clone(), native: None, buckets: Vec::new() });
                histograms.len() - 1
            });
            found.histograms[at].buckets.push((bound, &row.values));
        }
        for histogram in &mut found.histograms {
            // Sorted here once, so that nothing is left to sort at each step.
            histogram.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        for (position, row) in rows.iter().enumerate().filter(|(_, row)| !row.histograms.is_empty()) {
            if let Some(at) = found.index.get(&row.labels) {
                found.histograms[*at].native = Some(position);
            }
        }
        found
    }

    pub fn iter(&self) -> impl Iterator<Item = &Classic<'r>> {
        self.histograms.iter()
    }

    pub fn find(&self, labels: &Labels) -> Option<&Classic<'r>> {
        self.index.get(labels).map(|at| &self.histograms[*at])
    }
}

impl Classic<'_> {
    /// Whether any bucket has a value at the step.
    pub fn has(&self, step: usize) -> bool {
        self.buckets.iter().any(|(_, counts)| !is_absent(counts[step]))
    }

    /// The buckets that have a value at the step.
    pub fn buckets_at(&self, step: usize, out: &mut Vec<Bucket>) {
        out.clear();
        let present = self.buckets.iter().map(|(bound, counts)| (*bound, counts[step]));
        out.extend(
            present
                .filter(|(_, count)| !is_absent(*count))
                .map(|(upper_bound, count)| Bucket { upper_bound, count }),
        );
    }
}
