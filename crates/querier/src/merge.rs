//! Answers of several sources as one.

use model::{Exemplar, Labels, Metadata, Signal};
use service_api::{
    Code, Error, ExemplarSeries, MetricMetadata, ReadContext, Result, SeriesSet, StreamSet, Warned,
    merge_series_sets, merge_stream_sets,
};
use std::collections::{BTreeMap, BTreeSet};

/// Whether an error is the query's own: then nobody else has a better answer.
pub(crate) fn ends_query(ctx: &ReadContext, error: &Error) -> bool {
    let is_own = matches!(error.code, Code::BadRequest | Code::Unprocessable | Code::TooLarge);
    is_own || ctx.cancel.is_cancelled()
}

/// Series or streams as one list.
pub(crate) fn label_sets(
    ctx: &ReadContext,
    signal: Signal,
    lists: Vec<Warned<Vec<Labels>>>,
) -> Result<Warned<Vec<Labels>>> {
    let all = union(lists);
    ctx.check_count(signal, all.value.len())?;
    Ok(all)
}

/// Sorted lists as one, each element once.
pub(crate) fn union<T: Ord>(lists: Vec<Warned<Vec<T>>>) -> Warned<Vec<T>> {
    let mut all = Warned { value: Vec::new(), warnings: Vec::new() };
    let mut filled = 0;
    for mut list in lists {
        filled += usize::from(!list.value.is_empty());
        all.value.append(&mut list.value);
        add_warnings(&mut all.warnings, list.warnings);
    }
    if filled > 1 {
        // The stable sort finds the sorted runs and merges them.
        all.value.sort();
        all.value.dedup();
    }
    all
}

pub(crate) fn add_warnings(all: &mut Vec<String>, more: Vec<String>) {
    for warning in more {
        if !all.contains(&warning) {
            all.push(warning);
        }
    }
}

/// Series or streams of which sets are merged where they are: less work than a change of threads.
const FEW: usize = 256;

pub(crate) async fn series_sets(ctx: &ReadContext, mut sets: Vec<SeriesSet>) -> Result<SeriesSet> {
    let merged = match sets.len() {
        1 => sets.remove(0),
        _ => near(sets.iter().map(|set| set.series.len()).sum(), move || merge_series_sets(sets)).await?,
    };
    ctx.check_count(Signal::Metrics, merged.series.len())?;
    Ok(merged)
}

/// Of the same series as several ingesters have them.
pub(crate) async fn replica_sets(ctx: &ReadContext, sets: Vec<SeriesSet>) -> Result<SeriesSet> {
    let merged = off_thread(move || rpc::merge_replicas(sets)).await?;
    ctx.check_count(Signal::Metrics, merged.series.len())?;
    Ok(merged)
}

pub(crate) async fn stream_sets(ctx: &ReadContext, mut sets: Vec<StreamSet>) -> Result<StreamSet> {
    let merged = match sets.len() {
        1 => sets.remove(0),
        _ => near(sets.iter().map(|set| set.streams.len()).sum(), move || merge_stream_sets(sets)).await?,
    };
    ctx.check_count(Signal::Logs, merged.streams.len())?;
    Ok(merged)
}

/// Computes something of so many series or streams: here if they are few.
pub(crate) async fn near<T: Send + 'static>(
    count: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    if count <= FEW { Ok(work()) } else { off_thread(work).await }
}

pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    runtime::blocking(work).await.map_err(|_| Error::internal("a query's work on another thread was lost"))
}

/// Each series' exemplars by time, each once.
pub(crate) fn exemplars(lists: Vec<Vec<ExemplarSeries>>) -> Vec<ExemplarSeries> {
    let mut all: BTreeMap<Labels, Vec<Exemplar>> = BTreeMap::new();
    for series in lists.into_iter().flatten() {
        all.entry(series.labels).or_default().extend(series.exemplars);
    }
    let finish = |(labels, mut exemplars): (Labels, Vec<Exemplar>)| {
        exemplars.sort_by(|a, b| {
            let by_value = || a.value.total_cmp(&b.value);
            a.timestamp.cmp(&b.timestamp).then_with(by_value).then_with(|| a.labels.cmp(&b.labels))
        });
        exemplars.dedup_by(|b, a| {
            (a.timestamp, a.value.to_bits()) == (b.timestamp, b.value.to_bits()) && a.labels == b.labels
        });
        ExemplarSeries { labels, exemplars }
    };
    all.into_iter().map(finish).collect()
}

/// Each metric's metadata, each once.
pub(crate) fn metadata(lists: Vec<Vec<MetricMetadata>>) -> Vec<MetricMetadata> {
    let mut all: BTreeMap<String, BTreeSet<Metadata>> = BTreeMap::new();
    for of in lists.into_iter().flatten() {
        all.entry(of.metric).or_default().extend(of.metadata);
    }
    let finish = |(metric, metadata): (String, BTreeSet<Metadata>)| MetricMetadata {
        metric,
        metadata: metadata.into_iter().collect(),
    };
    all.into_iter().map(finish).collect()
}
