//! Elections among trackers that share a store, which can be away or lose what it knew.

use super::*;
use hash_ring::MemoryKv;
use runtime::ManualClock;
use tokio_util::sync::CancellationToken;

const NOW: i64 = 1_700_000_000_000;

/// Distributors that follow one store, each with a clock of its own.
struct World {
    kv: MemoryKv,
    hosts: Vec<Host>,
    drain: CancellationToken,
}

struct Host {
    tracker: Arc<Tracker>,
    clock: Arc<ManualClock>,
    kv: MemoryKv,
}

impl World {
    /// `skews` are what the hosts' clocks are off by, in milliseconds.
    async fn new(skews: &[i64]) -> Self {
        let kv = MemoryKv::new(Arc::new(ManualClock::at(NOW)));
        let drain = CancellationToken::new();
        let host = |(number, skew): (usize, &i64)| {
            let (clock, kv) = (Arc::new(ManualClock::at(NOW + skew)), kv.another_host());
            let store: (Arc<dyn Kv>, Keys) = (Arc::new(kv.clone()), Keys::new("test"));
            let config = DistributorConfig::default();
            let instance = format!("distributor-{number}").into();
            let tracker = Tracker::new(&config, store, clock.clone(), instance, Metrics::default());
            tokio::spawn(tracker.clone().follow(drain.clone()));
            Host { tracker, clock, kv }
        };
        let hosts = skews.iter().enumerate().map(host).collect();
        let world = Self { kv, hosts, drain };
        world.settle().await;
        world
    }

