//! Native histograms in JSON, as Prometheus writes them.

use super::{array, timestamp, value};
use histogram::{Bucket, FloatHistogram};
use model::Timestamp;

/// `[time,{"count":"…","sum":"…","buckets":[…]}]`.
pub fn histogram_point(out: &mut Vec<u8>, time: Timestamp, histogram: &FloatHistogram) {
    out.push(b'[');
    timestamp(out, time);
    out.push(b',');
    self::histogram(out, histogram);
    out.push(b']');
}

fn histogram(out: &mut Vec<u8>, histogram: &FloatHistogram) {
    out.extend_from_slice(br#"{"count":"#);
    value(out, histogram.count);
    out.extend_from_slice(br#","sum":"#);
    value(out, histogram.sum);
    let mut populated = histogram.buckets().filter(|bucket| bucket.count != 0.0).peekable();
    if populated.peek().is_some() {
        out.extend_from_slice(br#","buckets":"#);
        array(out, populated, |out, bucket| self::bucket(out, &bucket));
    }
    out.push(b'}');
}

/// `[boundary rule,"low","high","count"]`.
fn bucket(out: &mut Vec<u8>, bucket: &Bucket) {
    let rule = match (bucket.lower_inclusive, bucket.upper_inclusive) {
        (false, true) => b'0',
        (true, false) => b'1',
        (false, false) => b'2',
        (true, true) => b'3',
    };
    out.extend_from_slice(&[b'[', rule]);
    for number in [bucket.lower, bucket.upper, bucket.count] {
        out.push(b',');
        value(out, number);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;
    use histogram::{Buckets, Span};

    #[test]
    fn empty_buckets_are_left_out() {
        let side = |counts: &[f64]| Buckets {
            spans: vec![Span { offset: 0, length: counts.len() as u32 }],
            counts: counts.to_vec(),
        };
        let histogram = FloatHistogram {
            zero_threshold: 0.001,
            zero_count: 2.0,
            count: 10.5,
            sum: -1.0,
            positive: side(&[1.0, 0.0, 4.5]),
            negative: side(&[3.0]),
            ..FloatHistogram::default()
        };
        let mut out = Vec::new();
        histogram_point(&mut out, 1500, &histogram);
        let expected = r#"[1.500,{"count":"10.5","sum":"-1","buckets":[[1,"-1","-0.5","3"],[3,"-0.001","0.001","2"],[0,"0.5","1","1"],[0,"2","4","4.5"]]}]"#;
        assert_eq!(String::from_utf8_lossy(&out), expected);
        out.clear();
        self::histogram(&mut out, &FloatHistogram::default());
        assert_eq!(String::from_utf8_lossy(&out), r#"{"count":"0","sum":"0"}"#);
    }
}
