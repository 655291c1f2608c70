//! What one append looks like in the write-ahead log: samples here, lines in `record/lines.rs`.
//!
//! ```text
//! payload      := version(1) tenant declarations samples histograms exemplars metadata [starts]
//! tenant       := string
//! declarations := count [names: count string*  pairs: count (name value:string)*
//!                        (series:ivarint-delta count pair*)*  bases: values]
//! samples      := count [series: runs  timestamps: runs  values]
//! histograms   := count (series:ivarint-delta timestamp:ivarint-delta histogram)*
//! exemplars    := count (series:ivarint-delta timestamp:ivarint-delta value:8 packed-labels:string)*
//! metadata     := count (metric:string type:1 help:string unit:string)*
//! starts       := which:1 [of samples: runs] [of histograms: runs]
//! ```
//!
//! Starts are when what the entries count began, in milliseconds, one for each sample if bit 0 of `which` is set,
//! one for each histogram if bit 1 is; 0 where that one's is unknown. A record of which none is known ends before
//! them, and programs that do not know of starts do not look behind the metadata.
//!
//! Counts and indexes are varints, strings lie behind their length. A series is a number
//! that means something only in its segment, behind its declaration, and the last
//! declaration counts. A declaration also gives a base value, which the segment's values of
//! the series are written relative to: a value that has not changed takes next to nothing,
//! and no record depends on another but the declaring one. Everything that names a label is
//! inside the declaring record, so a damaged record harms none but the series it declares.

mod columns;
mod histogram;
mod lines;
mod starts;
#[cfg(test)]
mod tests;

use chunk::{Corrupt, Cursor, put_ivarint, put_uvarint};
use hashbrown::HashMap;
use model::{Exemplar, HistogramSample, Labels, Metadata, MetricType, Signal, Timestamp};
use service_api::{MetadataEntry, StartTimestamps, WriteBatch};

pub use columns::MAX_SAMPLES;
pub use lines::{MAX_LINES, MAX_TEXT, ReadLines, pack_lines};
pub use starts::put_starts;

/// The newest version of payloads. All up to it are read and written: 1 holds samples, 2 lines.
pub const VERSION: u8 = 2;
const SAMPLES: u8 = 1;
const LINES: u8 = 2;
const MAX_ITEMS: usize = 1 << 24;

const TYPES: [MetricType; 8] = [
    MetricType::Unknown,
    MetricType::Counter,
    MetricType::Gauge,
    MetricType::Histogram,
    MetricType::GaugeHistogram,
    MetricType::Summary,
    MetricType::Info,
    MetricType::StateSet,
];

/// Float samples in columns of one length.
#[derive(Debug, Default, PartialEq)]
pub struct Samples {
    pub series: Vec<u32>,
    pub timestamps: Vec<Timestamp>,
    /// Bits of the values, and of the bases of their series.
    pub values: Vec<u64>,
    pub bases: Vec<u64>,
}

impl Samples {
    pub fn clear(&mut self) {
        self.series.clear();
        self.timestamps.clear();
        self.values.clear();
        self.bases.clear();
    }
}

/// A series that a segment has not declared yet: its number, the text of its labels by
/// pair, and the bits of its base.
pub struct Declared<'a> {
    pub series: u32,
    pub pairs: &'a [u32],
    pub base: u64,
}

/// Appends the tenant and the declarations. `text` gives the name and value of a pair.
pub fn put_head<'a>(
    out: &mut Vec<u8>,
    signal: Signal,
    tenant: &str,
    declared: &[Declared<'_>],
    text: impl Fn(u32) -> (&'a str, &'a str),
) {
    out.push(match signal {
        Signal::Metrics => SAMPLES,
        Signal::Logs => LINES,
    });
    put_str(out, tenant);
    put_uvarint(out, declared.len() as u64);
    if declared.is_empty() {
        return;
    }
    let (mut names, mut pairs, mut lists) = (Local::default(), Local::default(), Vec::new());
    let mut last = 0;
    for series in declared {
        put_ivarint(&mut lists, i64::from(series.series) - last);
        last = i64::from(series.series);
        put_uvarint(&mut lists, series.pairs.len() as u64);
        for &pair in series.pairs {
            let index = pairs.index(pair, |out| {
                let (name, value) = text(pair);
                put_uvarint(out, names.index(name, |out| put_str(out, name)));
                put_str(out, value);
            });
            put_uvarint(&mut lists, index);
        }
    }
    names.put(out);
    pairs.put(out);
    out.extend_from_slice(&lists);
    columns::put_values(out, declared.iter().map(|d| (d.base, 0)));
}