    /// Until everybody has seen what there is to see; tokio's time is held still.
    async fn settle(&self) {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    async fn pass(&self, seconds: u64) {
        self.hosts.iter().for_each(|host| host.clock.advance(Duration::from_secs(seconds)));
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.settle().await;
    }

    async fn sends(&self, host: usize, replica: &str) -> bool {
        let sender = Sender { cluster: "c".to_owned(), replica: replica.to_owned() };
        let taken = self.hosts[host].tracker.listens_to(&tenant(), &sender, 0).await.unwrap();
        self.settle().await;
        taken
    }

    async fn record(&self) -> Option<(Record, i64)> {
        let found = self.kv.get("test/ha/anonymous/c").await.unwrap()?;
        Some((Record::parse(&found.value).unwrap(), found.mod_revision))
    }

    async fn elected(&self) -> String {
        self.record().await.unwrap().0.replica
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.drain.cancel();
    }
}

fn tenant() -> TenantId {
    TenantId::anonymous()
}

#[tokio::test(start_paused = true)]
async fn all_distributors_listen_to_the_replica_that_came_first() {
    let world = World::new(&[0, 0]).await;
    assert!(world.sends(0, "a").await);
    assert!(!world.sends(0, "b").await && !world.sends(1, "b").await);
    assert!(world.sends(1, "a").await);
    let (record, _) = world.record().await.unwrap();
    assert_eq!(record, Record { replica: "a".into(), received_at: NOW, by: "distributor-0".into() });
}

#[tokio::test(start_paused = true)]
async fn another_replica_is_elected_after_the_failover_timeout_and_not_before() {
    let world = World::new(&[0, 0]).await;
    world.sends(0, "a").await;
    world.pass(29).await;
    assert!(!world.sends(1, "b").await);
    world.pass(1).await;
    assert!(world.sends(1, "b").await);
    assert!(!world.sends(0, "a").await, "it comes back and is the other one now");
    assert_eq!(world.elected().await, "b");
}

#[tokio::test(start_paused = true)]
async fn a_distributor_that_hears_only_the_other_replica_knows_from_the_store_that_the_elected_one_is_there()
{
    let world = World::new(&[0, 0]).await;
    let (mut writes, mut last) = (0, 0);
    for _ in 0..60 {
        assert!(world.sends(0, "a").await);
        assert!(!world.sends(1, "b").await);
        let (_, revision) = world.record().await.unwrap();
        writes += usize::from(revision != last);
        last = revision;
        world.pass(5).await;
    }
    assert!((15..=20).contains(&writes), "in 300 s one each 15 to 18 s and a bit: {writes}");
}

#[tokio::test(start_paused = true)]
async fn the_dates_of_hosts_do_not_matter() {
    let world = World::new(&[0, 300_000, -300_000]).await;
    assert!(world.sends(1, "a").await);
    for host in [0, 2] {
        assert!(!world.sends(host, "b").await, "not silent, if the date says so");
    }
    world.pass(30).await;
    assert!(world.sends(2, "b").await);
    assert!(!world.sends(1, "a").await, "and a record of long ago is as good as new");
}

#[tokio::test(start_paused = true)]
async fn only_one_of_many_elections_at_once_wins() {
    let world = World::new(&[0, 0, 0]).await;
    let senders = ["a", "b", "c"].map(|replica| Sender { cluster: "c".into(), replica: replica.into() });
    let tenant = tenant();
    let elections = world.hosts.iter().zip(&senders).map(|(host, sender)| {
        let host = &host.tracker;
        let tenant = &tenant;
        async move { host.listens_to(tenant, sender, 0).await.unwrap() }
    });
    let taken = futures::future::join_all(elections).await;
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 1, "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn without_the_store_the_last_state_counts() {
    let world = World::new(&[0, 0]).await;
    world.sends(0, "a").await;
    world.kv.set_away(true);
    for _ in 0..30 {
        world.pass(10).await;
        assert!(world.sends(0, "a").await);
        assert!(!world.sends(0, "b").await, "it hears the elected one");
        assert!(!world.sends(1, "b").await, "it has only ever heard of it through the store");
    }
    world.kv.set_away(false);
    world.pass(10).await;
    assert!(world.sends(0, "a").await && !world.sends(1, "b").await);
    let (record, _) = world.record().await.unwrap();
    assert_eq!(record.received_at, NOW + 310_000, "the store is told at once");
}

#[tokio::test(start_paused = true)]
async fn without_the_store_who_hears_the_silence_elects() {
    let world = World::new(&[0, 0]).await;
    world.sends(0, "a").await;
    world.kv.set_away(true);
    world.pass(10).await;
    assert!(world.sends(0, "a").await);
    world.pass(29).await;
    assert!(!world.sends(0, "b").await);
    world.pass(1).await;
    assert!(world.sends(0, "b").await, "30 s after it was heard");
    assert!(!world.sends(0, "a").await);
    assert!(!world.sends(1, "b").await);
    world.kv.set_away(false);
    world.pass(10).await;
    assert!(world.sends(0, "b").await, "what the store says is older than that");
    assert_eq!(world.elected().await, "b");
    assert!(world.sends(1, "b").await);
}

#[tokio::test(start_paused = true)]
async fn who_is_cut_off_alone_follows_the_others_once_it_is_back() {
    let world = World::new(&[0, 0]).await;
    world.sends(0, "a").await;
    world.sends(1, "a").await;
    world.hosts[1].kv.cut_off(true);
    world.pass(30).await;
    assert!(world.sends(0, "b").await);
    assert!(world.sends(1, "c").await, "it elects for itself");
    world.hosts[1].kv.cut_off(false);
    world.pass(10).await;
    assert!(world.sends(1, "b").await);
    assert!(!world.sends(1, "c").await);
    assert_eq!(world.elected().await, "b");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_nobody_knows_is_taken_without_the_store() {
    let world = World::new(&[0]).await;
    world.kv.set_away(true);
    assert!(world.sends(0, "a").await);
    assert!(!world.sends(0, "b").await);
    world.kv.set_away(false);
    world.pass(10).await;
    assert!(world.sends(0, "a").await);
    assert_eq!(world.elected().await, "a");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lost_its_latest_changes_is_told_them_again() {
    let world = World::new(&[0, 0]).await;
    world.sends(0, "a").await;
    let backup = world.kv.snapshot();
    world.pass(30).await;
    assert!(world.sends(0, "b").await);
    world.kv.restore(&backup);
    world.pass(5).await;
    assert!(!world.sends(1, "a").await && world.sends(0, "b").await);
    assert_eq!(world.elected().await, "b");
    world.kv.wipe();
    world.pass(5).await;
    assert!(!world.sends(1, "a").await && world.sends(0, "b").await);
    assert_eq!(world.elected().await, "b");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_cannot_be_read_is_replaced_in_time() {
    let world = World::new(&[0]).await;
    world.kv.put("test/ha/anonymous/c", b"{".to_vec(), None).await.unwrap();
    world.settle().await;
    assert!(!world.sends(0, "a").await);
    world.pass(30).await;
    assert!(world.sends(0, "a").await);
    assert_eq!(world.elected().await, "a");
}

#[tokio::test(start_paused = true)]
async fn clusters_are_bounded_and_those_of_short_lives_are_forgotten() {
    let world = World::new(&[0]).await;
    let tracker = &world.hosts[0].tracker;
    let of = |cluster: &str| Sender { cluster: cluster.to_owned(), replica: "a".to_owned() };
    let other = TenantId::new("other").unwrap();
    for cluster in ["1", "2/x"] {
        assert!(tracker.listens_to(&tenant(), &of(cluster), 2).await.unwrap());
    }
    let error = tracker.listens_to(&tenant(), &of("3"), 2).await.unwrap_err();
    assert_eq!(error.code, service_api::Code::BadRequest);
    assert!(tracker.listens_to(&other, &of("3"), 2).await.unwrap(), "each tenant for itself");
    assert!(tracker.listens_to(&tenant(), &of("2/x"), 2).await.unwrap());
    for _ in 0..13 {
        world.pass(300).await;
        tracker.listens_to(&tenant(), &of("2/x"), 2).await.unwrap();
        world.settle().await;
    }
    let left: Vec<_> = world.kv.list("test/ha/").await.unwrap().entries;
    assert_eq!(left.iter().map(|entry| &*entry.key).collect::<Vec<_>>(), ["test/ha/anonymous/2/x"]);
    assert!(tracker.listens_to(&tenant(), &of("3"), 2).await.unwrap());
}
