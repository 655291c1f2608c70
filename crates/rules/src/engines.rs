//! Queries of rules, answered by the engines of both languages.

use crate::{Answer, Expression, Queries};
use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt};
use logql::engine::{Data, Direction};
use model::{Labels, Matcher, Sample, TenantId, TimeRange, Timestamp};
use promql::engine::Value;
use runtime::Clock;
use service_api::{
    Code, Error, LimitsSource, LogsReader, MetricsReader, ReadContext, Result, SampleBuffer, SelectRequest,
    SeriesSet,
};
use std::sync::Arc;

/// Series that one look at an earlier run may give: all alerts of a tenant that have names of the group's.
const MOST_SELECTED: usize = 1_000_000;

const NANOS_PER_MS: i64 = 1_000_000;

/// Both engines with what they read, within the tenants' limits for queries.
pub struct Engines {
    pub promql: Arc<promql::Engine>,
    pub logql: Arc<logql::Engine>,
    pub metrics: Arc<dyn MetricsReader>,
    pub logs: Arc<dyn LogsReader>,
    pub limits: Arc<dyn LimitsSource>,
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl Queries for Engines {
    async fn instant(&self, tenant: &TenantId, expr: &Expression, at: Timestamp) -> Result<Answer> {
        self.within_limits(tenant, |ctx| match expr {
            Expression::Promql { text, expr } => self.promql(ctx, text, expr, at).boxed(),
            Expression::Logql { expr, .. } => self.logql(ctx, expr, at).boxed(),
        })
        .await
    }

    async fn last(
        &self,
        tenant: &TenantId,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<(Labels, Sample)>> {
        let request = SelectRequest { matchers: matchers.to_vec(), range };
        let selected = self.within_limits(tenant, |ctx| {
            async move {
                let set = self.metrics.select(&ctx, &request).await?;
                let decoding = runtime::blocking(move || decode(&ctx, set, range));
                decoding.await.map_err(|e| Error::internal(format!("selected series were lost: {e}")))?
            }
            .boxed()
        });
        selected.await
    }
}

impl Engines {
    /// Does `work` with the memory that a query of the tenant's may have, until a query's timeout.
    async fn within_limits<'a, T>(
        &'a self,
        tenant: &TenantId,
        work: impl FnOnce(ReadContext) -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Result<T> {
        let limits = self.limits.limits(tenant);
        let ctx = ReadContext::within(tenant.clone(), &limits);
        let _cancel = ctx.cancel.clone().drop_guard();
        let _deadline = ctx.end_after(limits.query_timeout());
        let cancelled = ctx.cancel.clone();
        tokio::select! {
            biased;
            answer = work(ctx) => answer,
            () = cancelled.cancelled() => Err(Error::new(
                Code::Timeout,
                "the rule's query took longer than limits.query_timeout allows",
            )),
        }
    }

    async fn promql(
        &self,
        ctx: ReadContext,
        text: &str,
        expr: &promql::ast::Expr,
        at: Timestamp,
    ) -> Result<Answer> {
        let query = promql::engine::Query {
            now: Some(self.clock.now_ms()),
            ..promql::engine::Query::new(text, expr)
        };
        let found = self.promql.instant(&ctx, &*self.metrics, query, at).await?;
        let samples = match found.value {
            Value::Vector { samples, .. } => samples,
            Value::Scalar { value, .. } => vec![(Labels::empty(), vectors::Sample::Float(value))],
            Value::String { .. } | Value::Matrix(_) => return Err(no_vector()),
        };
        Ok(Answer { samples, warnings: found.warnings })
    }

    async fn logql(&self, ctx: ReadContext, expr: &logql::ast::MetricExpr, at: Timestamp) -> Result<Answer> {
        let time = at.checked_mul(NANOS_PER_MS).ok_or_else(|| {
            Error::bad_request("a rule over log lines cannot be evaluated so far away in time")
        })?;
        let query = logql::engine::Query {
            expr: logql::ast::Expr::Metric(expr.clone()),
            start: time,
            end: time,
            step: 0,
            direction: Direction::Forward,
            limit: 0,
            interval: 0,
        };
        let found = self.logql.query(&ctx, Arc::clone(&self.logs), query).await?;
        let samples = match found.data {
            Data::Vector(samples) => samples
                .into_iter()
                .map(|sample| (sample.labels, vectors::Sample::Float(sample.value)))
                .collect(),
            Data::Scalar { value, .. } => vec![(Labels::empty(), vectors::Sample::Float(value))],
            Data::Streams(_) | Data::Matrix(_) => return Err(no_vector()),
        };
        Ok(Answer { samples, warnings: found.warnings })
    }
}

fn no_vector() -> Error {
    Error::internal("a rule's query did not answer with an instant vector")
}

fn decode(ctx: &ReadContext, set: SeriesSet, range: TimeRange) -> Result<Vec<(Labels, Sample)>> {
    let mut buffer = SampleBuffer::default();
    let mut selected = Vec::with_capacity(set.series.len());
    for series in set.series {
        ctx.check()?;
        buffer.clear();
        series.data.read(range, &mut buffer)?;
        if selected.len() == MOST_SELECTED {
            return Err(Error::unprocessable(format!(
                "the earlier state of a group's alerts has more than {MOST_SELECTED} series"
            )));
        }
        if let (Some(&timestamp), Some(&value)) = (buffer.timestamps.last(), buffer.values.last()) {
            selected.push((series.labels, Sample { timestamp, value }));
        }
    }
    Ok(selected)
}

#[cfg(test)]
mod tests;
