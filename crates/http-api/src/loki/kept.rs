//! LogQL's range queries for numbers, with what is kept of their results.

use crate::{
    results::{Key, Question, Tabular},
    state::Deps,
};
use logql::{
    ast::Expr,
    engine::{Answer, Data, Engine, Query},
};
use model::{NANOS_A_MILLI, Signal};
use service_api::{ReadContext, Result};
use std::sync::Arc;
use vectors::{Row, Rows, Steps, Stretch};

/// `keeps`: a kept result may be used, and this one be kept.
pub async fn query(deps: &Deps, ctx: &ReadContext, query: Query, keeps: bool) -> Result<Answer> {
    let evaluate = |ctx: ReadContext, query: Query| async move {
        match spread(deps, &ctx, &query).await? {
            Some(answer) => Ok(answer),
            None => deps.log_engine.query(&ctx, Arc::clone(&deps.logs), query).await,
        }
    };
    match (&deps.results, question(ctx, &query)) {
        (Some(results), Some(question)) if keeps => {
            let from = |ctx, start| evaluate(ctx, Query { start, ..query.clone() });
            results.answer(ctx, &question, from).await
        }
        _ => evaluate(ctx.clone(), query).await,
    }
}

/// None if the query is to be evaluated here.
async fn spread(deps: &Deps, ctx: &ReadContext, query: &Query) -> Result<Option<Answer>> {
    let steps = Steps::range(query.start, query.end, query.step);
    let is_range = matches!(query.expr, Expr::Metric(_)) && query.step >= NANOS_A_MILLI && steps.count >= 2;
    let Some(spread) = deps.spread.as_ref().filter(|_| is_range) else { return Ok(None) };
    let stretch = Stretch { signal: Signal::Logs, query: logql::pretty(&query.expr), steps, lookback: 0 };
    let table = spread.evaluate(ctx, &stretch).await?;
    Ok(table.map(|table| Answer::of_table(table, steps)))
}

/// None if the result is not to be kept. Steps less than a millisecond apart cannot be told apart in it.
fn question(ctx: &ReadContext, query: &Query) -> Option<Question> {
    if query.step < NANOS_A_MILLI || !ctx.also.is_empty() {
        return None;
    }
    let steps = Steps::range(query.start, query.end, query.step);
    let reach = Engine::reach(&query.expr).filter(|_| steps.count >= 2)?;
    let key = Key {
        tenant: ctx.tenant.clone(),
        signal: Signal::Logs,
        expr: logql::pretty(&query.expr),
        interval: query.step,
        phase: steps.start.rem_euclid(query.step),
        lookback: 0,
        inexact: false,
    };
    Some(Question { key, steps, reach, per_milli: NANOS_A_MILLI })
}

impl Tabular for Answer {
    fn rows(&self, steps: Steps, max_bytes: usize) -> Option<Vec<Row>> {
        let Data::Matrix(series) = &self.data else { return None };
        if !self.warnings.is_empty() || series.windows(2).any(|pair| pair[0].labels == pair[1].labels) {
            return None;
        }
        let bytes = series.iter().map(|series| vectors::row_bytes(&series.labels, steps.count));
        (bytes.fold(0, usize::saturating_add) <= max_bytes)
            .then(|| series.iter().map(|series| series.row(steps)).collect())
    }

    fn of_rows(rows: Rows, steps: Steps, computed: Option<Self>) -> Self {
        let data = Data::of_rows(rows, steps);
        let mut stats = computed.map(|computed| computed.stats).unwrap_or_default();
        stats.entries = data.entries() as u64;
        Self { data, stats, warnings: Vec::new() }
    }
}
