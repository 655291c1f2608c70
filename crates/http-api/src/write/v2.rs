//! Remote write 2.0: `io.prometheus.write.v2.Request`, read in place.
//!
//! <https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>
//!
//! Start timestamps come with each sample. Senders of earlier drafts have a created timestamp for all samples of
//! a series in a field that is reserved since; it counts where a sample has none of its own.

use super::{
    entries,
    wire::{Reader, Value, WireError},
};
use bytes::Bytes;
use model::{Metadata, MetricType, Timestamp};
use service_api::{BatchSeries, Error, LabelSource, MetadataEntry, Result, SeriesKey, WriteBatch};
use std::ops::Range;
use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

/// Keeps the keys of this protocol apart from those of version 1.
const KEY_SEED: u64 = 2;

/// Reads a decompressed body.
pub fn parse(body: Bytes) -> Result<WriteBatch, WireError> {
    let symbols = Symbols::parse(&body)?;
    let mut batch = entries::empty_batch();
    let mut refs = Vec::new();
    let mut ends = Vec::new();
    let mut scratch = Scratch::default();
    let mut reader = Reader::new(&body);
    while let Some((field, value)) = reader.field()? {
        if field == 5 {
            let series = parse_series(value.bytes(5)?, &body, &symbols, &mut batch, &mut scratch)?;
            batch.series.push(series);
            refs.extend_from_slice(&scratch.refs);
            ends.push(refs.len());
            entries::check_count(&batch)?;
        }
    }
    batch.labels = Box::new(SymbolLabels { body, symbols: symbols.ranges, refs, ends });
    Ok(batch)
}

/// Buffers that one series after the other uses.
#[derive(Default)]
struct Scratch {
    refs: Vec<u32>,
    hashes: Vec<u8>,
}

fn parse_series(
    message: &[u8],
    body: &[u8],
    symbols: &Symbols,
    batch: &mut WriteBatch,
    scratch: &mut Scratch,
) -> Result<BatchSeries, WireError> {
    let start = entries::mark(batch);
    scratch.refs.clear();
    let (mut metadata, mut created) = (None, 0);
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => read_refs(value, &mut scratch.refs)?,
            2 => {
                let mut start = 0;
                let sample =
                    entries::sample(value.bytes(2)?, |field, value| read_start(3, field, value, &mut start))?;
                entries::push_sample(batch, sample, start);
            }
            3 => {
                let mut start = 0;
                let message = value.bytes(3)?;
                let histogram =
                    entries::histogram(message, |field, value| read_start(17, field, value, &mut start))?;
                entries::push_histogram(batch, histogram, start);
            }
            4 => {
                let mut refs = Vec::new();
                let mut exemplar = entries::exemplar(value.bytes(4)?, |field, value, _| match field {
                    1 => read_refs(value, &mut refs),
                    _ => Ok(()),
                })?;
                exemplar.labels = symbols.labels(body, &refs)?;
                batch.exemplars.push(exemplar);
            }
            5 => metadata = Some(parse_metadata(value.bytes(5)?, body, symbols)?),
            6 => created = value.varint(6)? as i64,
            _ => {}
        }
    }
    if created != 0 {
        entries::default_start(batch, start, created);
    }
    if !scratch.refs.len().is_multiple_of(2) {
        return Err(WireError::Symbol);
    }
    scratch.hashes.clear();
    for &r in &scratch.refs {
        let hash = symbols.hashes.get(r as usize).ok_or(WireError::Symbol)?;
        scratch.hashes.extend_from_slice(&hash.to_le_bytes());
    }
    if let Some(metadata) = metadata.filter(|m| *m != Metadata::default()) {
        push_metadata(&scratch.refs, metadata, body, symbols, batch)?;
    }
    Ok(entries::series(SeriesKey(xxh3_128_with_seed(&scratch.hashes, KEY_SEED)), start, batch))
}

/// Reads a start, if this is the field that holds it.
#[inline]
fn read_start(holds: u32, field: u32, value: Value<'_>, start: &mut Timestamp) -> Result<(), WireError> {
    if field == holds {
        *start = value.varint(field)? as i64;
    }
    Ok(())
}

fn read_refs(value: Value<'_>, refs: &mut Vec<u32>) -> Result<(), WireError> {
    let mut fits = true;
    value.varints(1, |v| {
        fits &= v <= u64::from(u32::MAX);
        refs.push(v as u32);
    })?;
    if fits { Ok(()) } else { Err(WireError::Symbol) }
}

