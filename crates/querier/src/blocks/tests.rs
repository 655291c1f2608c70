//! Blocks are read once each, by their owners, or by others if need be.

mod deleted;
mod rollups;

use super::*;
use crate::test_support::*;
use block_store::{BlocksInRange, Deletion, Ulid};
use hash_ring::RingView;
use parking_lot::Mutex;
use service_api::Code;
use std::collections::BTreeMap;

const HOUR: i64 = 3_600_000;

/// Each block has a series and a stream of its own, in one source that can be asked for any of them.
struct World {
    view: Arc<RingView>,
    blocks: Vec<BlockMeta>,
    deletions: Vec<Deletion>,
    /// Blocks of figures, if they cover what is asked for.
    rolled_up: Option<Vec<BlockMeta>>,
    /// What reads for each member; `m0` is us, and reads here.
    readers: Vec<Arc<Fake>>,
    /// Who has read each block, and how many requests each member got.
    reads: Arc<Mutex<BTreeMap<Ulid, Vec<usize>>>>,
    requests: Arc<Mutex<Vec<usize>>>,
    metrics: QuerierMetrics,
}

fn block(number: u64) -> BlockMeta {
    let start = number as i64 * HOUR;
    crate::test_support::block(number, start, start + HOUR - 1)
}

/// A source of just some blocks, over the behaviour of whoever reads them.
fn source_of(reader: &Arc<Fake>, blocks: &[BlockMeta]) -> Arc<dyn Source> {
    let source = Fake::behaving_as(reader);
    for block in blocks {
        source.sample("job=a", block.min_time, 1.0);
        source.sample(&format!("block={:03}", block.min_time / HOUR), block.min_time, 1.0);
        let time = block.min_time.saturating_mul(model::NANOS_A_MILLI);
        source.page("app=a", &[(time, format!("line of {}", block.id))], true);
    }
    source
}

impl World {
    fn new(queriers: usize, blocks: u64) -> Self {
        Self {
            view: ring(queriers, 3),
            blocks: (0..blocks).map(block).collect(),
            deletions: Vec::new(),
            rolled_up: None,
            readers: fakes(queriers.max(1)),
            reads: Arc::default(),
            requests: Arc::new(Mutex::new(vec![0; queriers.max(1)])),
            metrics: QuerierMetrics::default(),
        }
    }

    fn distributed(&self, config: QuerierConfig) -> DistributedBlocks {
        let (blocks, deletions) = (self.blocks.clone(), self.deletions.clone());
        let list = move |_: ReadContext, _: Signal, range: TimeRange| {
            let blocks = blocks.iter().filter(|block| block.time_range().overlaps(&range)).cloned().collect();
            let listed = BlocksInRange { blocks, deletions: deletions.clone(), ..BlocksInRange::default() };
            async move { Ok(listed) }.boxed()
        };
        let (readers, reads, requests) = (self.readers.clone(), self.reads.clone(), self.requests.clone());
        let read = move |member: usize, blocks: Vec<BlockMeta>| {
            requests.lock()[member] += 1;
            blocks.iter().for_each(|block| reads.lock().entry(block.id).or_default().push(member));
            source_of(&readers[member], &blocks)
        };
        let (here, rolled_up) = (read.clone(), self.rolled_up.clone());
        let clients = BlockClients {
            list: Arc::new(list),
            rolled_up: Arc::new(move |_, _| std::future::ready(Ok(rolled_up.clone())).boxed()),
            local: Arc::new(move |blocks| here(0, blocks)),
            remote: Arc::new(move |member, _, blocks| read(member.id[1..].parse().unwrap(), blocks)),
        };
        DistributedBlocks::new(fixed(&self.view), "m0".into(), clients, config, self.metrics.clone())
    }

