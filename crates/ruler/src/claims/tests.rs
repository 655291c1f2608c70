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
    assert!(a.claims.claim(&groups(&["x"])).await.unwrap().is_empty(), "without a lease nothing is tried");
    assert!(!a.claims.holds("x"));
    a.claims.keep().await.unwrap();
    b.claims.keep().await.unwrap();
    assert!(a.claims.claim(&groups(&["x", "y"])).await.unwrap().is_empty());
    assert_eq!(b.claims.claim(&groups(&["x", "z"])).await.unwrap(), groups(&["x"]));
    assert!(a.claims.holds("x") && a.claims.holds("y") && b.claims.holds("z") && !b.claims.holds("x"));

    a.claims.release("x").await.unwrap();
    assert!(!a.claims.holds("x"));
    assert!(b.claims.claim(&groups(&["x", "z"])).await.unwrap().is_empty());
    assert!(b.claims.holds("x"));
    // Letting go of what somebody else has by now does nothing.
    a.claims.release("x").await.unwrap();
    assert_eq!(a.claims.claim(&groups(&["x"])).await.unwrap(), groups(&["x"]));
}

#[tokio::test]
async fn whoever_cannot_reach_the_store_stops_before_another_can_begin() {
    let clock = Arc::new(ManualClock::at(0));
    let (_, rulers) = rulers(&clock, &["a", "b"]);
    let [a, b] = &rulers[..] else { unreachable!() };
    a.claims.keep().await.unwrap();
    a.claims.claim(&groups(&["x"])).await.unwrap();
    a.kv.cut_off(true);
    let mut handed_over = None;
    for second in 1..40 {
        pass(&clock, 1);
        let _ = a.claims.keep().await;
        b.claims.keep().await.unwrap();
        let others = b.claims.claim(&groups(&["x"])).await.unwrap();
        assert_eq!(others.is_empty(), b.claims.holds("x"));
        assert!(!(a.claims.holds("x") && b.claims.holds("x")), "both at {second} s");
        if b.claims.holds("x") {
            handed_over.get_or_insert(second);
        }
    }
    assert!((12..=17).contains(&handed_over.unwrap()), "{handed_over:?}");
    assert!(a.others.asked.load(Ordering::SeqCst) > 0, "it had asked whether the store is away");
    a.kv.cut_off(false);
    a.claims.keep().await.unwrap_err();
    a.claims.keep().await.unwrap();
    assert_eq!(a.claims.claim(&groups(&["x"])).await.unwrap(), groups(&["x"]));
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
    a.claims.claim(&groups(&["x"])).await.unwrap();
    store.set_away(true);
    for second in 0..600 {
        pass(&clock, 1);
        let _ = a.claims.keep().await;
        assert!(a.claims.holds("x"), "at {second} s");
        assert!(b.claims.claim(&groups(&["x"])).await.is_err());
    }
    store.set_away(false);
    a.claims.keep().await.unwrap();
    b.claims.keep().await.unwrap();
    assert!(a.claims.holds("x"));
    assert_eq!(b.claims.claim(&groups(&["x"])).await.unwrap(), groups(&["x"]));
}

#[tokio::test]
async fn a_store_that_was_made_anew_is_claimed_in_anew() {
    let clock = Arc::new(ManualClock::at(0));
    let (store, rulers) = rulers(&clock, &["a"]);
    let a = &rulers[0];
    a.claims.keep().await.unwrap();
    a.claims.claim(&groups(&["x"])).await.unwrap();
    store.wipe();
    assert_eq!(a.claims.keep().await, Err(KvError::LeaseGone));
    assert!(!a.claims.holds("x"));
    a.claims.keep().await.unwrap();
    a.claims.claim(&groups(&["x"])).await.unwrap();
    assert!(a.claims.holds("x"));
}

#[tokio::test]
async fn who_ends_gives_all_up_at_once() {
    let clock = Arc::new(ManualClock::at(0));
    let (_, rulers) = rulers(&clock, &["a", "b"]);
    let [a, b] = &rulers[..] else { unreachable!() };
    a.claims.keep().await.unwrap();
    a.claims.claim(&groups(&["x"])).await.unwrap();
    let drain = CancellationToken::new();
    drain.cancel();
    a.claims.run(drain).await;
    assert!(!a.claims.holds("x"));
    b.claims.keep().await.unwrap();
    assert!(b.claims.claim(&groups(&["x"])).await.unwrap().is_empty());
    assert!(b.claims.holds("x"));
}
