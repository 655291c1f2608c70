//! PromQL's range queries, with what is kept of their results.

use super::Times;
use crate::{
    results::{Key, Question, Tabular},
    state::Deps,
};
use model::Signal;
use promql::Downsampling;
use promql::engine::{Engine, Query, QueryResult, Value};
use service_api::{ReadContext, Result};
use vectors::{Row, Rows, Steps, Stretch};

/// `keeps`: a kept result may be used, and this one be kept.
pub async fn range(
    deps: &Deps,
    engine: &Engine,
    ctx: &ReadContext,
    query: Query<'_>,
    (times, step): (&Times, i64),
    keeps: bool,
) -> Result<QueryResult> {
    let evaluate = |ctx: ReadContext, start: i64| async move {
        match spread(deps, engine, &ctx, query, Steps::range(start, times.end, step)).await? {
            Some(result) => Ok(result),
            None => engine.range(&ctx, &*deps.reader, query, start, times.end, step).await,
        }
    };
    match (&deps.results, question(engine, ctx, query, times, step)) {
        (Some(results), Some(question)) if keeps => results.answer(ctx, &question, evaluate).await,
        _ => evaluate(ctx.clone(), times.start).await,
    }
}

/// None if the query is to be evaluated here, as is one that is watched, or one that reads rollups otherwise than
/// others do: a stretch does not say so.
async fn spread(
    deps: &Deps,
    engine: &Engine,
    ctx: &ReadContext,
    query: Query<'_>,
    steps: Steps,
) -> Result<Option<QueryResult>> {
    let is_usual = engine.config().downsampling == deps.engine.config().downsampling;
    let may_spread = query.observe.is_none() && is_usual && steps.count >= 2;
    let Some(spread) = deps.spread.as_ref().filter(|_| may_spread) else {
        return Ok(None);
    };
    let lookback = engine.config().lookback_ms;
    let stretch = Stretch { signal: Signal::Metrics, query: query.text.to_owned(), steps, lookback };
    let table = spread.evaluate(ctx, &stretch).await?;
    Ok(table.map(|table| QueryResult::of_table(table, &steps)))
}

/// None if the result is not to be kept.
fn question(
    engine: &Engine,
    ctx: &ReadContext,
    query: Query<'_>,
    times: &Times,
    interval: i64,
) -> Option<Question> {
    let steps = Steps::range(times.start, times.end, interval);
    if steps.count < 2 || !ctx.also.is_empty() {
        return None;
    }
    let reach = engine.reach(query.expr)?;
    let key = Key {
        tenant: ctx.tenant.clone(),
        signal: Signal::Metrics,
        expr: promql::pretty(query.expr),
        interval,
        phase: steps.start.rem_euclid(interval),
        lookback: engine.config().lookback_ms,
        inexact: engine.config().downsampling == Downsampling::Allowed,
    };
    Some(Question { key, steps, reach, per_milli: 1 })
}

impl Tabular for QueryResult {
    fn rows(&self, _: Steps, max_bytes: usize) -> Option<Vec<Row>> {
        let Value::Matrix(series) = &self.value else { return None };
        if !self.warnings.is_empty()
            || !self.infos.is_empty()
            || series.windows(2).any(|pair| pair[0].labels == pair[1].labels)
        {
            return None;
        }
        let mut left = max_bytes;
        let row = |series: &promql::engine::MatrixSeries| {
            let values = series.values()?;
            left = left.checked_sub(vectors::row_bytes(&series.labels, values.len()))?;
            Some(Row::floats(series.labels.clone(), values.to_vec()))
        };
        series.iter().map(row).collect()
    }

    fn of_rows(rows: Rows, steps: Steps, computed: Option<Self>) -> Self {
        let statistics = computed.map(|computed| computed.statistics).unwrap_or_default();
        let value = Value::of_rows(rows, &steps);
        Self { value, warnings: Vec::new(), infos: Vec::new(), statistics, observed: None }
    }
}
