//! Claims over a store that can be cut off, taken away and brought back.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;
use hash_ring::MemoryKv;
use runtime::ManualClock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const TIMEOUT: Duration = Duration::from_secs(15);

#[derive(Default)]
struct Others {
    say_it_is_away: AtomicBool,
    asked: AtomicUsize,
}

#[async_trait]
impl Witnesses for Others {
    async fn store_is_away(&self) -> bool {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.say_it_is_away.load(Ordering::SeqCst)
    }
}

struct Ruler {
    claims: Claims,
    kv: MemoryKv,
    others: Arc<Others>,
}

impl Ruler {
    fn holds(&self, group: &str) -> bool {
        self.claims.of(group).is_some_and(|claim| self.claims.holds(&claim))
    }
}

fn rulers(clock: &Arc<ManualClock>, names: &[&str]) -> (MemoryKv, Vec<Ruler>) {
    let store = MemoryKv::new(Arc::clone(clock) as Arc<dyn Clock>);
    let ruler = |name: &&str| {
        let (kv, others) = (store.another_host(), Arc::<Others>::default());
        let clock = Arc::clone(clock) as Arc<dyn Clock>;
        let witnesses = Arc::clone(&others) as Arc<dyn Witnesses>;
        let claims = Claims::new(Arc::new(kv.clone()), "yagura", (*name).into(), TIMEOUT, clock, witnesses);
        Ruler { claims, kv, others }
    };
    let rulers = names.iter().map(ruler).collect();
    (store, rulers)
}

