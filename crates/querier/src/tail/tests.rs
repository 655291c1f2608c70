//! Ingesters come, go and tell the same; the watcher hears everything once.

use super::*;
use hash_ring::Health;
use model::Labels;
use service_api::{TailedEntry, TailedStream};

type Streams = Arc<Mutex<HashMap<String, mpsc::Sender<TailItem>>>>;

/// Ingesters by address that can be told to tell.
struct World {
    view: Arc<Mutex<Arc<RingView>>>,
    streams: Streams,
    refuses: Arc<Mutex<Option<Code>>>,
    tail: RingTail,
    metrics: QuerierMetrics,
}

struct Ingester {
    address: String,
    streams: Streams,
    refuses: Arc<Mutex<Option<Code>>>,
}

impl LogsTail for Ingester {
    fn tail(&self, _: &TenantId, _: Vec<Matcher>) -> Result<mpsc::Receiver<TailItem>> {
        if let Some(code) = *self.refuses.lock() {
            return Err(Error::new(code, "it refuses on purpose"));
        }
        let (sender, receiver) = mpsc::channel(4);
        self.streams.lock().insert(self.address.clone(), sender);
        Ok(receiver)
    }
}

fn ring_of(names: &[&str]) -> Arc<RingView> {
    Arc::new(RingView::new(names.iter().map(|name| Member::new(name, *name)).collect(), 3))
}

impl World {
    fn new(names: &[&str]) -> Self {
        let (view, streams) = (Arc::new(Mutex::new(ring_of(names))), Streams::default());
        let refuses = Arc::new(Mutex::new(None));
        let shown = Arc::clone(&view);
        let (told, refusing) = (Arc::clone(&streams), Arc::clone(&refuses));
        let connect = move |member: &Member| {
            let (address, streams) = (member.address.clone(), Arc::clone(&told));
            Arc::new(Ingester { address, streams, refuses: Arc::clone(&refusing) }) as Arc<dyn LogsTail>
        };
        let metrics = QuerierMetrics::default();
        let ring = Arc::new(move || Arc::clone(&shown.lock()));
        let tail = RingTail::new(ring, Arc::new(connect), metrics.clone());
        Self { view, streams, refuses, tail, metrics }
    }

    fn start(&self) -> Result<mpsc::Receiver<TailItem>> {
        self.tail.tail(&TenantId::anonymous(), Vec::new())
    }

    async fn tell(&self, name: &str, time: i64) {
        self.stream(name).await.send(line(time)).await.unwrap();
    }

    /// Waits until somebody follows that one.
    async fn stream(&self, name: &str) -> mpsc::Sender<TailItem> {
        loop {
            if let Some(sender) = self.streams.lock().get(name).filter(|sender| !sender.is_closed()) {
                return sender.clone();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn line(timestamp: i64) -> TailItem {
    let entry = TailedEntry { timestamp, line: "line".to_owned(), metadata: Vec::new() };
    TailItem::Stored(TailedStream { labels: Labels::from_pairs([("app", "a")]), entries: vec![entry] })
}

#[tokio::test(start_paused = true)]
async fn everything_is_heard_once() {
    let world = World::new(&["a", "b", "c"]);
    let mut heard = world.start().unwrap();
    let missed = TailItem::Missed { labels: Labels::from_pairs([("app", "a")]), timestamp: 9, lines: 2 };
    for time in 0..100 {
        for name in ["a", "b", "c"] {
            world.tell(name, time).await;
        }
        assert_eq!(heard.recv().await, Some(line(time)));
    }
    for name in ["a", "b", "c"] {
        world.stream(name).await.send(missed.clone()).await.unwrap();
    }
    assert_eq!(heard.recv().await, Some(missed));
    world.tell("c", 1000).await;
    assert_eq!(heard.recv().await, Some(line(1000)));
    while world.metrics.repeated_tail_lines.get() < 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_while_ingesters_come_and_go() {
    let world = World::new(&["a", "b"]);
    let mut heard = world.start().unwrap();
    // One dies and comes back.
    world.streams.lock().clear();
    world.tell("a", 1).await;
    assert_eq!(heard.recv().await, Some(line(1)));
    // One joins.
    *world.view.lock() = ring_of(&["a", "b", "c"]);
    world.tell("c", 2).await;
    assert_eq!(heard.recv().await, Some(line(2)));
    // One leaves; another is away and then back.
    let (left, away) = (world.stream("a").await, world.stream("b").await);
    let mut members = ring_of(&["b", "c"]).members().to_vec();
    members[0].health = Health::Unhealthy;
    *world.view.lock() = Arc::new(RingView::new(members, 3));
    left.closed().await;
    away.closed().await;
    *world.view.lock() = ring_of(&["b"]);
    world.tell("b", 3).await;
    assert_eq!(heard.recv().await, Some(line(3)));
    // All are away for a time.
    *world.refuses.lock() = Some(Code::Unavailable);
    world.streams.lock().clear();
    tokio::time::sleep(Duration::from_secs(30)).await;
    *world.refuses.lock() = None;
    world.tell("b", 4).await;
    assert_eq!(heard.recv().await, Some(line(4)));
    // The watcher goes away, and so does everything for it.
    assert_eq!(world.metrics.tails.get(), 1);
    let stream = world.stream("b").await;
    drop(heard);
    stream.closed().await;
    assert_eq!(world.metrics.tails.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_watcher_holds_up_its_ingesters_and_no_memory() {
    let world = World::new(&["a"]);
    let mut heard = world.start().unwrap();
    let stream = world.stream("a").await;
    let mut told = 0;
    while tokio::time::timeout(Duration::from_secs(5), stream.send(line(told))).await.is_ok() {
        told += 1;
    }
    assert!(told <= MAX_ITEMS as i64 + 8, "{told} lines wait");
    for time in 0..told {
        assert_eq!(heard.recv().await, Some(line(time)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_start_is_an_error_at_once() {
    assert_eq!(World::new(&[]).start().unwrap_err().code, Code::Unavailable);
    let world = World::new(&["a"]);
    *world.refuses.lock() = Some(Code::RateLimited);
    assert_eq!(world.start().unwrap_err().code, Code::RateLimited);
    *world.refuses.lock() = None;
    let tails: Vec<_> = (0..MAX_TAILS).map(|_| world.start().unwrap()).collect();
    assert_eq!(world.start().unwrap_err().code, Code::RateLimited);
    assert_eq!(world.metrics.tails.get(), MAX_TAILS as i64);
    drop(tails);
    while world.metrics.tails.get() > 0 {
        tokio::task::yield_now().await;
    }
    world.start().unwrap();
}
