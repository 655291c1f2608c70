//! Results of range queries that are kept, and what is computed anew of them.
//!
//! A dashboard asks the same again and again, each time for a range that has moved a little. What was
//! computed of the steps that both ranges have is right as long as no data has changed that they depend
//! on, and whoever has the data tells since when that is so. Recent data is no exception, nor is data
//! that comes late.

mod extent;
mod metrics;

pub use metrics::ResultMetrics;

use crate::params::Params;
use extent::{Extent, earliest_step};
use http::{HeaderMap, header};
use model::{Signal, TenantId, TimeRange};
use quick_cache::{OptionsBuilder, Weighter, sync::Cache};
use service_api::{Change, Changes, DataVersion, Heard, ReadContext, Result};
use std::sync::Arc;
use vectors::{Reach, Row, Rows, Steps};

/// What makes results the same but for their ranges.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub tenant: TenantId,
    pub signal: Signal,
    /// In normal form.
    pub expr: String,
    pub interval: i64,
    /// How far steps are behind multiples of the interval.
    pub phase: i64,
    /// Zero where the language knows none.
    pub lookback: i64,
    /// The last digits may be those of rollups.
    pub inexact: bool,
}

/// A range query whose result may be kept. Times are in the language's unit.
pub struct Question {
    pub key: Key,
    pub steps: Steps,
    pub reach: Reach,
    /// Units of time in a millisecond.
    pub per_milli: i64,
}

/// An answer that can be taken apart by steps.
pub trait Tabular: Sized {
    /// A row for each series, sorted by labels. None if more belongs to the answer, such as warnings,
    /// if two series look the same, or if it is larger than `max_bytes`.
    fn rows(&self, steps: Steps, max_bytes: usize) -> Option<Vec<Row>>;

    /// The answer for all steps, of which `computed` is the one for the last of them.
    fn of_rows(rows: Rows, steps: Steps, computed: Option<Self>) -> Self;
}

/// Keeps results in memory.
pub struct ResultCache {
    kept: Cache<Key, Arc<Extent>, Weight>,
    changes: Arc<dyn Changes>,
    metrics: ResultMetrics,
    /// What one result may take.
    max_bytes: usize,
}

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Arc<Extent>> for Weight {
    fn weight(&self, key: &Key, extent: &Arc<Extent>) -> u64 {
        (size_of::<Key>() + key.expr.len() + extent.bytes()) as u64
    }
}

/// A result takes at most this part of the memory for all.
const SHARE: u64 = 8;
/// About what a result takes, for the size of tables.
const TYPICAL_BYTES: u64 = 16 << 10;

impl ResultCache {
    /// None if there is no room for any result.
    pub fn new(bytes: u64, changes: Arc<dyn Changes>, metrics: ResultMetrics) -> Option<Self> {
        let max_bytes = usize::try_from(bytes / SHARE).unwrap_or(usize::MAX);
        let items = usize::try_from(bytes / TYPICAL_BYTES).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        // A shard has its part of the room, and the largest result has to fit into one.
        let options = OptionsBuilder::new()
            .estimated_items_capacity(items)
            .weight_capacity(bytes)
            .shards(SHARE as usize)
            .build()
            .ok()?;
        let kept = Cache::with_options(options, Weight, Default::default(), Default::default());
        (max_bytes > 0).then_some(Self { kept, changes, metrics, max_bytes })
    }

    /// Answers with what is kept and still right, and with what `evaluate` computes from a step on to the
    /// last one.
    pub async fn answer<T: Tabular, F: Future<Output = Result<T>> + Send>(
        &self,
        ctx: &ReadContext,
        question: &Question,
        evaluate: impl Fn(ReadContext, i64) -> F,
    ) -> Result<T> {
        let Question { key, steps, reach, .. } = question;
        let (start, kept) = (steps.start, self.kept.get(key));
        let nothing = DataVersion::default();
        let since = kept.as_ref().map_or(&nothing, |extent| &extent.version);
        // Before anything is read: what comes in between is then told as a change the next time.
        let change = match self.changes.changes(ctx, key.signal, question.range(), since).await {
            Ok(change) => change,
            // Whoever cannot be asked what has changed may still be able to answer.
            Err(error) => {
                tracing::debug!(%error, "what has changed is not known, so no kept result is used");
                self.metrics.misses.inc();
                return evaluate(ctx.clone(), start).await;
            }
        };
        let Change { earliest, version, counted } = change;
        let right = kept.as_ref().map_or(0, |extent| {
            extent.usable(*steps, earliest.map(|time| earliest_step(time, *reach, question.per_milli)))
        });
        if let Some(extent) = kept.as_ref().filter(|_| right == steps.count) {
            self.metrics.hits.inc();
            return Ok(T::of_rows(extent.splice(*steps, right, Vec::new(), ctx)?, *steps, None));
        }
        let heard = Arc::new(Heard::default());
        let listening = ReadContext { heard: Some(Arc::clone(&heard)), ..ctx.clone() };
        // One step alone would be evaluated as an instant query.
        let right = right.min(steps.count.saturating_sub(2));
        if let Some(extent) = kept.filter(|_| right > 0) {
            let rest = Steps { start: steps.time(right), count: steps.count - right, ..*steps };
            let computed = evaluate(listening, rest.start).await?;
            // What is said of a part of the steps may have to be said of others, too. And a rest that is too
            // large to be kept is too large to be held twice.
            let rows = computed.rows(rest, self.max_bytes);
            let Some(rows) = rows.and_then(|rows| extent.splice(*steps, right, rows, ctx).ok()) else {
                drop(computed);
                self.kept.remove(key);
                self.metrics.misses.inc();
                return evaluate(ctx.clone(), start).await;
            };
            self.metrics.partial_hits.inc();
            // Of the others nobody has told that the steps that were kept are right.
            let told = |id: &str| heard.always(id) && counted.iter().any(|counted| **counted == *id);
            self.keep(question, &rows.rows, version.clone().only(told));
            return Ok(T::of_rows(rows, *steps, Some(computed)));
        }
        self.metrics.misses.inc();
        let computed = evaluate(listening, start).await?;
        if let Some(rows) = computed.rows(*steps, self.max_bytes) {
            self.insert(question, Extent::new(*steps, rows, version.only(|id| heard.always(id))));
        }
        Ok(computed)
    }

    fn keep(&self, question: &Question, rows: &[Row], version: DataVersion) {
        if rows.iter().map(Row::bytes).sum::<usize>() <= self.max_bytes {
            self.insert(question, Extent::new(question.steps, rows.to_vec(), version));
        }
    }

    fn insert(&self, question: &Question, extent: Extent) {
        if extent.bytes() <= self.max_bytes {
            self.kept.insert(question.key.clone(), Arc::new(extent));
            self.metrics.bytes.set(self.kept.weight() as i64);
        }
    }
}

impl Question {
    /// When the data is that the result depends on.
    fn range(&self) -> TimeRange {
        let start = self.steps.start.saturating_sub(self.reach.back);
        let end = self.steps.last_time().saturating_add(self.reach.ahead);
        TimeRange::new(start.div_euclid(self.per_milli), end.div_euclid(self.per_milli))
    }
}

/// Whether a request wants its result computed, whatever is kept.
pub fn is_unwanted(headers: &HeaderMap, params: &Params) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = values.flat_map(|value| value.split(','));
    params.get("nocache") == "1"
        || directives.any(|directive| directive.trim().eq_ignore_ascii_case("no-store"))
}

#[cfg(test)]
mod tests;
