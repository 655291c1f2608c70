//! Classic histograms as native ones.

use super::*;
use promql::notation::{self, written};

fn native(lines: &[&str]) -> Result<Vec<String>, String> {
    let loaded: Vec<_> = lines.iter().map(|line| notation::parse(line).unwrap()).collect();
    let series = as_native(loaded.iter(), 1000)?.into_iter();
    let show = |(labels, histograms): (Labels, BTreeMap<Timestamp, FloatHistogram>)| {
        let histograms = histograms.iter().map(|(time, h)| format!(" {}@{time}", written(h)));
        format!("{labels}{}", histograms.collect::<String>())
    };
    Ok(series.map(show).collect())
}

#[test]
fn buckets_count_and_sum_make_one_series() {
    assert_eq!(
        native(&[
            "h_bucket{le=\"+Inf\", a=\"b\"} 5 7",
            "h_bucket{le=\"1e0\", a=\"b\"} 1 _",
            "h_bucket{le=\"1\", a=\"b\"} 1 _",
            "h_bucket{le=\"none\", a=\"b\"} 3 3",
            "h_bucket{le=\".5\", a=\"b\"} 0 2",
            "h_count{a=\"b\"} 5",
            "h_sum{a=\"b\"} 9",
            "other 1",
        ])
        .unwrap(),
        [
            "{__name__=\"h\", a=\"b\"} {{schema:-53 count:5 sum:9 custom_values:[0.5 1] offset:1 buckets:[1 4]}}@0 \
             {{schema:-53 count:7 custom_values:[0.5] buckets:[2 5]}}@1000"
        ]
    );
    assert_eq!(native(&["h_count 3"]).unwrap(), ["{__name__=\"h\"} {{schema:-53 count:3 buckets:[3]}}@0"]);
}

#[test]
fn what_does_not_add_up_is_refused() {
    assert!(native(&["h_bucket{le=\"1\"} 2", "h_bucket{le=\"+Inf\"} 1"]).is_err());
    assert!(native(&["h_bucket{le=\"+Inf\"} 1", "h_count 2"]).is_err());
}
