//! Requests over a bucket in memory.

use super::*;
use block_store::{BlockMeta, Bucket};
use bounds::{MAX_LISTED, MAX_LISTED_TEXT};
use futures::future::join_all;
use object_store::memory::InMemory;
use runtime::{Clock, ManualClock};
use service_api::{DeletionState, Limits};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

const NOW: i64 = 1_800_000_000_000;
const DAY: i64 = 86_400_000;

struct World {
    bucket: Bucket,
    clock: Arc<ManualClock>,
    ids: Arc<AtomicU64>,
    limits: Arc<Limits>,
}

impl World {
    fn new(limits: Limits) -> Self {
        let bucket = Bucket::new(Arc::new(InMemory::new()), "");
        let (clock, ids) = (Arc::new(ManualClock::at(NOW)), Arc::default());
        Self { bucket, clock, ids, limits: Arc::new(limits) }
    }

    fn manifests(&self) -> Arc<Manifests> {
        Arc::new(Manifests::new(self.bucket.clone(), self.clock.clone(), Duration::from_secs(10)))
    }

    /// As another process has them.
    fn requests(&self) -> Requests {
        let (clock, ids) = (self.clock.clone(), self.ids.clone());
        let new_id =
            move || Ulid::from_parts(clock.now_ms() as u64, ids.fetch_add(1, Ordering::Relaxed).into());
        Requests::new(self.manifests(), Arc::new(self.limits.clone()), Arc::new(new_id))
    }

