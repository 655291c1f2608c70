//! Warnings and infos that go with a result: Prometheus's texts, each once.

mod histograms;

pub use histograms::HistogramOperation;

use crate::functions::histogram::ForcedMonotonicity;
use model::{Timestamp, go_g};
use query_syntax::{Span, format_duration};
use std::collections::HashMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Severity {
    Info,
    Warning,
}

/// Texts that are kept, and their bytes. Few are shown, but one that names a value may be another one at each
/// step.
const MAX_NOTES: usize = 10_000;
const MAX_BYTES: usize = 4 << 20;

/// The annotations of one query, in the order in which they came up first.
#[derive(Clone, Debug, Default)]
pub struct Annotations {
    notes: Vec<Note>,
    by_text: HashMap<(Severity, String), usize>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Note {
    severity: Severity,
    text: String,
    /// None for what did not come from the query's text, but from storage.
    span: Option<Span>,
    forced: Option<Forced>,
}

/// Where histogram buckets had to be made monotonic, over all samples.
#[derive(Clone, Copy, Debug)]
struct Forced {
    first: Timestamp,
    last: Timestamp,
    worst: ForcedMonotonicity,
    samples: u64,
}

const FORCED: &str = "input to histogram_quantile needed to be fixed for monotonicity (see \
https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";

impl Annotations {
    fn add(&mut self, severity: Severity, text: String, span: Option<Span>, forced: Option<Forced>) {
        match self.by_text.get(&(severity, text.clone())) {
            None if self.is_full() => {}
            None => {
                self.bytes += text.len();
                self.by_text.insert((severity, text.clone()), self.notes.len());
                self.notes.push(Note { severity, text, span, forced });
            }
            Some(at) => match (&mut self.notes[*at].forced, forced) {
                (Some(known), Some(new)) => known.merge(new),
                // Prometheus shows the last place of those that it does not sum up.
                _ => self.notes[*at].span = span,
            },
        }
    }

    /// Whether what is new is passed over.
    pub fn is_full(&self) -> bool {
        self.notes.len() >= MAX_NOTES || self.bytes >= MAX_BYTES
    }

    fn warn(&mut self, text: String, span: Span) {
        self.add(Severity::Warning, text, Some(span), None);
    }

    /// A warning of the storage.
    pub fn storage_warning(&mut self, text: String) {
        self.add(Severity::Warning, text, None, None);
    }

    pub fn invalid_quantile(&mut self, quantile: f64, span: Span) {
        self.warn(format!("quantile value should be between 0 and 1, got {}", go_g(quantile, None)), span);
    }

    pub fn invalid_ratio(&mut self, ratio: f64, capped_to: f64, span: Span) {
        let (ratio, to) = (go_g(ratio, None), go_g(capped_to, None));
        self.warn(format!("ratio value should be between -1 and 1, got {ratio}, capping to {to}"), span);
    }

    /// `metric` is empty where names are dropped already.
    pub fn bad_bucket_label(&mut self, metric: &str, value: &str, span: Span) {
        let of = if metric.is_empty() { String::new() } else { format!(" for metric name {metric:?}") };
        let text = r#"bucket label "le" is missing or has a malformed value of"#;
        self.warn(format!("{text} {value:?}{of}"), span);
    }

    pub fn sort_in_range_query(&mut self, span: Span) {
        let text = "sort is ineffective for range queries since results are always ordered by labels";
        self.warn(text.to_owned(), span);
    }

    pub fn possible_non_counter(&mut self, metric: &str, span: Span) {
        let text = format!(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {metric:?}"
        );
        self.add(Severity::Info, text, Some(span), None);
    }

    /// With `type-and-unit-labels`, where the type is a label.
    pub fn possible_non_counter_type(&mut self, metric: &str, metric_type: &str, span: Span) {
        let text = format!(
            "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", \
             got {metric_type:?}: {metric:?}"
        );
        self.add(Severity::Info, text, Some(span), None);
    }

    /// Of buckets so many milliseconds long.
    pub fn inexact_rollups(&mut self, resolution: i64, span: Span) {
        let text = format!(
            "figures of {} each were put together, so the last digits may differ from those of all samples \
             (downsampling=allowed)",
            format_duration(resolution)
        );
        self.add(Severity::Info, text, Some(span), None);
    }

