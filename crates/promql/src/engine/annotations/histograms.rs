//! What has to be said of native histograms, in Prometheus's words.

use super::{Annotations, Severity};
use histogram::NanNote;
use query_syntax::Span;
use vectors::HistogramNotes;

/// What was done when something worth a word happened to histograms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistogramOperation {
    Addition,
    Subtraction,
    Aggregation,
}

impl HistogramOperation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

/// A text that names its metric, where there is a name.
fn of_metric(text: &str, metric: &str) -> String {
    if metric.is_empty() { text.to_owned() } else { format!("{text} for metric name {metric:?}") }
}

impl Annotations {
    fn info(&mut self, text: String, span: Span) {
        self.add(Severity::Info, text, Some(span), None);
    }

    pub fn mixed_samples(&mut self, metric: &str, span: Span) {
        self.warn(format!("encountered a mix of histograms and floats for metric name {metric:?}"), span);
    }

    pub fn mixed_classic_and_native(&mut self, metric: &str, span: Span) {
        self.warn(of_metric("vector contains a mix of classic and native histograms", metric), span);
    }

    pub fn not_a_counter(&mut self, metric: &str, span: Span) {
        self.warn(format!("this native histogram metric is not a counter: {metric:?}"), span);
    }

    pub fn not_a_gauge(&mut self, metric: &str, span: Span) {
        self.warn(format!("this native histogram metric is not a gauge: {metric:?}"), span);
    }

    pub fn mixed_buckets(&mut self, metric: &str, span: Span) {
        let text =
            "vector contains a mix of histograms with exponential and custom buckets schemas for metric name";
        self.warn(format!("{text} {metric:?}"), span);
    }

    pub fn ignored_in_range(&mut self, metric: &str, span: Span) {
        let text = "ignored histograms in a range containing both floats and histograms for metric name";
        self.info(format!("{text} {metric:?}"), span);
    }

    pub fn ignored_in_aggregation(&mut self, aggregation: &str, span: Span) {
        self.info(format!("ignored histogram in {aggregation} aggregation"), span);
    }

    pub fn incompatible_types(&mut self, left: &str, operator: &str, right: &str, span: Span) {
        let text = "incompatible sample types encountered for binary operator";
        self.info(format!("{text} {operator:?}: {left} {operator} {right}"), span);
    }

    pub fn incompatible_layouts(&mut self, operator: &str, span: Span) {
        self.warn(format!("incompatible bucket layout encountered for binary operator {operator}"), span);
    }

    pub fn reset_collision(&mut self, operation: HistogramOperation, span: Span) {
        self.warn(format!("conflicting counter resets during histogram {}", operation.as_str()), span);
    }

    pub fn reconciled_bounds(&mut self, operation: HistogramOperation, span: Span) {
        self.info(format!("mismatched custom buckets were reconciled during {}", operation.as_str()), span);
    }

    pub fn start_time_overlap(&mut self, metric: &str, span: Span) {
        let text = "sample has start time that overlaps with previous sample timestamp for metric";
        self.warn(format!("{text} {metric:?}"), span);
    }

    pub fn nan_in_quantile(&mut self, note: NanNote, metric: &str, span: Span) {
        let result = match note {
            NanNote::NanResult => "result is NaN",
            NanNote::NanSkew => "result is skewed higher",
        };
        let text = format!("input to histogram_quantile has NaN observations, {result}");
        self.info(of_metric(&text, metric), span);
    }

    pub fn nan_in_fraction(&mut self, metric: &str, span: Span) {
        let text = "input to histogram_fraction has NaN observations, which are excluded from all fractions";
        self.info(of_metric(text, metric), span);
    }

    /// What an aggregation found; `name` is the aggregation's.
    pub fn aggregation(&mut self, notes: &HistogramNotes, name: &str, span: Span) {
        if notes.ignored {
            self.ignored_in_aggregation(name, span);
        }
        if notes.mixed {
            self.warn("encountered a mix of histograms and floats for aggregation".to_owned(), span);
        }
        if notes.reset_collision {
            self.reset_collision(HistogramOperation::Aggregation, span);
        }
        if notes.bounds_reconciled {
            self.reconciled_bounds(HistogramOperation::Aggregation, span);
        }
        for metric in &notes.incompatible {
            self.mixed_buckets(metric, span);
        }
    }
}
