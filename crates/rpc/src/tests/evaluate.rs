//! Stretches of queries that a peer evaluates.

use super::{
    fake::{Fake, labels},
    net::{ADDRESS, Net, Settings},
};
use async_trait::async_trait;
use model::{Signal, TenantId};
use service_api::{Code, Error, Heard, ReadContext, Result};
use std::sync::Arc;
use vectors::{Evaluate, Row, Rows, Steps, Stretch, Table, absent, is_absent};

#[async_trait]
impl Evaluate for Fake {
    async fn evaluate(&self, ctx: &ReadContext, stretch: &Stretch) -> Result<Option<Table>> {
        if let Some(heard) = &ctx.heard {
            heard.from(["a", "c"].into_iter().map(Into::into));
        }
        *self.asked.lock() = Some(Box::new(stretch.clone()));
        *self.context.lock() = Some(ctx.clone());
        let error = self.error.lock().clone();
        error.map_or(Ok(()), Err)?;
        let rows = (0..stretch.steps.interval as usize).map(|n| {
            let mut values = vec![n as f64; stretch.steps.count];
            values[1] = absent();
            Row::floats(labels(n), values)
        });
        let rows = Rows { rows: rows.collect(), held: vec![ctx.budget.reserve(9)?] };
        let (warnings, infos) = (vec!["a warning".to_owned()], vec!["an info".to_owned()]);
        let table = Table { rows, warnings, infos, counts: vec![7, u64::MAX] };
        Ok((stretch.query != "unfit").then_some(table))
    }
}

fn context() -> ReadContext {
    ReadContext::new(TenantId::new("team-1").unwrap(), 1 << 30)
}

fn stretch(query: &str, rows: i64) -> Stretch {
    let steps = Steps { start: -5, interval: rows, count: 100 };
    Stretch { signal: Signal::Logs, query: query.to_owned(), steps, lookback: 3 }
}

#[tokio::test]
async fn a_table_comes_in_as_many_messages_as_it_takes() {
    let net = Net::new(Settings::default());
    let (ctx, evaluator) = (context(), net.pool.evaluator(ADDRESS));
    for rows in [1, 5_000] {
        let asked = stretch("sum(x)", rows);
        let table = evaluator.evaluate(&ctx, &asked).await.unwrap().unwrap();
        assert_eq!(net.fake.was_asked::<Stretch>(), asked);
        assert_eq!((table.warnings, table.infos), (vec!["a warning".to_owned()], vec!["an info".to_owned()]));
        assert_eq!((table.counts, table.rows.rows.len()), (vec![7, u64::MAX], rows as usize));
        for (n, row) in table.rows.rows.iter().enumerate() {
            assert_eq!((&row.labels, row.values[0], row.values[99]), (&labels(n), n as f64, n as f64));
            assert!(is_absent(row.values[1]) && row.values.len() == 100);
        }
        assert!(ctx.budget.used() > rows as u64 * 800, "{}", ctx.budget.used());
    }
    assert_eq!(ctx.budget.used(), 0);
    let poor = ReadContext::new(ctx.tenant.clone(), 10_000);
    let error = evaluator.evaluate(&poor, &stretch("sum(x)", 5_000)).await.err().unwrap();
    assert_eq!(error.code, Code::Unprocessable);
}

#[tokio::test]
async fn what_is_no_table_and_what_is_an_error_are_told_apart() {
    let net = Net::new(Settings::default());
    let (ctx, evaluator) = (context(), net.pool.evaluator(ADDRESS));
    assert!(evaluator.evaluate(&ctx, &stretch("unfit", 3)).await.unwrap().is_none());
    *net.fake.error.lock() = Some(Error::unprocessable("too much"));
    let error = evaluator.evaluate(&ctx, &stretch("sum(x)", 3)).await.err().unwrap();
    assert_eq!((error.code, &*error.message), (Code::Unprocessable, "too much"));
    *net.fake.error.lock() = None;
    for steps in [
        Steps { start: 0, interval: 1, count: 1 },
        Steps { start: i64::MAX, interval: 1, count: 2 },
        Steps { start: 0, interval: i64::MAX, count: usize::MAX },
    ] {
        let error = evaluator.evaluate(&ctx, &stretch("sum(x)", 1).over(steps)).await.err().unwrap();
        assert_eq!(error.code, Code::BadRequest, "{steps:?}");
    }
}

#[tokio::test]
async fn whoever_wants_to_know_is_told_who_was_heard() {
    let net = Net::new(Settings::default());
    let evaluator = net.pool.evaluator(ADDRESS);
    let heard = Arc::new(Heard::default());
    let ctx = ReadContext { heard: Some(Arc::clone(&heard)), ..context() };
    heard.from(["a", "b"].into_iter().map(Into::into));
    evaluator.evaluate(&ctx, &stretch("sum(x)", 1)).await.unwrap();
    assert_eq!(["a", "b", "c"].map(|id| heard.always(id)), [true, false, false]);
}

#[tokio::test]
async fn a_stretch_is_evaluated_with_no_older_list_of_blocks_than_is_known_where_it_is_from() {
    let net = Net::new(Settings::default());
    let (ctx, evaluator) = (context(), net.pool.evaluator(ADDRESS));
    ctx.listed.raise(Signal::Logs, 7);
    ctx.listed.raise(Signal::Metrics, 9);
    evaluator.evaluate(&ctx, &stretch("sum(x)", 1)).await.unwrap();
    let theirs = net.fake.context.lock().take().unwrap().listed;
    assert_eq!(
        Signal::ALL.map(|signal| theirs.get(signal)),
        Signal::ALL.map(|s| if s == Signal::Logs { 7 } else { 0 })
    );
}
