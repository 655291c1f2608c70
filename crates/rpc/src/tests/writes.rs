//! Appends, tails, health; peers that hang, break or refuse.

use super::net::{ADDRESS, Net, Settings, connector, pool};
use crate::{PoolConfig, ServerConfig, status};
use model::{Labels, MatchOp, Matcher, Sample, TenantId};
use service_api::{
    AppendOutcome, BatchSeries, BatchStream, Code, Error, Ingest, IngestLogs, LabelSource, LogBatch,
    LogEntry, LogsTail, PushOutcome, Refused, Result, SeriesKey, TailItem, TailedEntry, TailedStream,
    TextSpan, Wanted, WriteBatch,
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

struct Unnamed;

impl LabelSource for Unnamed {
    fn pairs(&self, _: usize, _: &mut dyn FnMut(&str, &str)) -> Result<()> {
        Ok(())
    }
}

fn batch(series: u32) -> Arc<WriteBatch> {
    let one = |n: u32| BatchSeries {
        key: SeriesKey(u128::from(n)),
        samples: n..n + 1,
        histograms: 0..0,
        exemplars: 0..0,
    };
    Arc::new(WriteBatch {
        series: (0..series).map(one).collect(),
        samples: (0..series).map(|n| Sample { timestamp: i64::from(n), value: 1.0 }).collect(),
        histograms: vec![],
        starts: Default::default(),
        exemplars: vec![],
        metadata: vec![],
        labels: Box::new(Unnamed),
    })
}

fn tenant() -> TenantId {
    TenantId::new("team-1").unwrap()
}

#[tokio::test]
async fn an_append_gets_there_and_its_outcome_back() {
    let net = Net::new(Settings::default());
    let ingester = net.pool.ingester(ADDRESS);
    *net.fake.outcome.lock() = AppendOutcome {
        pushed: PushOutcome { samples: 2, ..PushOutcome::default() },
        unknown: vec![1],
        refused: vec![Refused { index: 0, entries: 1 }],
    };
    let outcome = ingester.append(&tenant(), batch(5), Wanted::Keys([2, 4].into())).await.unwrap();
    assert_eq!((outcome.pushed.samples, outcome.unknown), (2, vec![4]));
    assert_eq!(outcome.refused, [Refused { index: 2, entries: 1 }]);
    let (got, which) = net.fake.batch.lock().take().unwrap();
    assert_eq!(got.series.iter().map(|s| s.key.0).collect::<Vec<_>>(), [2, 4]);
    assert_eq!((got.samples[1].timestamp, which), (4, Wanted::All));
    assert_eq!(net.fake.tenant.lock().take(), Some(tenant()));

    let lines = LogBatch {
        streams: vec![BatchStream { key: SeriesKey(9), entries: 0..1 }],
        entries: vec![LogEntry { timestamp: 3, line: TextSpan { start: 1, len: 2 }, metadata: 0..0 }],
        metadata: vec![],
        text: b"abc".to_vec(),
        labels: Box::new(Unnamed),
    };
    let named = Wanted::Named(vec![(0, Labels::from_pairs([("job", "x")]))]);
    *net.fake.outcome.lock() = AppendOutcome::default();
    ingester.append_logs(&tenant(), Arc::new(lines), named.clone()).await.unwrap();
    let (got, which) = net.fake.lines.lock().take().unwrap();
    assert_eq!((got.line(&got.entries[0]), which), (&b"bc"[..], named));
}

#[tokio::test]
async fn errors_come_through_as_they_are() {
    let net = Net::new(Settings::default());
    let ingester = net.pool.ingester(ADDRESS);
    for code in [Code::BadRequest, Code::RateLimited, Code::Canceled, Code::Unavailable, Code::Internal] {
        let error = Error::new(code, "what it is about: ü");
        *net.fake.error.lock() = Some(error.clone());
        assert_eq!(ingester.append(&tenant(), batch(1), Wanted::All).await.unwrap_err(), error);
    }
}

#[test]
fn a_tenant_is_wanted_and_checked() {
    let check = |name: Option<&str>| {
        let mut metadata = tonic::metadata::MetadataMap::new();
        if let Some(name) = name {
            metadata.insert("x-scope-orgid", name.parse().unwrap());
        }
        crate::convert::tenant_in(&metadata).map_err(|e| status::to_status(&e).code())
    };
    assert_eq!(check(Some("team-1")), Ok(tenant()));
    assert_eq!(check(None), Err(tonic::Code::Unauthenticated));
    assert_eq!(check(Some("a|b")), Err(tonic::Code::InvalidArgument));
    assert_eq!(check(Some("..")), Err(tonic::Code::InvalidArgument));
    assert_eq!(check(Some("")), Err(tonic::Code::InvalidArgument));
}

/// The far end takes the connection and then nothing at all.
#[tokio::test(start_paused = true)]
async fn connections_beyond_the_bound_wait_for_others_to_end() {
    let server = ServerConfig { max_connections: 1, ..ServerConfig::default() };
    let net = Net::new(Settings { server, ..Settings::default() });
    let second = pool(PoolConfig::default(), Arc::clone(&net.connector));
    assert!(net.pool.alive(ADDRESS).await);
    assert!(!second.alive(ADDRESS).await);
    drop(net.pool);
    let mut tries = 0;
    while !second.alive(ADDRESS).await {
        tries += 1;
        assert!(tries < 10, "the place of the first connection was not given on");
    }
}

#[tokio::test(start_paused = true)]
async fn a_frozen_peer_holds_no_more_than_its_bound_and_fails_at_once_beyond_it() {
    let (connector, mut accepted) = connector(&CancellationToken::new());
    let config = PoolConfig { max_in_flight_bytes: 100_000, ..PoolConfig::default() };
    let pool = pool(config, connector);
    let ingester = pool.ingester(ADDRESS);
    let append = || {
        let ingester = Arc::clone(&ingester);
        // 1,000 series of 32 bytes and a few.
        tokio::spawn(async move { ingester.append(&tenant(), batch(1000), Wanted::All).await })
    };
    let start = tokio::time::Instant::now();
    let waiting = [append(), append(), append()];
    let _frozen = accepted.recv().await.unwrap();
    assert_eq!(append().await.unwrap().unwrap_err().code, Code::Unavailable);
    assert_eq!(start.elapsed(), Duration::ZERO);
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap().unwrap_err().code, Code::Unavailable);
    }
    assert!(start.elapsed() <= Duration::from_secs(11), "{:?}", start.elapsed());
    // The room is free again.
    let again = append();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!again.is_finished());
    again.abort();
}

