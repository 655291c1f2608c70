//! The ingester as its callers see it: appends, reads, restarts.

mod changes;
mod cluster;
mod logs;
mod races;

use super::*;
use crate::{
    fs::{
        RealFs,
        sim::{Fault, SimFs},
    },
    test_support::{self, World, batch, ctx, head_rows, labels, tenant},
};
use model::{Matcher, Metadata, MetricType, Signal, TimeRange};
use service_api::{
    LabelQuery, LabelsReader, Limits, MetadataEntry, MetricsReader, ReadContext, RejectReason, SelectRequest,
    Wanted,
};

struct Setup {
    dir: tempfile::TempDir,
    world: World,
}

impl Setup {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), world: World::new(Arc::new(RealFs)) }
    }

    fn start(&self) -> Arc<Ingester> {
        self.world.start_in(self.dir.path())
    }
}

async fn append(ingester: &Ingester, series: &[(&str, &[(i64, f64)])]) -> AppendOutcome {
    test_support::append(ingester, series).await.unwrap()
}

#[tokio::test]
async fn what_is_appended_is_read_and_is_still_there_after_a_restart() {
    let setup = Setup::new();
    let ingester = setup.start();
    let outcome = append(&ingester, &[("a=1", &[(1000, 1.0), (2000, 2.5)]), ("a=2", &[(1000, 3.0)])]).await;
    assert_eq!((outcome.pushed.samples, outcome.pushed.rejected), (3, 0));
    append(&ingester, &[("a=1", &[(3000, 4.0)])]).await;
    let expected = vec![
        (r#"{a="1"}"#.to_owned(), vec![(1000, 1.0), (2000, 2.5), (3000, 4.0)]),
        (r#"{a="2"}"#.to_owned(), vec![(1000, 3.0)]),
    ];
    assert_eq!(head_rows(&ingester, vec![]).await, expected);
    drop(ingester);
    let ingester = setup.start();
    assert_eq!(head_rows(&ingester, vec![]).await, expected);
    assert_eq!(head_rows(&ingester, vec![Matcher::equal("a", "2")]).await, expected[1..]);
}

#[tokio::test]
async fn refused_entries_are_named_and_stay_away_after_a_restart() {
    let mut setup = Setup::new();
    setup.world.limits = Limits { out_of_order_window: 10, max_series: 1, ..Limits::default() };
    let ingester = setup.start();
    append(&ingester, &[("a=1", &[(100_000, 1.0)])]).await;
    let outcome =
        append(&ingester, &[("a=1", &[(100_000, 2.0), (89_999, 1.0), (90_000, 1.0), (100_000, 1.0)])]).await;
    assert_eq!((outcome.pushed.samples, outcome.pushed.rejected), (2, 2));
    let mut reasons: Vec<_> = outcome
        .pushed
        .rejections
        .iter()
        .map(|r| (r.reason.clone(), r.labels.to_string(), r.timestamp))
        .collect();
    reasons.sort_by_key(|r| r.2);
    let name = || r#"{a="1"}"#.to_owned();
    assert_eq!(reasons[0], (RejectReason::TooOld, name(), Some(89_999)));
    assert_eq!(reasons[1], (RejectReason::Duplicate, name(), Some(100_000)));
    let outcome = append(&ingester, &[("b=1", &[(100_000, 2.0)])]).await;
    assert_eq!(outcome.pushed.rejections[0].reason, RejectReason::SeriesLimit(1));
    assert_eq!(outcome.pushed.rejected, 1);
    let expected = vec![(name(), vec![(90_000, 1.0), (100_000, 1.0)])];
    assert_eq!(head_rows(&ingester, vec![]).await, expected);
    drop(ingester);
    assert_eq!(head_rows(&setup.start(), vec![]).await, expected);
}

#[tokio::test]
async fn names_values_series_and_metadata_are_listed() {
    let setup = Setup::new();
    let ingester = setup.start();
    append(&ingester, &[("a=1,b=x", &[(1000, 1.0)]), ("a=2", &[(2000, 1.0)])]).await;
    let ctx = ctx();
    let all = LabelQuery { signal: Signal::Metrics, matcher_sets: vec![], range: TimeRange::ALL };
    let some = LabelQuery {
        signal: Signal::Metrics,
        matcher_sets: vec![vec![Matcher::equal("a", "2")]],
        range: TimeRange::ALL,
    };
    let early =
        LabelQuery { signal: Signal::Metrics, matcher_sets: vec![vec![]], range: TimeRange::new(0, 1500) };
    assert_eq!(ingester.label_names(&ctx, &all).await.unwrap().value, ["a", "b"]);
    assert_eq!(ingester.label_names(&ctx, &some).await.unwrap().value, ["a"]);
    assert_eq!(ingester.label_values(&ctx, "a", &all).await.unwrap().value, ["1", "2"]);
    assert_eq!(ingester.label_values(&ctx, "a", &early).await.unwrap().value, ["1"]);
    assert_eq!(ingester.series(&ctx, &some).await.unwrap().value, [labels("a=2")]);

    let (mut batch, _) = batch(&[]);
    let metadata = Metadata { metric_type: MetricType::Counter, help: "h".into(), unit: "s".into() };
    let entry = MetadataEntry { metric: "up".into(), metadata: metadata.clone() };
    batch.metadata.push(entry);
    ingester.append(&tenant(), Arc::new(batch), Wanted::All).await.unwrap();
    drop(ingester);
    let listed = setup.start().metadata(&ctx, None).await.unwrap();
    assert_eq!((listed.len(), &listed[0].metadata), (1, &vec![metadata]));
}

#[tokio::test]
async fn one_tenant_does_not_see_another_and_a_query_keeps_to_its_bounds() {
    let setup = Setup::new();
    let ingester = setup.start();
    append(&ingester, &[("a=1", &[(1000, 1.0)])]).await;
    let request = SelectRequest { matchers: vec![], range: TimeRange::ALL };
    let other = ReadContext::new(TenantId::new("other").unwrap(), 1 << 30);
    assert!(ingester.select(&other, &request).await.unwrap().series.is_empty());
    let poor = ReadContext::new(tenant(), 10);
    assert_eq!(ingester.select(&poor, &request).await.err().unwrap().code, service_api::Code::Unprocessable);
    let gone = ReadContext::new(tenant(), 1 << 30);
    gone.cancel.cancel();
    assert_eq!(ingester.select(&gone, &request).await.err().unwrap().code, service_api::Code::Canceled);
}

#[tokio::test]
async fn a_full_disk_refuses_and_what_was_taken_before_and_after_survives() {
    let fs = SimFs::new(7);
    let mut world = World::new(Arc::new(fs.clone()));
    world.config.wal.segment_size = 16 << 10;
    let ingester = world.start();
    append(&ingester, &[("a=1", &[(1000, 1.0)])]).await;
    fs.set_capacity(fs.used());
    let (mut taken, mut refused) = (vec![(1000, 1.0)], 0);
    for t in 2..400 {
        let sample = (t * 1000, t as f64);
        // A series that fills the disk, and apart from it, so that it is all taken or all refused, the one to check.
        let _ = test_support::append(&ingester, &[(&format!("b={t}"), &[sample])]).await;
        match test_support::append(&ingester, &[("a=1", &[sample])]).await {
            Ok(_) => taken.push(sample),
            Err(error) => {
                assert_eq!(error.code, service_api::Code::Unavailable, "{error}");
                refused += 1;
                if refused == 3 {
                    fs.set_capacity(u64::MAX);
                    // The log tries again by itself before long.
                    world.clock.advance(Duration::from_secs(10));
                }
            }
        }
    }
    assert!(refused >= 3, "the disk was never full");
    assert!(taken.last().unwrap().0 > 300_000, "the log did not recover: {taken:?}");
    let of_a = || vec![Matcher::equal("a", "1")];
    assert_eq!(head_rows(&ingester, of_a()).await, [(r#"{a="1"}"#.to_owned(), taken.clone())]);
    fs.crash();
    drop(ingester);
    assert_eq!(head_rows(&world.start(), of_a()).await, [(r#"{a="1"}"#.to_owned(), taken)]);
}

#[tokio::test]
async fn a_failing_sync_is_no_success_and_stops_the_service() {
    let fs = SimFs::new(7);
    let world = World::new(Arc::new(fs.clone()));
    let ingester = world.start();
    append(&ingester, &[("a=1", &[(1000, 1.0)])]).await;
    let running = tokio::spawn(Arc::clone(&ingester).run(CancellationToken::new()));
    let mut failed = false;
    for t in 2..50 {
        fs.fail_in(1, Fault::Io);
        failed |= test_support::append(&ingester, &[("a=1", &[(t * 1000, 1.0)])]).await.is_err();
        if failed {
            break;
        }
    }
    assert!(failed);
    assert!(running.await.unwrap().is_err());
    let error = test_support::append(&ingester, &[("a=1", &[(99_000, 1.0)])]).await.unwrap_err();
    assert_eq!(error.code, service_api::Code::Unavailable);
}

#[tokio::test]
async fn draining_flushes_when_asked_and_keeps_what_was_taken() {
    let fs = SimFs::new(7);
    let mut world = World::new(Arc::new(fs.clone()));
    world.config.flush_on_shutdown = true;
    let ingester = world.start();
    append(&ingester, &[("a=1", &[(1000, 1.0)])]).await;
    let drain = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&ingester).run(drain.clone()));
    drain.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(world.blocks().await, 1);
    assert_eq!(world.read(&ingester).await, [(r#"{a="1"}"#.to_owned(), vec![(1000, 1.0)])]);
    assert!(test_support::append(&ingester, &[("a=1", &[(2000, 1.0)])]).await.is_err());
}

#[tokio::test]
async fn a_request_that_a_replay_would_not_read_is_refused() {
    let fs = SimFs::new(7);
    let world = World::new(Arc::new(fs));
    let ingester = world.start();
    let samples = vec![(0, 0.0); record::MAX_SAMPLES + 1];
    let error = test_support::append(&ingester, &[("a=1", &samples)]).await.unwrap_err();
    assert_eq!(error.code, Code::TooLarge);
}

#[tokio::test]
async fn what_a_full_disk_refused_does_not_make_older_samples_late() {
    let fs = SimFs::new(7);
    let mut world = World::new(Arc::new(fs.clone()));
    world.config.wal.segment_size = 16 << 10;
    world.limits.out_of_order_window = 0;
    let ingester = world.start();
    append(&ingester, &[("b=1", &[(1000, 1.0)])]).await;
    fs.set_capacity(fs.used());
    // Longer than what is left of the segment, which therefore has to grow when it is written.
    let long = format!("a={}", "x".repeat(20 << 10));
    for t in [3000, 4000] {
        test_support::append(&ingester, &[(&long, &[(t, 1.0)])]).await.unwrap_err();
    }
    fs.set_capacity(u64::MAX);
    world.clock.advance(Duration::from_secs(10));
    for (t, taken) in [(2000, 1), (3000, 1), (2500, 0)] {
        let outcome = append(&ingester, &[(&long, &[(t, 1.0)])]).await;
        assert_eq!((outcome.pushed.samples, outcome.pushed.rejected), (taken, 1 - taken), "at {t}");
    }
}

#[tokio::test]
async fn a_bucket_that_hangs_does_not_hold_up_the_end() {
    let fs = SimFs::new(7);
    let mut world = World::new(Arc::new(fs.clone()));
    world.config.flush_interval = 1;
    world.config.block_duration = 60;
    let ingester = world.start();
    append(&ingester, &[("a=1", &[(10_000, 1.0), (70_000, 2.0), (100_000_000, 3.0)])]).await;
    world.store.hang();
    let drain = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&ingester).run(drain.clone()));
    while !world.store.hanging() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drain.cancel();
    tokio::time::timeout(Duration::from_secs(10), running).await.unwrap().unwrap().unwrap();
    drop(ingester);
    fs.crash();
    let rows = head_rows(&world.start(), vec![]).await;
    assert_eq!(rows, [(r#"{a="1"}"#.to_owned(), vec![(10_000, 1.0), (70_000, 2.0), (100_000_000, 3.0)])]);
}

#[tokio::test]
async fn the_time_of_the_last_flush_stands_still_while_flushes_fail() {
    let world = World::new(Arc::new(SimFs::new(7)));
    let ingester = world.start();
    let started = world.clock.now_ms() as f64 / 1000.0;
    let last = || ingester.traces.metrics.last_flush.get();
    append(&ingester, &[("a=1", &[(1000, 1.0)])]).await;
    world.clock.advance(Duration::from_secs(60));
    world.store.fail_after(0, false);
    ingester.flush(Which::All).await.unwrap_err();
    assert_eq!(last(), started);
    world.store.heal();
    ingester.flush(Which::All).await.unwrap();
    assert_eq!(last(), started + 60.0);
}
