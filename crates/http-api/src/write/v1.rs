//! Remote write 1.0: `prometheus.WriteRequest`, read in place.
//!
//! <https://prometheus.io/docs/specs/prw/remote_write_spec/>

use super::{
    entries,
    wire::{Reader, Value, WireError},
};
use bytes::Bytes;
use model::{Metadata, MetricType};
use service_api::{BatchSeries, Error, LabelSource, MetadataEntry, Result, SeriesKey, WriteBatch};
use std::ops::Range;
use xxhash_rust::xxh3::xxh3_128;

/// The tag of a label in a series' message: field 1, length-delimited.
const LABEL_TAG: u8 = 0x0a;

/// Reads a decompressed body.
pub fn parse(body: Bytes) -> Result<WriteBatch, WireError> {
    let mut batch = entries::empty_batch();
    let mut messages = Vec::new();
    let mut scratch = Vec::new();
    let mut reader = Reader::new(&body);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => {
                let message = value.bytes(1)?;
                let end = body.len() - reader.remaining();
                messages.push(end - message.len()..end);
                let series = parse_series(message, &mut batch, &mut scratch)?;
                batch.series.push(series);
            }
            3 => batch.metadata.push(parse_metadata(value.bytes(3)?)?),
            _ => {}
        }
        entries::check_count(&batch)?;
    }
    batch.labels = Box::new(SeriesMessages { body, messages });
    Ok(batch)
}

fn parse_series(
    message: &[u8],
    batch: &mut WriteBatch,
    scratch: &mut Vec<u8>,
) -> Result<BatchSeries, WireError> {
    let start = entries::mark(batch);
    // Senders write all labels first, so they are one run of bytes that can be hashed as it
    // is. Labels that come in pieces are put together in `scratch`.
    let (mut run, mut pieces) = (0..0, false);
    let mut reader = Reader::new(message);
    run.end = reader.skip_run(LABEL_TAG);
    loop {
        let before = message.len() - reader.remaining();
        let Some((field, value)) = reader.field()? else { break };
        let after = message.len() - reader.remaining();
        match field {
            1 => {
                value.bytes(1)?;
                if pieces {
                    scratch.extend_from_slice(&message[before..after]);
                } else if run.end == before || run.is_empty() {
                    run = if run.is_empty() { before..after } else { run.start..after };
                } else {
                    pieces = true;
                    scratch.clear();
                    scratch.extend_from_slice(&message[run.clone()]);
                    scratch.extend_from_slice(&message[before..after]);
                }
            }
            2 => batch.samples.push(entries::sample(value.bytes(2)?, |_, _| Ok(()))?),
            3 => batch.exemplars.push(entries::exemplar(value.bytes(3)?, |field, value, labels| {
                if field == 1 {
                    let (name, value) = parse_label(value.bytes(1)?)?;
                    labels.set(name, value);
                }
                Ok(())
            })?),
            4 => batch.histograms.push(entries::histogram(value.bytes(4)?, |_, _| Ok(()))?),
            _ => {}
        }
    }
    let label_bytes = if pieces { &scratch[..] } else { &message[run] };
    Ok(entries::series(SeriesKey(xxh3_128(label_bytes)), start, batch))
}

fn parse_label(message: &[u8]) -> Result<(&str, &str), WireError> {
    let (mut name, mut value) = ("", "");
    let mut reader = Reader::new(message);
    while let Some((field, v)) = reader.field()? {
        match field {
            1 => name = v.str(1)?,
            2 => value = v.str(2)?,
            _ => {}
        }
    }
    Ok((name, value))
}

fn parse_metadata(message: &[u8]) -> Result<MetadataEntry, WireError> {
    let mut entry = MetadataEntry { metric: String::new(), metadata: Metadata::default() };
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => entry.metadata.metric_type = MetricType::from_wire(value.varint(1)?),
            2 => value.str(2)?.clone_into(&mut entry.metric),
            4 => value.str(4)?.clone_into(&mut entry.metadata.help),
            5 => value.str(5)?.clone_into(&mut entry.metadata.unit),
            _ => {}
        }
    }
    Ok(entry)
}

/// The body, and where each series' message lies in it.
struct SeriesMessages {
    body: Bytes,
    messages: Vec<Range<usize>>,
}

impl LabelSource for SeriesMessages {
    fn pairs(&self, index: usize, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        let bad = |e: WireError| Error::bad_request(e.to_string());
        let mut reader = Reader::new(&self.body[self.messages[index].clone()]);
        while let Some((field, value)) = reader.field().map_err(bad)? {
            if let (1, Value::Bytes(label)) = (field, value) {
                let (name, value) = parse_label(label).map_err(bad)?;
                each(name, value);
            }
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.body.len() + 16 * self.messages.len()
    }
}
