//! Expressions that are evaluated by queriers.

use async_trait::async_trait;
use model::{Labels, Matcher, NANOS_A_MILLI, Sample, Signal, TenantId, TimeRange, Timestamp};
use rules::{Answer, Expression, Queries};
use service_api::{Code, Error, LimitsSource, ReadContext, Result, RuleLanguage};
use std::sync::Arc;
use vectors::{Evaluate, Steps, Stretch};

/// Has a querier evaluate, and evaluates here what no querier can: answers that are no table of floats, and what
/// comes while no querier is there.
pub struct Remote {
    pub queriers: Arc<dyn Evaluate>,
    pub here: Arc<dyn Queries>,
    pub limits: Arc<dyn LimitsSource>,
    /// Of PromQL, in milliseconds.
    pub lookback: i64,
}

#[async_trait]
impl Queries for Remote {
    async fn instant(&self, tenant: &TenantId, expr: &Expression, at: Timestamp) -> Result<Answer> {
        let (signal, time, lookback) = match expr.lang() {
            RuleLanguage::Promql => (Signal::Metrics, at, self.lookback),
            RuleLanguage::Logql => (Signal::Logs, at.saturating_mul(NANOS_A_MILLI), 0),
        };
        let stretch =
            Stretch { signal, query: expr.text().to_owned(), steps: Steps::range(time, time, 1), lookback };
        let limits = self.limits.limits(tenant);
        let ctx = ReadContext::within(tenant.clone(), &limits);
        let _ends = ctx.cancel.clone().drop_guard();
        let _deadline = ctx.end_after(limits.query_timeout());
        let answer = tokio::select! {
            answer = self.queriers.evaluate(&ctx, &stretch) => answer,
            () = ctx.cancel.cancelled() => return Err(timed_out()),
        };
        let table = match answer {
            Ok(Some(table)) => table,
            Err(error) if error.code != Code::Unavailable => return Err(error),
            _ => return self.here.instant(tenant, expr, at).await,
        };
        let rows = table.rows.rows.into_iter();
        let samples = rows.filter_map(|row| {
            let value = *row.values.first()?;
            (!vectors::is_absent(value)).then_some((row.labels, vectors::Sample::Float(value)))
        });
        Ok(Answer { samples: samples.collect(), warnings: table.warnings })
    }

    async fn last(
        &self,
        tenant: &TenantId,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<(Labels, Sample)>> {
        self.here.last(tenant, matchers, range).await
    }
}

fn timed_out() -> Error {
    Error::new(Code::Timeout, "the rule's query took longer than limits.query_timeout allows")
}