    async fn select(&self, config: QuerierConfig) -> Result<SeriesSet> {
        let request =
            SelectRequest { matchers: matchers(r#"{job="a"}"#), range: TimeRange::new(0, i64::MAX) };
        MetricsReader::select(&self.distributed(config), &ctx(), &request).await
    }

    /// Every block's sample is there once.
    async fn check(&self, config: QuerierConfig) {
        let set = self.select(config).await.unwrap();
        let times: Vec<_> = self.blocks.iter().map(|block| (block.min_time, 1.0)).collect();
        assert_eq!(samples(&set), [(labels("job=a"), times)]);
    }
}

fn distributing() -> QuerierConfig {
    QuerierConfig { small_query_bytes: 0, ..QuerierConfig::default() }
}

#[tokio::test]
async fn each_block_is_read_by_its_owner_and_by_nobody_else() {
    let world = World::new(4, 60);
    world.check(distributing()).await;
    let first: BTreeMap<Ulid, Vec<usize>> = std::mem::take(&mut *world.reads.lock());
    for block in &world.blocks {
        // Whoever answers for us is asked once more, for what may be needed later, and only then.
        let owner = usize::from(world.view.replicas(xxhash_rust::xxh3::xxh3_64(&block.id.to_bytes()))[0]);
        let others = first[&block.id].iter().filter(|reader| **reader != owner);
        assert!(others.eq(if owner == 0 { [].iter() } else { [0].iter() }), "{:?}", first[&block.id]);
    }
    let readers: std::collections::BTreeSet<_> = first.values().map(|readers| readers[0]).collect();
    assert_eq!(readers, (0..4).collect());
    world.check(distributing()).await;
    assert_eq!(*world.reads.lock(), first, "owners change from query to query");
    let local = world.metrics.local_blocks.get();
    assert_eq!((local + world.metrics.remote_blocks.get(), local > 0), (120, true));
}

#[tokio::test]
async fn whatever_fails_every_block_is_read() {
    for failing in 0u32..16 {
        let world = World::new(4, 40);
        for (at, reader) in world.readers.iter().enumerate() {
            let fails = failing >> at & 1 == 1;
            reader.set(if fails { Mode::Fails(Code::Unavailable) } else { Mode::Answers });
        }
        if failing & 1 == 0 {
            world.check(distributing()).await;
            assert!(world.metrics.failed_owners.get() >= u64::from(failing.count_ones()));
        } else {
            // We own some, and what we cannot read nobody else is asked for.
            assert_eq!(world.select(distributing()).await.err().unwrap().code, Code::Unavailable);
        }
    }
}

#[tokio::test]
async fn members_that_are_away_are_not_asked() {
    let mut world = World::new(4, 40);
    let mut members = world.view.members().to_vec();
    members[1].health = hash_ring::Health::Unhealthy;
    members[2].health = hash_ring::Health::Unhealthy;
    world.view = Arc::new(RingView::new(members, 3));
    world.readers[1].set(Mode::Hangs);
    world.readers[2].set(Mode::Hangs);
    world.check(distributing()).await;
    assert_eq!(world.metrics.failed_owners.get(), 0);
}

#[tokio::test]
async fn errors_of_the_query_are_not_tried_elsewhere() {
    let world = World::new(4, 40);
    world.readers.iter().for_each(|reader| reader.set(Mode::Fails(Code::Unprocessable)));
    let config = QuerierConfig { concurrent_owners: 1, ..distributing() };
    assert_eq!(world.select(config).await.err().unwrap().code, Code::Unprocessable);
    assert_eq!(world.requests.lock().iter().sum::<usize>(), 1);
}

#[tokio::test]
async fn small_queries_and_rings_are_read_here() {
    let world = World::new(4, 3);
    world.check(QuerierConfig { small_query_bytes: 3 << 20, ..QuerierConfig::default() }).await;
    assert_eq!(*world.requests.lock(), [1, 0, 0, 0]);
    for queriers in [0, 1] {
        let world = World::new(queriers, 10);
        world.check(distributing()).await;
        assert_eq!(*world.requests.lock(), [1]);
    }
    let nothing = World::new(4, 0);
    assert!(nothing.select(distributing()).await.unwrap().series.is_empty());
    assert_eq!(*nothing.requests.lock(), [0, 0, 0, 0]);
}

#[tokio::test]
async fn one_request_goes_to_each_owner_even_one_after_the_other() {
    let world = World::new(4, 60);
    world.readers[2].set(Mode::Fails(Code::Internal));
    world.check(QuerierConfig { concurrent_owners: 1, ..distributing() }).await;
    assert_eq!(world.requests.lock()[2], 1);
}

#[tokio::test]
async fn labels_of_all_blocks_come_once() {
    let world = World::new(4, 40);
    let (blocks, ctx, query) = (world.distributed(distributing()), ctx(), label_query(Signal::Metrics, &[]));
    assert_eq!(blocks.label_names(&ctx, &query).await.unwrap().value, ["block", "job"]);
    assert_eq!(blocks.label_values(&ctx, "block", &query).await.unwrap().value.len(), 40);
    assert_eq!(blocks.series(&ctx, &query).await.unwrap().value.len(), 41);
    assert!(blocks.metadata(&ctx, None).await.unwrap().is_empty());
    assert!(blocks.exemplars(&ctx, &query).await.unwrap().is_empty());
}

#[tokio::test]
async fn pages_of_a_querier_that_dies_are_read_here() {
    let world = World::new(4, 40);
    let blocks = world.distributed(distributing());
    let set = LogsReader::select(&blocks, &ctx(), &all_streams()).await.unwrap();
    world.readers[1..].iter().for_each(|reader| reader.set(Mode::Fails(Code::Unavailable)));
    let pages: Vec<_> = set.streams[0].pages.iter().collect();
    assert_eq!(pages.len(), 40);
    let sources = service_api::fetch_pages(&ctx(), &pages).await.unwrap();
    let mut lines = model::Lines::default();
    for (source, block) in sources.iter().zip(&world.blocks) {
        assert!(source.read(&service_api::Needles::default(), &mut lines).unwrap());
        assert_eq!((lines.len(), lines.line(0)), (1, format!("line of {}", block.id).as_bytes()));
    }
    assert_eq!(world.metrics.rescued_pages.get(), world.metrics.remote_blocks.get());
}