    fn advance(&self, ms: i64) {
        self.clock.advance(Duration::from_millis(ms as u64));
    }
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

fn owned(queries: &[&str]) -> Vec<String> {
    queries.iter().map(|&query| query.to_owned()).collect()
}

async fn up(requests: &Requests, range: (i64, i64)) -> Result<String> {
    let range = TimeRange::new(range.0, range.1);
    requests.request(&tenant("a"), Signal::Metrics, owned(&["up"]), range).await
}

async fn listed(requests: &Requests) -> Vec<DeletionRequest> {
    requests.list(&tenant("a"), Signal::Metrics).await.unwrap()
}

#[tokio::test]
async fn a_request_is_listed_at_once_and_everywhere_and_not_of_another_tenant_or_signal() {
    let world = World::new(Limits { deletion_delay: 3600, ..Limits::default() });
    let (one, other) = (world.requests(), world.requests());
    assert!(listed(&other).await.is_empty());
    let queries = owned(&["up", "down{a=\"b\"}"]);
    let range = TimeRange::new(-5, NOW - 1);
    let id = one.request(&tenant("a"), Signal::Metrics, queries.clone(), range).await.unwrap();
    let expected = DeletionRequest {
        id,
        queries,
        range,
        requested: NOW,
        due: NOW + 3_600_000,
        state: DeletionState::Received,
    };
    let expected = [expected];
    assert_eq!(listed(&one).await, expected);
    assert_eq!(listed(&other).await, expected);
    assert!(other.list(&tenant("a"), Signal::Logs).await.unwrap().is_empty());
    assert!(other.list(&tenant("b"), Signal::Metrics).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_not_there_yet_is_not_deleted() {
    let requests = World::new(Limits::default()).requests();
    up(&requests, (0, NOW + 1)).await.unwrap();
    assert_eq!(listed(&requests).await[0].range, TimeRange::new(0, NOW));
    for (range, why) in [((NOW + 1, NOW + 2), "lies in the future"), ((2, 1), "greater than end time")] {
        let error = up(&requests, range).await.unwrap_err();
        assert_eq!(error.code, Code::BadRequest);
        assert!(error.message.contains(why), "{error}");
    }
    up(&requests, (1, 1)).await.unwrap();
}

#[tokio::test]
async fn requests_at_once_are_all_listed() {
    let world = World::new(Limits::default());
    let processes: Vec<_> = (0..8).map(|_| world.requests()).collect();
    let asked = processes.iter().zip(0..).map(|(process, start)| up(process, (start, NOW)));
    let ids: Result<Vec<_>> = join_all(asked).await.into_iter().collect();
    let mut found: Vec<_> =
        listed(&processes[0]).await.into_iter().map(|deletion| (deletion.range.start, deletion.id)).collect();
    found.sort();
    assert_eq!(found, (0..).zip(ids.unwrap()).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_same_again_is_the_same_request_until_it_is_due() {
    let world = World::new(Limits::default());
    let (one, other) = (world.requests(), world.requests());
    let (first, second) = futures::join!(up(&one, (0, 9)), up(&other, (0, 9)));
    let first = first.unwrap();
    assert_eq!(second.unwrap(), first);
    world.advance(DAY - 1);
    assert_eq!(up(&other, (0, 9)).await.unwrap(), first);
    assert_ne!(up(&other, (0, 8)).await.unwrap(), first);
    world.advance(1);
    assert_ne!(up(&other, (0, 9)).await.unwrap(), first);
    assert_eq!(listed(&one).await.len(), 3);
}

#[tokio::test]
async fn a_request_can_be_cancelled_until_it_is_due_and_then_by_force() {
    let world = World::new(Limits::default());
    let requests = world.requests();
    let a = tenant("a");
    let id = up(&requests, (0, 9)).await.unwrap();
    for (tenant, signal, id) in [
        (&a, Signal::Metrics, "nothing"),
        (&a, Signal::Metrics, ""),
        (&a, Signal::Logs, id.as_str()),
        (&tenant("b"), Signal::Metrics, id.as_str()),
    ] {
        let error = requests.cancel(tenant, signal, id, true).await.unwrap_err();
        assert_eq!(error.code, Code::NotFound);
    }
    assert_eq!(listed(&requests).await.len(), 1);
    requests.cancel(&a, Signal::Metrics, &id, false).await.unwrap();
    assert!(listed(&requests).await.is_empty());

    let id = up(&requests, (0, 9)).await.unwrap();
    world.advance(DAY);
    let error = requests.cancel(&a, Signal::Metrics, &id, false).await.unwrap_err();
    assert_eq!(error.code, Code::BadRequest);
    assert!(error.message.contains("since 2027-01-16T08:00:00Z"), "{error}");
    assert_eq!(listed(&requests).await[0].state, DeletionState::Processing);
    requests.cancel(&a, Signal::Metrics, &id, true).await.unwrap();
    assert!(listed(&requests).await.is_empty());
}

#[tokio::test]
async fn a_block_that_a_cancelled_request_was_applied_to_says_nothing_of_it() {
    let world = World::new(Limits::default());
    let (requests, manifests, a) = (world.requests(), world.manifests(), tenant("a"));
    let (first, second) = (up(&requests, (0, 9)).await.unwrap(), up(&requests, (0, 8)).await.unwrap());
    let cleared = [&first, &second].map(|id| Ulid::from_string(id).unwrap()).to_vec();
    let block = BlockMeta { cleared: cleared.clone(), ..block(NOW) };
    manifests.add_block(&a, Signal::Metrics, &block).await.unwrap();
    requests.cancel(&a, Signal::Metrics, &first, false).await.unwrap();
    let manifest = manifests.refresh(&a, Signal::Metrics).await.unwrap();
    assert_eq!(manifest.blocks[0].cleared, cleared[1..]);
}

#[tokio::test]
async fn what_was_carried_out_makes_room_and_nothing_else_does() {
    let world = World::new(Limits::default());
    let (requests, manifests, a) = (world.requests(), world.manifests(), tenant("a"));
    // The block has something of all but the first two.
    manifests.add_block(&a, Signal::Metrics, &BlockMeta { min_time: 2, ..block(NOW) }).await.unwrap();
    let deletion = |n: i64| Deletion {
        id: Ulid::from_parts(NOW as u64, n as u128),
        queries: owned(&["up"]),
        min_time: 0,
        max_time: n,
        due: NOW,
        heads_until: NOW + DAY,
    };
    let all = (0..MAX_LISTED as i64).map(deletion).collect::<Vec<_>>();
    manifests.update(&a, Signal::Metrics, |now| Some(now.with_deletions(all.clone()))).await.unwrap();
    let refused = up(&requests, (0, NOW)).await.unwrap_err();
    assert_eq!(refused.code, Code::RateLimited);
    assert!(refused.message.contains("1000 requests to delete"), "{refused}");

    world.advance(DAY + 1);
    let states: Vec<_> = listed(&requests).await.iter().map(|deletion| deletion.state).collect();
    assert_eq!(states[..2], [DeletionState::Processed; 2]);
    assert!(states[2..].iter().all(|state| *state == DeletionState::Processing));
    for end in [1_001, 1_002] {
        up(&requests, (0, end)).await.unwrap();
        assert_eq!(listed(&requests).await.len(), MAX_LISTED);
    }
    assert_eq!(up(&requests, (0, 1_003)).await.unwrap_err().code, Code::RateLimited);
    assert_eq!(listed(&requests).await[0].range.end, 2);
}

#[tokio::test]
async fn what_is_no_query_or_too_much_is_refused() {
    let world = World::new(Limits::default());
    let requests = world.requests();
    let ask = async |signal, queries: &[&str]| {
        requests.request(&tenant("a"), signal, owned(queries), TimeRange::new(0, 1)).await.map_err(|error| {
            assert_eq!(error.code, Code::BadRequest, "{error}");
            error.message.into_owned()
        })
    };
    let long = format!("up{{a=\"{}\"}}", "x".repeat(64 << 10));
    let states = "{a=~\"\\\\pL{9}\"}";
    for (signal, queries, why) in [
        (Signal::Metrics, &[][..], "nothing is named"),
        (Signal::Metrics, &["up", "rate(up[5m])"], "\"rate(up[5m])\": "),
        (Signal::Metrics, &["{a=~\".*\"}"], "\"{a=~\\\".*\\\"}\": a selector must have"),
        (Signal::Metrics, &["up"; 101], "more than 100 selectors"),
        (Signal::Metrics, &[&long], "more than 65536 bytes"),
        (Signal::Metrics, &[states; 100], "too large together"),
        (Signal::Logs, &["{}"], "\"{}\": "),
        (Signal::Logs, &["up"], "\"up\": "),
        (Signal::Logs, &["count_over_time({a=\"b\"}[1m])"], "a log query is wanted"),
    ] {
        let refused = ask(signal, queries).await.unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
    ask(Signal::Metrics, &["up"; 100]).await.unwrap();
    ask(Signal::Logs, &["{a=\"b\"} |= \"c\" | json | d > 5"]).await.unwrap();
}

#[tokio::test]
async fn the_text_of_all_requests_is_bounded() {
    let requests = World::new(Limits::default()).requests();
    let query = format!("up{{a=\"{}\"}}", "x".repeat(60_000));
    let mut taken = 0;
    let refused = loop {
        let range = TimeRange::new(0, taken);
        match requests.request(&tenant("a"), Signal::Metrics, vec![query.clone()], range).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!((refused.code, taken as usize), (Code::RateLimited, MAX_LISTED_TEXT / query.len()));
}

#[tokio::test]
async fn who_may_not_delete_can_still_look_and_cancel() {
    let mut world = World::new(Limits::default());
    let id = up(&world.requests(), (0, 9)).await.unwrap();
    world.limits = Arc::new(Limits { deletions: false, ..Limits::default() });
    let requests = world.requests();
    assert_eq!(up(&requests, (0, 8)).await.unwrap_err().code, Code::Forbidden);
    assert_eq!(listed(&requests).await.len(), 1);
    requests.cancel(&tenant("a"), Signal::Metrics, &id, false).await.unwrap();
}

/// One that ends before all ranges of requests that begin at `min_time` do.
fn block(made: i64) -> BlockMeta {
    BlockMeta {
        id: Ulid::from_parts(made as u64, 1),
        min_time: 0,
        max_time: NOW,
        series: 1,
        samples: 1,
        text_bytes: 0,
        bytes: 1,
        level: 0,
        source: "test".to_owned(),
        created: made,
        sources: Vec::new(),
        damaged: None,
        cleared: Vec::new(),
        rules: 0,
    }
}