/// Whether a replay will take what is written of a batch.
pub fn fits(batch: &WriteBatch) -> bool {
    let items = batch.histograms.len().max(batch.exemplars.len()).max(batch.metadata.len());
    batch.samples.len() <= MAX_SAMPLES
        && items.max(batch.series.len()) <= MAX_ITEMS
        && batch.histograms.iter().all(|sample| histogram::fits(&sample.histogram))
}

pub fn put_samples(out: &mut Vec<u8>, samples: &Samples) {
    put_uvarint(out, samples.series.len() as u64);
    if !samples.series.is_empty() {
        columns::put_runs(out, samples.series.iter().map(|&s| i64::from(s)));
        columns::put_runs(out, samples.timestamps.iter().copied());
        columns::put_values(out, samples.values.iter().copied().zip(samples.bases.iter().copied()));
    }
}

pub fn put_histograms(out: &mut Vec<u8>, histograms: &[(u32, &HistogramSample)]) {
    put_uvarint(out, histograms.len() as u64);
    let mut last = (0, 0);
    for (series, sample) in histograms {
        put_place(out, &mut last, *series, sample.timestamp);
        histogram::put(out, &sample.histogram);
    }
}

pub fn put_exemplars(out: &mut Vec<u8>, exemplars: &[(u32, &Exemplar)]) {
    put_uvarint(out, exemplars.len() as u64);
    let mut last = (0, 0);
    for (series, exemplar) in exemplars {
        put_place(out, &mut last, *series, exemplar.timestamp);
        out.extend_from_slice(&exemplar.value.to_bits().to_le_bytes());
        put_str(out, exemplar.labels.as_packed());
    }
}

pub fn put_metadata<'a>(out: &mut Vec<u8>, entries: impl ExactSizeIterator<Item = &'a MetadataEntry>) {
    put_uvarint(out, entries.len() as u64);
    for MetadataEntry { metric, metadata } in entries {
        put_str(out, metric);
        out.push(TYPES.iter().position(|t| *t == metadata.metric_type).unwrap_or(0) as u8);
        put_str(out, &metadata.help);
        put_str(out, &metadata.unit);
    }
}

/// A payload that is being read: its parts come in the order of the methods.
pub struct Payload<'a> {
    pub signal: Signal,
    pub tenant: &'a str,
    pub declarations: Vec<Declaration<'a>>,
    rest: Cursor<'a>,
}

#[derive(Debug, PartialEq)]
pub struct Declaration<'a> {
    pub series: u32,
    pub labels: Vec<(&'a str, &'a str)>,
    pub base: u64,
}

impl<'a> Payload<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Self, Corrupt> {
        let mut rest = Cursor::new(bytes);
        let signal = match rest.byte()? {
            SAMPLES => Signal::Metrics,
            LINES => Signal::Logs,
            _ => return Err(Corrupt("unknown version of a record")),
        };
        let tenant = read_str(&mut rest)?;
        let declarations = read_declarations(&mut rest)?;
        Ok(Self { signal, tenant, declarations, rest })
    }

    /// All there is behind the declarations of a record of lines.
    pub fn lines(&mut self, out: &mut ReadLines) -> Result<(), Corrupt> {
        out.read(&mut self.rest)
    }

    /// `base` gives the base of a series, none if the segment has not declared it.
    pub fn samples(&mut self, base: impl Fn(u32) -> Option<u64>, out: &mut Samples) -> Result<(), Corrupt> {
        out.clear();
        let count = self.rest.count(MAX_SAMPLES)?;
        if count == 0 {
            return Ok(());
        }
        columns::read_runs(&mut self.rest, count, |series| {
            out.series.push(u32::try_from(series).map_err(|_| Corrupt("series out of bounds"))?);
            Ok(())
        })?;
        columns::read_runs(&mut self.rest, count, |t| {
            out.timestamps.push(t);
            Ok(())
        })?;
        out.bases.extend(out.series.iter().map(|&series| base(series).unwrap_or(0)));
        columns::read_values(&mut self.rest, &out.bases, &mut out.values)
    }

    pub fn histograms(&mut self) -> Result<Vec<(u32, HistogramSample)>, Corrupt> {
        let count = self.rest.count(MAX_ITEMS)?;
        let mut last = (0, 0);
        (0..count)
            .map(|_| {
                let (series, timestamp) = read_place(&mut self.rest, &mut last)?;
                Ok((series, HistogramSample { timestamp, histogram: histogram::read(&mut self.rest)? }))
            })
            .collect()
    }

    pub fn exemplars(&mut self) -> Result<Vec<(u32, Exemplar)>, Corrupt> {
        let count = self.rest.count(MAX_ITEMS)?;
        let mut last = (0, 0);
        (0..count)
            .map(|_| {
                let (series, timestamp) = read_place(&mut self.rest, &mut last)?;
                let value = f64::from_le_bytes(self.rest.array()?);
                let labels = Labels::from_packed(read_str(&mut self.rest)?);
                let labels = labels.ok_or(Corrupt("labels of an exemplar"))?;
                Ok((series, Exemplar { labels, timestamp, value }))
            })
            .collect()
    }

    pub fn metadata(&mut self) -> Result<Vec<MetadataEntry>, Corrupt> {
        let count = self.rest.count(MAX_ITEMS)?;
        (0..count)
            .map(|_| {
                let metric = read_str(&mut self.rest)?.to_owned();
                let metric_type = TYPES.get(self.rest.byte()? as usize).copied();
                let metric_type = metric_type.ok_or(Corrupt("metric type out of bounds"))?;
                let (help, unit) =
                    (read_str(&mut self.rest)?.to_owned(), read_str(&mut self.rest)?.to_owned());
                Ok(MetadataEntry { metric, metadata: Metadata { metric_type, help, unit } })
            })
            .collect()
    }

    /// Of as many samples and histograms as were read.
    pub fn starts(&mut self, samples: usize, histograms: usize) -> Result<StartTimestamps, Corrupt> {
        starts::read(&mut self.rest, samples, histograms)
    }
}