fn groups(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn pass(clock: &ManualClock, seconds: u64) {
    clock.advance(Duration::from_secs(seconds));
}

#[tokio::test]
async fn one_holds_a_group_until_it_lets_go() {
    let clock = Arc::new(ManualClock::at(0));
    let (_, rulers) = rulers(&clock, &["a", "b"]);
    let [a, b] = &rulers[..] else { unreachable!() };
    assert!(a.claims.claim(&groups(&["x"])).await.is_empty(), "without a lease nothing is tried");
    assert!(!a.holds("x"));
    a.claims.keep().await.unwrap();
    b.claims.keep().await.unwrap();
    assert!(a.claims.claim(&groups(&["x", "y"])).await.is_empty());
    assert_eq!(b.claims.claim(&groups(&["x", "z"])).await, groups(&["x"]));
    assert!(a.holds("x") && a.holds("y") && b.holds("z") && !b.holds("x"));

    a.claims.release("x").await;
    assert!(!a.holds("x"));
    assert!(b.claims.claim(&groups(&["x", "z"])).await.is_empty());
    assert!(b.holds("x"));
    // Letting go of what somebody else has by now does nothing.
    a.claims.release("x").await;
    assert_eq!(a.claims.claim(&groups(&["x"])).await, groups(&["x"]));
}

#[tokio::test]
async fn whoever_cannot_reach_the_store_stops_before_another_can_begin() {
    let clock = Arc::new(ManualClock::at(0));
    let (_, rulers) = rulers(&clock, &["a", "b"]);
    let [a, b] = &rulers[..] else { unreachable!() };
    a.claims.keep().await.unwrap();
    a.claims.claim(&groups(&["x"])).await;
    a.kv.cut_off(true);
    let mut handed_over = None;
    for second in 1..40 {
        pass(&clock, 1);
        let _ = a.claims.keep().await;
        b.claims.keep().await.unwrap();
        let others = b.claims.claim(&groups(&["x"])).await;
        assert_eq!(others.is_empty(), b.holds("x"));
        assert!(!(a.holds("x") && b.holds("x")), "both at {second} s");
        if b.holds("x") {
            handed_over.get_or_insert(second);
        }
    }
    assert!((12..=17).contains(&handed_over.unwrap()), "{handed_over:?}");
    assert!(a.others.asked.load(Ordering::SeqCst) > 0, "it had asked whether the store is away");
    a.kv.cut_off(false);
    a.claims.keep().await.unwrap_err();
    a.claims.keep().await.unwrap();
    assert_eq!(a.claims.claim(&groups(&["x"])).await, groups(&["x"]));
}

#[tokio::test]
async fn while_the_store_is_away_for_everybody_all_goes_on_and_also_when_it_is_back() {
    let clock = Arc::new(ManualClock::at(0));
    let (store, rulers) = rulers(&clock, &["a", "b"]);
    let [a, b] = &rulers[..] else { unreachable!() };
    for ruler in [a, b] {
        ruler.claims.keep().await.unwrap();
        ruler.others.say_it_is_away.store(true, Ordering::SeqCst);
    }
    a.claims.claim(&groups(&["x"])).await;
    store.set_away(true);
    for second in 0..600 {
        pass(&clock, 1);
        let _ = a.claims.keep().await;
        assert!(a.holds("x"), "at {second} s");
        b.claims.claim(&groups(&["x"])).await;
        assert!(!b.holds("x"));
    }
    store.set_away(false);
    a.claims.keep().await.unwrap();
    b.claims.keep().await.unwrap();
    assert!(a.holds("x"));
    assert_eq!(b.claims.claim(&groups(&["x"])).await, groups(&["x"]));
}

#[tokio::test]
async fn a_store_that_was_made_anew_is_claimed_in_anew() {
    let clock = Arc::new(ManualClock::at(0));
    let (store, rulers) = rulers(&clock, &["a"]);
    let a = &rulers[0];
    a.claims.keep().await.unwrap();
    a.claims.claim(&groups(&["x"])).await;
    store.wipe();
    assert_eq!(a.claims.keep().await, Err(KvError::LeaseGone));
    assert!(!a.holds("x"));
    let before = a.claims.of("x");
    a.claims.keep().await.unwrap();
    a.claims.claim(&groups(&["x"])).await;
    assert!(a.holds("x") && before.is_none());
}

/// What comes of a change is not always heard.
#[tokio::test]
async fn a_claim_that_was_made_unheard_is_found_and_one_that_could_not_be_let_go_of_is_let_go_of_later() {
    let clock = Arc::new(ManualClock::at(0));
    let (_, rulers) = rulers(&clock, &["a", "b"]);
    let [a, b] = &rulers[..] else { unreachable!() };
    a.claims.keep().await.unwrap();
    b.claims.keep().await.unwrap();
    a.claims.claim(&groups(&["x"])).await;
    let claim = a.claims.of("x").unwrap();
    // As if the answer had been lost.
    a.claims.state.lock().held.clear();
    assert!(!a.claims.holds(&claim));
    assert!(a.claims.claim(&groups(&["x"])).await.is_empty());
    assert!(a.claims.holds(&claim));

    a.kv.cut_off(true);
    a.claims.release("x").await;
    assert!(!a.holds("x"));
    assert_eq!(b.claims.claim(&groups(&["x"])).await, groups(&["x"]));
    a.kv.cut_off(false);
    a.claims.keep().await.unwrap();
    assert!(b.claims.claim(&groups(&["x"])).await.is_empty());
    assert!(b.holds("x"));
}

#[tokio::test]
async fn what_was_lost_and_is_held_again_is_another_claim() {
    let clock = Arc::new(ManualClock::at(0));
    let (store, rulers) = rulers(&clock, &["a"]);
    let a = &rulers[0];
    a.claims.keep().await.unwrap();
    a.claims.claim(&groups(&["x"])).await;
    let first = a.claims.of("x").unwrap();
    pass(&clock, 60);
    assert_eq!(a.claims.keep().await, Err(KvError::LeaseGone));
    a.claims.keep().await.unwrap();
    a.claims.claim(&groups(&["x"])).await;
    let second = a.claims.of("x").unwrap();
    assert!(!a.claims.holds(&first) && a.claims.holds(&second));
    drop(store);
}

#[tokio::test]
async fn who_ends_gives_all_up_at_once() {
    let clock = Arc::new(ManualClock::at(0));
    let (_, rulers) = rulers(&clock, &["a", "b"]);
    let [a, b] = &rulers[..] else { unreachable!() };
    a.claims.keep().await.unwrap();
    a.claims.claim(&groups(&["x"])).await;
    let drain = CancellationToken::new();
    drain.cancel();
    a.claims.run(drain).await;
    assert!(!a.holds("x"));
    b.claims.keep().await.unwrap();
    assert!(b.claims.claim(&groups(&["x"])).await.is_empty());
    assert!(b.holds("x"));
}

/// What was given up is there again under a lease that lives, and what was claimed since is not.
#[tokio::test]
async fn a_store_that_was_set_back_is_claimed_in_anew() {
    let clock = Arc::new(ManualClock::at(0));
    let (store, rulers) = rulers(&clock, &["a", "b"]);
    let [a, b] = &rulers[..] else { unreachable!() };
    for ruler in [a, b] {
        ruler.claims.keep().await.unwrap();
    }
    a.claims.claim(&groups(&["x"])).await;
    let backup = store.snapshot();
    a.claims.release("x").await;
    b.claims.claim(&groups(&["x", "y"])).await;
    for ruler in [a, b] {
        ruler.claims.keep().await.unwrap();
    }
    store.restore(&backup);
    for ruler in [a, b] {
        assert_eq!(ruler.claims.keep().await, Err(KvError::LeaseGone));
        assert!(!ruler.holds("x") && !ruler.holds("y"));
        ruler.claims.keep().await.unwrap();
    }
    assert!(b.claims.claim(&groups(&["x", "y"])).await.is_empty());
    assert!(b.holds("x") && b.holds("y"));
}
