//! What the registry shows as text, taken apart as far as is needed each time: which bytes name a series, and its
//! value. Labels stay unread.
//!
//! The registry gives its metrics to nobody but its writers of text and of protobuf, and the second needs a compiler
//! of protobuf to be built. The text is what `/metrics` answers, so nothing can be told in two ways.

use model::{Metadata, MetricType};
use service_api::MetadataEntry;
use std::ops::Range;

/// Calls `each` with the bytes that name a series, and its value, for all samples.
pub fn samples(text: &str, mut each: impl FnMut(Range<usize>, f64)) {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if !line.starts_with('#')
            && let Some(end) = series_end(line)
            && let Some(value) = line.get(end..).and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        {
            each(start..start + end, value);
        }
        start += line.len();
    }
}

/// Where the space before the value lies.
fn series_end(line: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    line.bytes().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b' ' => return !quoted,
            _ => {}
        }
        false
    })
}

/// What the comments say of metrics. Counters go by the name of their series, with `_total`, as in Prometheus's own
/// format and in remote write 2.0: by that name Grafana looks their type up.
pub fn metadata(text: &str) -> Vec<MetadataEntry> {
    let mut found: Vec<(&str, Metadata)> = Vec::new();
    for line in text.lines() {
        let Some(comment) = line.strip_prefix("# ") else { continue };
        let mut words = comment.splitn(3, ' ');
        let (Some(kind), Some(name)) = (words.next(), words.next()) else { continue };
        let rest = words.next().unwrap_or_default();
        if found.last().is_none_or(|(last, _)| *last != name) {
            found.push((name, Metadata::default()));
        }
        let Some((_, metadata)) = found.last_mut() else { continue };
        match kind {
            "HELP" => rest.clone_into(&mut metadata.help),
            "UNIT" => rest.clone_into(&mut metadata.unit),
            "TYPE" => metadata.metric_type = metric_type(rest),
            _ => {}
        }
    }
    let entry = |(name, metadata): (&str, Metadata)| {
        let suffix = match metadata.metric_type {
            MetricType::Counter => "_total",
            MetricType::Info => "_info",
            _ => "",
        };
        MetadataEntry { metric: format!("{name}{suffix}"), metadata }
    };
    found.into_iter().map(entry).collect()
}

fn metric_type(word: &str) -> MetricType {
    use MetricType::{Counter, Gauge, GaugeHistogram, Histogram, Info, StateSet, Summary, Unknown};
    let all = [Counter, Gauge, Histogram, GaugeHistogram, Summary, Info, StateSet];
    all.into_iter().find(|known| known.as_str() == word).unwrap_or(Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_and_values_are_found_whatever_labels_hold() {
        let text = r#"# HELP a Some text.
# TYPE a counter
a_total 1
a_total{b="c d",e="} 7",f="\" 8 \\"} 2.5
h_bucket{le="+Inf"} 17 # {trace_id="x"} 0.5
g{x="é ü"} -inf
n NaN
no_value
bad value
# EOF
"#;
        let mut found = Vec::new();
        samples(text, |series, value| found.push(format!("{} = {value}", &text[series])));
        let expected = [
            "a_total = 1",
            r#"a_total{b="c d",e="} 7",f="\" 8 \\"} = 2.5"#,
            r#"h_bucket{le="+Inf"} = 17"#,
            r#"g{x="é ü"} = -inf"#,
            "n = NaN",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn metadata_is_by_the_name_that_series_have() {
        let text = "# HELP a Some text.\n# TYPE a counter\na_total 1\n# HELP b_bytes B.\n# TYPE b_bytes gauge\n\
                    # UNIT b_bytes bytes\nb_bytes 1\n# HELP h H.\n# TYPE h histogram\n# TYPE v info\n# EOF\n";
        let found: Vec<_> = metadata(text)
            .into_iter()
            .map(|e| {
                format!(
                    "{} {} {:?} {:?}",
                    e.metric,
                    e.metadata.metric_type.as_str(),
                    e.metadata.help,
                    e.metadata.unit
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                "a_total counter \"Some text.\" \"\"",
                "b_bytes gauge \"B.\" \"bytes\"",
                "h histogram \"H.\" \"\"",
                "v_info info \"\" \"\""
            ]
        );
    }
}