    /// `metric` is empty where names are dropped already.
    pub fn forced_monotonicity(
        &mut self,
        metric: &str,
        worst: ForcedMonotonicity,
        time: Timestamp,
        span: Span,
    ) {
        let forced = Forced { first: time, last: time, worst, samples: 1 };
        let of = if metric.is_empty() { String::new() } else { format!(" for metric name {metric:?}") };
        self.add(Severity::Info, format!("{FORCED}{of}"), Some(span), Some(forced));
    }

    pub fn merge(&mut self, other: Self) {
        for note in other.notes {
            self.add(note.severity, note.text, note.span, note.forced);
        }
    }

    /// Warnings and infos as they are shown; `query` is the text that the spans refer to.
    pub fn render(self, query: &str) -> (Vec<String>, Vec<String>) {
        let (mut warnings, mut infos) = (Vec::new(), Vec::new());
        for note in self.notes {
            let shown = note.render(query);
            match note.severity {
                Severity::Info => infos.push(shown),
                Severity::Warning => warnings.push(shown),
            }
        }
        (warnings, infos)
    }
}

impl Note {
    fn render(&self, query: &str) -> String {
        let Some(span) = self.span else { return self.text.clone() };
        let kind = match self.severity {
            Severity::Info => "PromQL info",
            Severity::Warning => "PromQL warning",
        };
        let details = self.forced.as_ref().map(Forced::render).unwrap_or_default();
        let position = match span.line_column(query) {
            Some((line, column)) => format!("{line}:{column}"),
            None => "unknown position".to_owned(),
        };
        format!("{kind}: {}{details} ({position})", self.text)
    }
}

impl Forced {
    fn merge(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.samples += other.samples;
        self.worst.min_bound = self.worst.min_bound.min(other.worst.min_bound);
        self.worst.max_bound = self.worst.max_bound.max(other.worst.max_bound);
        self.worst.max_diff = self.worst.max_diff.max(other.worst.max_diff);
    }

    fn render(&self) -> String {
        format!(
            ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
            go_g(self.worst.min_bound, None),
            go_g(self.worst.max_bound, None),
            go_g(self.worst.max_diff, Some(2)),
            self.samples,
            rfc3339(self.first),
            rfc3339(self.last),
        )
    }
}

fn rfc3339(time: Timestamp) -> String {
    use crate::functions::time::calendar;
    let seconds = time / 1000;
    let part = |name: &str| calendar(name).map_or(0, |f| f(seconds as f64) as i64);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        part("year"),
        part("month"),
        part("day_of_month"),
        part("hour"),
        part("minute"),
        seconds.rem_euclid(60),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_is_kept_once_with_its_last_position() {
        let mut notes = Annotations::default();
        notes.possible_non_counter("up", Span::new(5, 7));
        notes.possible_non_counter("up", Span::new(20, 22));
        let (warnings, infos) = notes.render("rate(up[5m]) + rate(up[1m])");
        assert!(warnings.is_empty());
        let text = "PromQL info: metric might not be a counter, name does not end in \
                    _total/_sum/_count/_bucket: \"up\" (1:21)";
        assert_eq!(infos, [text]);
    }

    #[test]
    fn no_query_fills_memory_with_notes() {
        let mut notes = Annotations::default();
        for n in 0..2 * MAX_NOTES {
            notes.invalid_quantile(2.0 + n as f64, Span::new(0, 1));
        }
        let (warnings, _) = notes.render("x");
        assert_eq!(warnings.len(), MAX_NOTES);
        assert!(warnings[0].contains("got 2 "), "{}", warnings[0]);
    }

    #[test]
    fn forced_monotonicity_is_summed_up() {
        let forced = |min_bound, max_bound, max_diff| ForcedMonotonicity { min_bound, max_bound, max_diff };
        let mut notes = Annotations::default();
        notes.forced_monotonicity("", forced(2.0, 5.0, 1.5), 0, Span::new(0, 1));
        notes.forced_monotonicity("", forced(1.0, 4.0, 123.0), 90_000, Span::new(0, 1));
        let (_, infos) = notes.render("x");
        assert!(infos[0].ends_with(
            ", from buckets 1 to 5, with a max diff of 1.2e+02, over 2 samples from 1970-01-01T00:00:00Z to \
             1970-01-01T00:01:30Z (1:1)"
        ));
    }
}