fn parse_metadata(message: &[u8], body: &[u8], symbols: &Symbols) -> Result<Metadata, WireError> {
    let mut metadata = Metadata::default();
    let mut reader = Reader::new(message);
    while let Some((field, value)) = reader.field()? {
        match field {
            1 => metadata.metric_type = MetricType::from_wire(value.varint(1)?),
            3 => symbols.get(body, value.varint(3)?)?.clone_into(&mut metadata.help),
            4 => symbols.get(body, value.varint(4)?)?.clone_into(&mut metadata.unit),
            _ => {}
        }
    }
    Ok(metadata)
}

/// Notes a series' metadata under its metric name, once where neighbours repeat it.
fn push_metadata(
    refs: &[u32],
    metadata: Metadata,
    body: &[u8],
    symbols: &Symbols,
    batch: &mut WriteBatch,
) -> Result<(), WireError> {
    for pair in refs.chunks_exact(2) {
        if symbols.get(body, u64::from(pair[0]))? == model::METRIC_NAME {
            let metric = symbols.get(body, u64::from(pair[1]))?;
            if batch.metadata.last().is_none_or(|last| last.metric != metric || last.metadata != metadata) {
                batch.metadata.push(MetadataEntry { metric: metric.to_owned(), metadata });
            }
            break;
        }
    }
    Ok(())
}

/// The request's symbol table: where each symbol lies in the body, and its hash.
struct Symbols {
    ranges: Vec<Range<u32>>,
    hashes: Vec<u128>,
}

impl Symbols {
    fn parse(body: &[u8]) -> Result<Self, WireError> {
        let (mut ranges, mut hashes) = (Vec::new(), Vec::new());
        let mut reader = Reader::new(body);
        while let Some((field, value)) = reader.field()? {
            if field == 4 {
                let symbol = value.str(4)?;
                let end = body.len() - reader.remaining();
                ranges.push((end - symbol.len()) as u32..end as u32);
                hashes.push(xxh3_128(symbol.as_bytes()));
                if ranges.len() > entries::MAX_ENTRIES {
                    return Err(WireError::TooMany(entries::MAX_ENTRIES));
                }
            }
        }
        // The specification wants the first symbol to be empty, so that 0 means "not set".
        if !ranges.is_empty() && !ranges[0].is_empty() {
            return Err(WireError::Symbol);
        }
        Ok(Self { ranges, hashes })
    }

    fn get<'a>(&self, body: &'a [u8], index: u64) -> Result<&'a str, WireError> {
        let range = usize::try_from(index).ok().and_then(|i| self.ranges.get(i));
        symbol(body, range.ok_or(WireError::Symbol)?)
    }

    fn labels(&self, body: &[u8], refs: &[u32]) -> Result<model::Labels, WireError> {
        let mut labels = model::LabelsBuilder::new();
        for pair in refs.chunks(2) {
            let [name, value] = pair else { return Err(WireError::Symbol) };
            labels.set(self.get(body, u64::from(*name))?, self.get(body, u64::from(*value))?);
        }
        Ok(labels.build())
    }
}

fn symbol<'a>(body: &'a [u8], range: &Range<u32>) -> Result<&'a str, WireError> {
    std::str::from_utf8(&body[range.start as usize..range.end as usize]).map_err(|_| WireError::Utf8)
}

/// The body, its symbols, and each series' references into them.
struct SymbolLabels {
    body: Bytes,
    symbols: Vec<Range<u32>>,
    refs: Vec<u32>,
    /// Where each series' references end in `refs`.
    ends: Vec<usize>,
}

impl LabelSource for SymbolLabels {
    fn pairs(&self, index: usize, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        let bad = |e: WireError| Error::bad_request(e.to_string());
        let start = index.checked_sub(1).map_or(0, |i| self.ends[i]);
        for pair in self.refs[start..self.ends[index]].chunks_exact(2) {
            let name = symbol(&self.body, &self.symbols[pair[0] as usize]).map_err(bad)?;
            let value = symbol(&self.body, &self.symbols[pair[1] as usize]).map_err(bad)?;
            each(name, value);
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.body.len() + 8 * (self.symbols.len() + self.ends.len()) + 4 * self.refs.len()
    }
}