fn read_declarations<'a>(rest: &mut Cursor<'a>) -> Result<Vec<Declaration<'a>>, Corrupt> {
    let count = rest.count(MAX_ITEMS)?;
    if count == 0 {
        return Ok(Vec::new());
    }
    let names = read_list(rest, read_str)?;
    let pairs = read_list(rest, |rest| {
        let name = *names.get(rest.count(MAX_ITEMS)?).ok_or(Corrupt("label name out of bounds"))?;
        Ok((name, read_str(rest)?))
    })?;
    let mut declarations = Vec::new();
    let mut last = 0i64;
    for _ in 0..count {
        last = last.wrapping_add(rest.ivarint()?);
        let series = u32::try_from(last).map_err(|_| Corrupt("series out of bounds"))?;
        let labels = read_list(rest, |rest| {
            pairs.get(rest.count(MAX_ITEMS)?).copied().ok_or(Corrupt("label out of bounds"))
        })?;
        declarations.push(Declaration { series, labels, base: 0 });
    }
    let mut bases = Vec::new();
    columns::read_values(rest, &vec![0; declarations.len()], &mut bases)?;
    for (declaration, base) in declarations.iter_mut().zip(bases) {
        declaration.base = base;
    }
    Ok(declarations)
}

fn read_list<'a, T>(
    rest: &mut Cursor<'a>,
    mut each: impl FnMut(&mut Cursor<'a>) -> Result<T, Corrupt>,
) -> Result<Vec<T>, Corrupt> {
    let count = rest.count(MAX_ITEMS)?;
    (0..count).map(|_| each(rest)).collect()
}

/// Strings of one record by the order in which they first came.
struct Local<K> {
    indexes: HashMap<K, u64>,
    text: Vec<u8>,
}

impl<K> Default for Local<K> {
    fn default() -> Self {
        Self { indexes: HashMap::new(), text: Vec::new() }
    }
}

impl<K: std::hash::Hash + Eq> Local<K> {
    fn index(&mut self, key: K, put: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let next = self.indexes.len() as u64;
        *self.indexes.entry(key).or_insert_with(|| {
            put(&mut self.text);
            next
        })
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_uvarint(out, self.indexes.len() as u64);
        out.extend_from_slice(&self.text);
    }
}

fn put_place(out: &mut Vec<u8>, last: &mut (i64, Timestamp), series: u32, timestamp: Timestamp) {
    put_ivarint(out, i64::from(series) - last.0);
    put_ivarint(out, timestamp.wrapping_sub(last.1));
    *last = (i64::from(series), timestamp);
}

fn read_place(rest: &mut Cursor<'_>, last: &mut (i64, Timestamp)) -> Result<(u32, Timestamp), Corrupt> {
    last.0 = last.0.wrapping_add(rest.ivarint()?);
    last.1 = last.1.wrapping_add(rest.ivarint()?);
    Ok((u32::try_from(last.0).map_err(|_| Corrupt("series out of bounds"))?, last.1))
}

fn put_str(out: &mut Vec<u8>, text: &str) {
    put_uvarint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn read_str<'a>(rest: &mut Cursor<'a>) -> Result<&'a str, Corrupt> {
    let len = rest.count(u32::MAX as usize)?;
    std::str::from_utf8(rest.take(len)?).map_err(|_| Corrupt("text that is not UTF-8"))
}