#[tokio::test]
async fn a_connection_that_breaks_is_unavailable_and_the_next_one_serves() {
    let net = Net::new(Settings::default());
    let ingester = net.pool.ingester(ADDRESS);
    net.fake.hangs.store(true, Ordering::Relaxed);
    let hanging = tokio::spawn({
        let ingester = Arc::clone(&ingester);
        async move { ingester.append(&tenant(), batch(1), Wanted::All).await }
    });
    while net.fake.batch.lock().is_none() {
        tokio::task::yield_now().await;
    }
    net.cut.cancel();
    assert_eq!(hanging.await.unwrap().unwrap_err().code, Code::Unavailable);
    net.server.abort();
    let _ = net.server.await;
    let error = ingester.append(&tenant(), batch(1), Wanted::All).await.unwrap_err();
    assert_eq!(error.code, Code::Unavailable, "{error}");
    assert!(error.message.starts_with(ADDRESS), "{error}");
}

#[tokio::test]
async fn a_server_takes_no_more_bytes_than_it_may() {
    let server = ServerConfig { max_append_bytes: 10_000, ..ServerConfig::default() };
    let net = Net::new(Settings { server, ..Settings::default() });
    let ingester = net.pool.ingester(ADDRESS);
    let error = ingester.append(&tenant(), batch(1000), Wanted::All).await.unwrap_err();
    assert_eq!((error.code, &*error.message), (Code::Unavailable, "too many appends are under way"));
    // What it held is given back.
    for _ in 0..5 {
        ingester.append(&tenant(), batch(100), Wanted::All).await.unwrap();
    }
}

#[tokio::test]
async fn only_who_serves_is_alive() {
    let net = Net::new(Settings::default());
    assert!(net.pool.alive(ADDRESS).await);
    net.fake.not_ready.store(true, Ordering::Relaxed);
    assert!(!net.pool.alive(ADDRESS).await);
    let nobody =
        pool(PoolConfig::default(), Arc::new(|_| Box::pin(async { Err(std::io::Error::other("no")) })));
    assert!(!nobody.alive(ADDRESS).await);
    let frozen = pool(PoolConfig::default(), Arc::new(|_| Box::pin(std::future::pending())));
    tokio::time::pause();
    assert!(!frozen.alive(ADDRESS).await);
}

#[tokio::test]
async fn lines_are_watched_until_the_watcher_goes() {
    let net = Net::new(Settings::default());
    let ingester = net.pool.ingester(ADDRESS);
    let matchers = vec![Matcher::new(MatchOp::Regex, "job", "a.*").unwrap()];
    let mut watched = ingester.tail(&tenant(), matchers.clone()).unwrap();
    let sender = loop {
        if let Some(sender) = net.fake.tails.lock().pop() {
            break sender;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(net.fake.was_asked::<Vec<Matcher>>(), matchers);
    let labels = Labels::from_pairs([("job", "ab")]);
    let entry = TailedEntry { timestamp: -7, line: "ü".into(), metadata: vec![("k".into(), "v".into())] };
    let items = [
        TailItem::Stored(TailedStream { labels: labels.clone(), entries: vec![entry] }),
        TailItem::Missed { labels, timestamp: 8, lines: 9 },
    ];
    for item in &items {
        sender.send(item.clone()).await.unwrap();
        assert_eq!(watched.recv().await.as_ref(), Some(item));
    }
    drop(watched);
    sender.closed().await;
}

#[tokio::test]
async fn a_drain_ends_what_would_go_on_for_ever() {
    let net = Net::new(Settings::default());
    let mut watched = net.pool.ingester(ADDRESS).tail(&tenant(), vec![]).unwrap();
    while net.fake.tails.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    net.drain.cancel();
    assert_eq!(watched.recv().await, None);
    net.server.await.unwrap().unwrap();
}
