//! What tests of logs share: batches, and everything that a reader sees.

use super::{NoLabels, World, ctx, labels, tenant};
use crate::Ingester;
use block_store::{BlockCacheConfig, BlocksReader};
use model::{Labels, Lines, Matcher, NanoRange, Nanos, Signal, TimeRange};
use service_api::{
    AppendOutcome, BatchStream, IngestLogs, LabelQuery, LogBatch, LogEntry, LogStream, LogsReader, Needles,
    Result, SeriesKey, StreamsRequest, TextSpan, Wanted, fetch_pages, merge_stream_sets,
};
use std::{collections::BTreeSet, sync::Arc};

/// Streams with their lines by time and text. Structured metadata is behind the text: `text#name=value`.
pub type LogRows = Vec<(String, Vec<(Nanos, String)>)>;

/// A batch, and what a distributor would answer when it is asked for its labels.
pub fn log_batch(streams: &[(&str, &[(Nanos, &str)])]) -> (LogBatch, Vec<(u32, Labels)>) {
    let mut batch = LogBatch {
        streams: vec![],
        entries: vec![],
        metadata: vec![],
        text: b"before".to_vec(),
        labels: Box::new(NoLabels),
    };
    let mut named = Vec::new();
    let put = |text: &mut Vec<u8>, part: &str| {
        text.extend_from_slice(part.as_bytes());
        TextSpan { start: (text.len() - part.len()) as u32, len: part.len() as u32 }
    };
    for (index, (text, lines)) in streams.iter().enumerate() {
        let start = batch.entries.len() as u32;
        for &(timestamp, line) in *lines {
            let (line, pair) = line.split_once('#').unwrap_or((line, ""));
            let from = batch.metadata.len() as u32;
            if let Some((name, value)) = pair.split_once('=') {
                let pair = (put(&mut batch.text, name), put(&mut batch.text, value));
                batch.metadata.push(pair);
            }
            let line = put(&mut batch.text, line);
            batch.entries.push(LogEntry { timestamp, line, metadata: from..batch.metadata.len() as u32 });
        }
        named.push((index as u32, labels(text)));
        let key = SeriesKey(labels(text).stable_hash_128());
        batch.streams.push(BatchStream { key, entries: start..batch.entries.len() as u32 });
    }
    (batch, named)
}

/// Appends as a distributor does: by key, then the unknown by name.
pub async fn push_logs(
    ingester: &Ingester,
    batch: LogBatch,
    named: Vec<(u32, Labels)>,
) -> Result<AppendOutcome> {
    let batch = Arc::new(batch);
    let first = ingester.append_logs(&tenant(), Arc::clone(&batch), Wanted::All).await?;
    let unknown: Vec<_> = named.into_iter().filter(|(at, _)| first.unknown.contains(at)).collect();
    let mut outcome = AppendOutcome { unknown: Vec::new(), ..first };
    if !unknown.is_empty() {
        outcome.pushed.merge(ingester.append_logs(&tenant(), batch, Wanted::Named(unknown)).await?.pushed);
    }
    Ok(outcome)
}

pub async fn append_logs(ingester: &Ingester, streams: &[(&str, &[(Nanos, &str)])]) -> Result<AppendOutcome> {
    let (batch, named) = log_batch(streams);
    push_logs(ingester, batch, named).await
}

pub fn labels_query(matcher_sets: Vec<Vec<Matcher>>, range: TimeRange) -> LabelQuery {
    LabelQuery { signal: Signal::Logs, matcher_sets, range }
}

fn everything() -> StreamsRequest {
    StreamsRequest { matchers: vec![], range: NanoRange::ALL }
}

/// What the head alone gives.
pub async fn head_lines(ingester: &Ingester) -> LogRows {
    rows(LogsReader::select(ingester, &ctx(), &everything()).await.unwrap().streams).await
}

impl World {
    /// What a querier gives: the head, then the blocks, merged.
    pub async fn read_lines(&self, ingester: &Ingester) -> LogRows {
        let recent = LogsReader::select(ingester, &ctx(), &everything()).await.unwrap();
        let blocks = BlocksReader::new(self.manifests(), &BlockCacheConfig::default());
        let blocks = LogsReader::select(&blocks, &ctx(), &everything()).await.unwrap();
        rows(merge_stream_sets(vec![blocks, recent]).streams).await
    }
}

/// Reads all pages; checks what was said of them, and that only pages that overlap have a line twice.
async fn rows(streams: Vec<LogStream>) -> LogRows {
    let mut rows = Vec::new();
    for stream in streams {
        let pages: Vec<_> = stream.pages.iter().collect();
        let sources = fetch_pages(&ctx(), &pages).await.unwrap();
        let (mut all, mut lines) = (BTreeSet::new(), Lines::default());
        for (page, source) in pages.iter().zip(sources) {
            assert!(source.read(&Needles::default(), &mut lines).unwrap());
            assert!(lines.len() <= page.lines as usize && lines.timestamps.is_sorted());
            let range = NanoRange::new(lines.timestamps[0], lines.timestamps[lines.len() - 1]);
            assert_eq!(range, page.range);
            let mut own = BTreeSet::new();
            for at in 0..lines.len() {
                let text = String::from_utf8(lines.line(at).to_vec()).unwrap();
                assert!(own.insert((lines.timestamps[at], text)), "twice in one page");
                let pairs: String = lines.metadata(at).map(|(n, v)| format!("#{n}={v}")).collect();
                let text = String::from_utf8_lossy(lines.line(at)).into_owned() + &pairs;
                all.insert((lines.timestamps[at], text));
            }
        }
        rows.push((stream.labels.to_string(), all.into_iter().collect()));
    }
    rows
}
