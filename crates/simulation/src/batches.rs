//! Requests made of entries of the ledger, and entries found in answers.

use crate::{
    clock::EPOCH_MS,
    ledger::{Entry, Kind},
};
use model::{Labels, Lines, METRIC_NAME, NANOS_A_MILLI, Sample, TenantId, TimeRange};
use service_api::{
    BatchSeries, BatchStream, Error, LabelSource, LogBatch, LogEntry, LogStream, Needles, ReadContext,
    Result, SampleBuffer, Series, SeriesKey, TextSpan, WriteBatch, fetch_pages,
};
use std::collections::{BTreeMap, BTreeSet};

/// The label that tells which series or stream it is.
const NUMBER: &str = "number";

pub fn tenant() -> TenantId {
    TenantId::anonymous()
}

/// The labels of each series of a batch.
struct Numbers(Vec<u32>);

impl LabelSource for Numbers {
    fn pairs(&self, index: usize, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        let number = self.0.get(index).ok_or_else(|| Error::internal("there is no such series"))?;
        labels(*number).iter().for_each(|(name, value)| each(name, value));
        Ok(())
    }
}

fn labels(series: u32) -> Labels {
    let number = series.to_string();
    Labels::from_pairs([(METRIC_NAME, "simulated"), (NUMBER, number.as_str())])
}

fn key(series: u32) -> SeriesKey {
    SeriesKey(labels(series).stable_hash_128())
}

fn by_series(entries: &[Entry], kind: Kind) -> BTreeMap<u32, Vec<Entry>> {
    let mut series: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.kind == kind) {
        series.entry(entry.series).or_default().push(*entry);
    }
    series
}

pub fn samples(entries: &[Entry]) -> WriteBatch {
    let series = by_series(entries, Kind::Sample);
    let mut batch = WriteBatch {
        series: vec![],
        samples: vec![],
        histograms: vec![],
        starts: Default::default(),
        exemplars: vec![],
        metadata: vec![],
        labels: Box::new(Numbers(series.keys().copied().collect())),
    };
    for (number, entries) in series {
        let start = batch.samples.len() as u32;
        let sample = |entry: &Entry| Sample { timestamp: EPOCH_MS + entry.time * 1000, value: entry.value() };
        batch.samples.extend(entries.iter().map(sample));
        let samples = start..batch.samples.len() as u32;
        batch.series.push(BatchSeries { key: key(number), samples, histograms: 0..0, exemplars: 0..0 });
    }
    batch
}

pub fn lines(entries: &[Entry]) -> LogBatch {
    let streams = by_series(entries, Kind::Line);
    let mut batch = LogBatch {
        streams: vec![],
        entries: vec![],
        metadata: vec![],
        text: vec![],
        labels: Box::new(Numbers(streams.keys().copied().collect())),
    };
    for (number, entries) in streams {
        let start = batch.entries.len() as u32;
        for entry in entries {
            let (text, at) = (entry.text(), batch.text.len() as u32);
            batch.text.extend_from_slice(text.as_bytes());
            let line = TextSpan { start: at, len: text.len() as u32 };
            let timestamp = (EPOCH_MS + entry.time * 1000) * NANOS_A_MILLI;
            batch.entries.push(LogEntry { timestamp, line, metadata: 0..0 });
        }
        batch.streams.push(BatchStream { key: key(number), entries: start..batch.entries.len() as u32 });
    }
    batch
}

/// The entries in an answer of series, as often as they are in it.
///
/// # Errors
/// Something is in it that no entry can have become.
pub fn found_samples(series: &[Series]) -> std::result::Result<Vec<Entry>, String> {
    let (mut found, mut buffer) = (Vec::new(), SampleBuffer::default());
    for series in series {
        let number = number(&series.labels)?;
        buffer.clear();
        series
            .data
            .read(TimeRange::ALL, &mut buffer)
            .map_err(|e| format!("an answer cannot be read: {e}"))?;
        for (timestamp, value) in buffer.timestamps.iter().zip(&buffer.values) {
            let entry =
                Entry { kind: Kind::Sample, series: number, time: (timestamp - EPOCH_MS).div_euclid(1000) };
            if *value != entry.value() {
                return Err(format!("{entry:?} has the value {value}"));
            }
            found.push(entry);
        }
    }
    Ok(found)
}

/// The entries in an answer of streams; each once, as whoever reads pages that overlap counts them once.
///
/// # Errors
/// Pages that could not be had; or, as `Ok(Err)`, something that no entry can have become.
pub async fn found_lines(
    ctx: &ReadContext,
    streams: &[LogStream],
) -> Result<std::result::Result<Vec<Entry>, String>> {
    let (mut found, mut lines) = (BTreeSet::new(), Lines::default());
    for stream in streams {
        let number = match number(&stream.labels) {
            Ok(number) => number,
            Err(wrong) => return Ok(Err(wrong)),
        };
        for page in fetch_pages(ctx, &stream.pages.iter().collect::<Vec<_>>()).await? {
            page.read(&Needles::default(), &mut lines)?;
            for at in 0..lines.len() {
                let time = (lines.timestamps[at] / NANOS_A_MILLI - EPOCH_MS).div_euclid(1000);
                let entry = Entry { kind: Kind::Line, series: number, time };
                if lines.line(at) != entry.text().as_bytes() {
                    let text = String::from_utf8_lossy(lines.line(at)).into_owned();
                    return Ok(Err(format!("{entry:?} has the text {text:?}")));
                }
                found.insert(entry);
            }
        }
    }
    Ok(Ok(found.into_iter().collect()))
}

fn number(labels: &Labels) -> std::result::Result<u32, String> {
    let number = labels.get(NUMBER).and_then(|value| value.parse().ok());
    number.ok_or_else(|| format!("a series that nobody sent: {labels}"))
}
