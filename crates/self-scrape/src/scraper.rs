//! The registry as a scrape of `/metrics` would give it, without HTTP, and series that have ended.

use crate::{exposition, target::Target};
use model::{Labels, Sample, Timestamp, stale_nan};
use prometheus_client::registry::Registry;
use runtime::Clock;
use service_api::{
    BatchSeries, Error, LabelSource, MetadataEntry, Result, SeriesKey, StartTimestamps, WriteBatch,
};
use std::{collections::HashMap, ops::Range, sync::Arc, time::Duration};
use tsdb::TextParser;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// Samples in one batch.
const PIECE: usize = 2_000;

/// How often metadata goes along: ingesters forget it when they restart. Prometheus sends it as often.
const METADATA_EVERY: i64 = 60_000;

/// What has been seen of the registry.
pub struct Scraper {
    registry: Arc<Registry>,
    target: Arc<Target>,
    clock: Arc<dyn Clock>,
    seen: HashMap<SeriesKey, Seen>,
    round: u64,
    metadata_at: Option<Timestamp>,
}

struct Seen {
    series: Box<str>,
    /// In which it was there last.
    round: u64,
    /// Whether its labels can be read. If not it is passed over.
    is_good: bool,
}

/// Samples of one time, ready to be written.
pub struct Scrape {
    text: String,
    target: Arc<Target>,
    timestamp: Timestamp,
    entries: Vec<Entry>,
    metadata: Vec<MetadataEntry>,
}

struct Entry {
    key: SeriesKey,
    /// Where its series' name and labels lie in the text.
    series: Range<usize>,
    value: f64,
}

impl Scraper {
    pub fn new(registry: Arc<Registry>, target: Arc<Target>, clock: Arc<dyn Clock>) -> Self {
        Self { registry, target, clock, seen: HashMap::new(), round: 0, metadata_at: None }
    }

    /// All series at `timestamp`, stale markers for those that are no longer there, and what a scrape says of itself.
    pub fn scrape(&mut self, timestamp: Timestamp) -> Scrape {
        let start = self.clock.monotonic();
        let mut text = String::new();
        // Only a metric that cannot be printed fails it, and then `/metrics` fails, too.
        let is_up = prometheus_client::encoding::text::encode(&mut text, &self.registry).is_ok();
        if !is_up {
            text.clear();
        }
        self.round += 1;
        let (mut entries, mut added) = (Vec::with_capacity(self.seen.len()), 0);
        exposition::samples(&text, |series, value| {
            let (entry, is_new) = self.see(&text, series, value);
            added += u64::from(is_new);
            entries.extend(entry);
        });
        let is_due = |at: Timestamp| timestamp.saturating_sub(at) >= METADATA_EVERY;
        let metadata = match self.metadata_at.is_none_or(is_due) {
            true => exposition::metadata(&text),
            false => Vec::new(),
        };
        let took = self.clock.monotonic().saturating_sub(start);
        let mut scrape = Scrape { text, target: Arc::clone(&self.target), timestamp, entries, metadata };
        self.report(&mut scrape, is_up, took, added);
        self.end(&mut scrape);
        scrape
    }

    /// Stale markers for everything.
    pub fn last(&mut self, timestamp: Timestamp) -> Scrape {
        self.round += 1;
        let (text, target) = (String::new(), Arc::clone(&self.target));
        let mut scrape = Scrape { text, target, timestamp, entries: Vec::new(), metadata: Vec::new() };
        self.end(&mut scrape);
        scrape
    }

    /// To be called when what the last scrape gave has been written. Otherwise ends of series are told again.
    pub fn written(&mut self, scrape_had_metadata: Option<Timestamp>) {
        self.seen.retain(|_, seen| seen.round == self.round);
        self.metadata_at = scrape_had_metadata.or(self.metadata_at);
    }

