//! Requests of remote write 1.0.
//!
//! <https://prometheus.io/docs/specs/prw/remote_write_spec/>

use prost::Message;
use tsdb::Sample;

#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<WireSample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
struct WireSample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// A body in snappy's block format.
pub fn encode(batch: &[Sample]) -> Result<Vec<u8>, snap::Error> {
    let mut timeseries: Vec<TimeSeries> = Vec::new();
    for same in batch.chunk_by(|a, b| a.labels == b.labels) {
        let Some(first) = same.first() else { continue };
        let label = |(name, value): (&str, &str)| Label { name: name.into(), value: value.into() };
        let sample = |sample: &Sample| WireSample { value: sample.value, timestamp: sample.timestamp };
        timeseries.push(TimeSeries {
            labels: first.labels.iter().map(label).collect(),
            samples: same.iter().map(sample).collect(),
        });
    }
    snap::raw::Encoder::new().compress_vec(&WriteRequest { timeseries }.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Labels;

    #[test]
    fn bytes_are_those_of_the_specification() {
        let labels = Labels::from_pairs([("__name__", "a"), ("b", "c")]);
        let sample = |timestamp, value| Sample { labels: labels.clone(), timestamp, value };
        let body = encode(&[sample(1, 1.0), sample(2, 0.0)]).unwrap();
        let plain = snap::raw::Decoder::new().decompress_vec(&body).unwrap();
        let mut expected = vec![0x0a, 41, 0x0a, 13, 0x0a, 8];
        expected.extend(b"__name__");
        expected.extend([0x12, 1, b'a', 0x0a, 6, 0x0a, 1, b'b', 0x12, 1, b'c']);
        expected.extend([0x12, 11, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 1]);
        // A value of zero is left out.
        expected.extend([0x12, 2, 0x10, 2]);
        expected[1] = (expected.len() - 2) as u8;
        assert_eq!(plain, expected);
    }
}
