//! Places and turns of many tenants.

use super::*;
use futures::FutureExt;
use prometheus_client::registry::Registry;
use service_api::Code;

struct Test {
    queue: Arc<Queue>,
    metrics: QueryMetrics,
}

impl Test {
    fn new(places: usize, max_waiting: usize, shares: bool) -> Self {
        let config = ReadConfig {
            max_concurrent_queries: places,
            max_queued_queries: max_waiting,
            ..ReadConfig::default()
        };
        let metrics = QueryMetrics::register(&mut Registry::default());
        Self { queue: Arc::new(Queue::new(&config, shares, metrics.clone())), metrics }
    }

    fn bounded(&self, tenant: &str, bound: u64) -> Result<Wait> {
        self.queue.enter(&TenantId::new(tenant).unwrap(), bound)
    }

    fn place(&self, tenant: &str) -> Place {
        match self.bounded(tenant, 0).unwrap() {
            Wait::Over(place) => place,
            Wait::For(_) => panic!("{tenant} has to wait"),
        }
    }

    fn turn(&self, tenant: &str) -> Turn {
        match self.bounded(tenant, 0).unwrap() {
            Wait::Over(_) => panic!("{tenant} need not wait"),
            Wait::For(turn) => turn,
        }
    }

    /// Running and waiting queries, by the metrics, which must be those of the state.
    fn counts(&self) -> (i64, i64) {
        let state = self.queue.state.lock();
        let counts = (self.metrics.running.get(), self.metrics.waiting.get());
        assert_eq!(counts, (state.running as i64, state.waiting as i64));
        let of = |count: fn(&Tenant) -> usize| state.tenants.values().map(count).sum::<usize>() as i64;
        assert_eq!(counts, (of(|t| t.running), of(|t| t.waiting.len())));
        counts
    }
}

fn granted(turn: &mut Turn) -> Option<Place> {
    turn.now_or_never().map(Result::unwrap)
}

#[test]
fn tenants_take_turns_however_many_queries_one_has() {
    let test = Test::new(1, 100, true);
    let mut running = test.place("greedy");
    let mut waiting: Vec<_> = (0..5).map(|_| ("greedy", test.turn("greedy"))).collect();
    waiting.extend(["a", "b", "c", "a"].map(|tenant| (tenant, test.turn(tenant))));
    assert_eq!(test.counts(), (1, 9));
    let mut order = Vec::new();
    while !waiting.is_empty() {
        drop(running);
        let mut found = None;
        waiting.retain_mut(|(tenant, turn)| match granted(turn) {
            Some(place) => {
                order.push(*tenant);
                assert!(found.replace(place).is_none(), "two have the one place");
                false
            }
            None => true,
        });
        running = found.expect("nobody has the place");
    }
    assert_eq!(order, ["greedy", "a", "b", "c", "greedy", "a", "greedy", "greedy", "greedy"]);
    drop(running);
    assert_eq!(test.counts(), (0, 0));
    assert!(test.queue.state.lock().tenants.is_empty());
}

#[test]
fn readers_that_hold_their_places_keep_nobody_out() {
    let test = Test::new(20, 200, true);
    let slow: Vec<_> = (0..15).map(|_| test.place("slow")).collect();
    let more = test.turn("slow");
    let other: Vec<_> = (0..3).map(|_| test.place("slower")).collect();
    let still_more = test.turn("slower");
    let place = test.place("third");
    // Everything is in use at last only if there are many of them.
    let fourth = test.place("fourth");
    assert_eq!(test.counts(), (20, 2));
    let mut fifth = test.turn("fifth");
    drop(place);
    assert!(granted(&mut fifth).is_some());
    drop((slow, more, other, still_more, fourth, fifth));
    assert_eq!(test.counts(), (0, 0));
}

#[test]
fn a_tenant_alone_has_everything() {
    let test = Test::new(4, 2, false);
    let all: Vec<_> = (0..4).map(|_| test.place("a")).collect();
    let waiting = [test.turn("a"), test.turn("a")];
    assert_eq!(test.bounded("a", 0).unwrap_err().code, Code::Unavailable);
    assert_eq!((test.counts(), test.metrics.refused.get()), ((4, 2), 1));
    drop((all, waiting));
    assert_eq!(test.counts(), (0, 0));
}

#[test]
fn one_tenants_queries_do_not_fill_the_queue() {
    let test = Test::new(1, 8, true);
    let _running = test.place("a");
    let mut waiting = Vec::new();
    while let Ok(Wait::For(turn)) = test.bounded("a", 0) {
        waiting.push(turn);
    }
    assert_eq!(waiting.len(), 6);
    waiting.push(test.turn("b"));
    waiting.push(test.turn("c"));
    assert!(test.bounded("d", 0).is_err());
    assert_eq!(test.counts(), (1, 8));
    assert!(!test.queue.state.lock().tenants.keys().any(|tenant| tenant.as_str() == "d"));
}

#[test]
fn a_tenants_bound_holds_while_places_are_free() {
    let test = Test::new(10, 10, true);
    let Ok(Wait::Over(first)) = test.bounded("a", 1) else { panic!("no place") };
    let Ok(Wait::For(mut second)) = test.bounded("a", 1) else { panic!("a second place") };
    let other = test.place("b");
    drop(other);
    assert!(granted(&mut second).is_none());
    drop(first);
    assert!(granted(&mut second).is_some());
}

#[test]
fn whoever_goes_away_leaves_the_queue() {
    let test = Test::new(1, 10, true);
    let running = test.place("a");
    let (gone, mut stays) = (test.turn("b"), test.turn("b"));
    let ungranted = test.turn("c");
    drop(gone);
    assert_eq!(test.counts(), (1, 2));
    drop(ungranted);
    drop(running);
    let place = granted(&mut stays).unwrap();
    // This one goes away with its place already granted.
    let late = test.turn("d");
    drop(place);
    assert_eq!(test.counts(), (1, 0));
    drop(late);
    assert_eq!(test.counts(), (0, 0));
    test.place("e");
}