    /// The entry of a series, unless it is there twice or cannot be read; and whether it is new.
    fn see(&mut self, text: &str, series: Range<usize>, value: f64) -> (Option<Entry>, bool) {
        let named = &text[series.clone()];
        let key = SeriesKey(xxh3_128_with_seed(named.as_bytes(), self.target.seed));
        let entry = Entry { key, series, value };
        if let Some(seen) = self.seen.get_mut(&key) {
            let again = std::mem::replace(&mut seen.round, self.round) == self.round;
            return ((seen.is_good && !again).then_some(entry), false);
        }
        let is_good = labels(named).is_some();
        self.seen.insert(key, Seen { series: named.into(), round: self.round, is_good });
        (is_good.then_some(entry), is_good)
    }

    /// The series that a scraper adds of its own.
    fn report(&mut self, scrape: &mut Scrape, is_up: bool, took: Duration, added: u64) {
        let scraped = scrape.entries.len() as f64;
        for (name, value) in [
            ("up", f64::from(u8::from(is_up))),
            ("scrape_duration_seconds", took.as_secs_f64()),
            ("scrape_samples_scraped", scraped),
            ("scrape_samples_post_metric_relabeling", scraped),
            ("scrape_series_added", added as f64),
        ] {
            let series = scrape.add(name);
            let (entry, _) = self.see(&scrape.text, series, value);
            scrape.entries.extend(entry);
        }
    }

    fn end(&self, scrape: &mut Scrape) {
        for (key, seen) in self.seen.iter().filter(|(_, seen)| seen.is_good && seen.round != self.round) {
            let series = scrape.add(&seen.series);
            scrape.entries.push(Entry { key: *key, series, value: stale_nan() });
        }
    }
}

impl Scrape {
    /// Appends to the text.
    fn add(&mut self, series: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(series);
        start..self.text.len()
    }

    /// Its time, if metadata goes along.
    pub fn has_metadata(&self) -> Option<Timestamp> {
        (!self.metadata.is_empty()).then_some(self.timestamp)
    }

    pub fn into_batches(self) -> Vec<WriteBatch> {
        let Self { text, target, timestamp, entries, mut metadata } = self;
        let text: Arc<str> = text.into();
        let batch = |piece: &[Entry]| {
            let series = piece.iter().map(|entry| entry.series.clone()).collect();
            let one = |(at, entry): (u32, &Entry)| BatchSeries {
                key: entry.key,
                samples: at..at + 1,
                histograms: 0..0,
                exemplars: 0..0,
            };
            WriteBatch {
                series: (0..).zip(piece).map(one).collect(),
                samples: piece.iter().map(|entry| Sample { timestamp, value: entry.value }).collect(),
                histograms: Vec::new(),
                // The registry does not know when its counters were made.
                starts: StartTimestamps::default(),
                exemplars: Vec::new(),
                metadata: std::mem::take(&mut metadata),
                labels: Box::new(Named { text: Arc::clone(&text), target: Arc::clone(&target), series }),
            }
        };
        entries.chunks(PIECE).map(batch).collect()
    }
}

/// Reads the labels of those series that are asked for.
struct Named {
    text: Arc<str>,
    target: Arc<Target>,
    series: Vec<Range<usize>>,
}

impl LabelSource for Named {
    fn pairs(&self, index: usize, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        let series = self.series.get(index).and_then(|range| self.text.get(range.clone()));
        let labels = series.and_then(labels);
        let labels = labels.ok_or_else(|| Error::internal("a series of ours cannot be read"))?;
        self.target.apply(&labels, each);
        Ok(())
    }

    fn bytes(&self) -> usize {
        self.text.len() + size_of_val(&*self.series)
    }
}

fn labels(series: &str) -> Option<Labels> {
    // A parser of lines: any value makes one of it.
    let line = format!("{series} 0");
    TextParser::of_scrape(0).line(line.as_bytes()).ok().flatten().map(|sample| sample.labels)
}

#[cfg(test)]
mod tests;
