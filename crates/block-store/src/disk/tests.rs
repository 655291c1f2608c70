//! Tests of the cache on disk: what it gives is right, it keeps its bound, and a broken disk is nobody's problem.

use super::*;
use parking_lot::{Condvar, Mutex as Lock};
use proptest::prelude::*;
use runtime::ManualClock;
use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst},
};
use tempfile::TempDir;

const CAPACITY: u64 = 64 << 10;

/// A disk that breaks on demand, and sees to it that nobody writes beyond the bound.
#[derive(Default)]
struct Faulty {
    folder: PathBuf,
    capacity: u64,
    /// Bytes that may still be written.
    room: AtomicI64,
    unreadable: AtomicBool,
    reads: Gate,
    writes: Gate,
}

/// While it is shut nobody gets by.
#[derive(Default)]
struct Gate {
    shut: Lock<bool>,
    opened: Condvar,
    waiting: AtomicBool,
}

impl Gate {
    fn pass(&self) {
        let mut shut = self.shut.lock();
        self.waiting.store(*shut, SeqCst);
        self.opened.wait_while(&mut shut, |shut| *shut);
    }

    fn set_shut(&self, shut: bool) {
        *self.shut.lock() = shut;
        self.opened.notify_all();
    }
}

impl Io for Arc<Faulty> {
    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.reads.pass();
        if self.unreadable.load(SeqCst) {
            return Err(io::Error::other("a bad sector"));
        }
        RealIo.read_at(file, buffer, offset)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.writes.pass();
        let room = self.room.fetch_sub(bytes.len() as i64, SeqCst);
        if room < bytes.len() as i64 {
            RealIo.write_at(file, &bytes[..room.max(0) as usize], offset)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        RealIo.write_at(file, bytes, offset)?;
        assert!(size_of_folder(&self.folder) <= self.capacity);
        Ok(())
    }
}

fn size_of_folder(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.filter(|e| e.file_name() != "unknown").map(|e| e.metadata().unwrap().len()).sum()
}

struct World {
    dir: TempDir,
    clock: Arc<ManualClock>,
    metrics: DiskMetrics,
}

impl World {
    fn new() -> Self {
        let (dir, clock) = (TempDir::new().unwrap(), Arc::new(ManualClock::at(0)));
        Self { dir, clock, metrics: DiskMetrics::default() }
    }

    fn open(&self, capacity: u64) -> (DiskCache, Arc<Faulty>) {
        let (folder, room) = (self.dir.path().to_owned(), AtomicI64::new(i64::MAX));
        let faulty = Arc::new(Faulty { folder, capacity, room, ..Faulty::default() });
        let io = Box::new(Arc::clone(&faulty));
        let cache = DiskCache::open(self.dir.path(), capacity, self.clock.clone(), io, self.metrics.clone());
        let cache = cache.unwrap();
        cache.settle();
        (cache, faulty)
    }

    fn segments(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut found: Vec<_> = entries.filter(|path| path.extension().is_some()).collect();
        found.sort();
        found
    }
}

/// Objects have other bytes everywhere.
fn truth(object: usize, range: Range<u64>) -> Bytes {
    range.map(|at| (at.wrapping_mul(2_654_435_761 + object as u64) >> 7) as u8).collect::<Vec<_>>().into()
}

fn name(object: usize) -> Arc<str> {
    format!("tenant/metrics/blocks/{object:026}").into()
}

fn keep(cache: &DiskCache, object: usize, range: Range<u64>) {
    cache.keep(&name(object), range.start, truth(object, range));
}

/// Whether it is there; if it is, it is right.
async fn is_there(cache: &DiskCache, object: usize, range: Range<u64>) -> bool {
    let found = cache.read(&name(object), vec![(7, range.clone())]).await;
    assert!(found.is_empty() || found == [(7, truth(object, range))]);
    !found.is_empty()
}

async fn count(cache: &DiskCache, objects: Range<usize>, range: Range<u64>) -> usize {
    let mut there = 0;
    for object in objects {
        there += usize::from(is_there(cache, object, range.clone()).await);
    }
    there
}

#[derive(Clone, Debug)]
enum Step {
    Keep(usize, u64, u64),
    Read(usize, u64, u64),
    Flip(usize, u64),
    Cut(usize, u64),
    Lengthen(usize, Vec<u8>),
    Remove(usize),
    /// One file over another.
    Copy(usize, usize),
    Restart(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let part = || (0..6usize, (0..8u64).prop_map(|at| at * 300), (1..5u64).prop_map(|len| len * 300));
    let file = || 0..40usize;
    let step = prop_oneof![
        8 => part().prop_map(|(object, at, len)| Step::Keep(object, at, len)),
        8 => part().prop_map(|(object, at, len)| Step::Read(object, at, len)),
        2 => (file(), 0..20_000u64).prop_map(|(file, at)| Step::Flip(file, at)),
        1 => (file(), 0..4_000u64).prop_map(|(file, len)| Step::Cut(file, len)),
        1 => (file(), prop::collection::vec(any::<u8>(), 1..50)).prop_map(|(file, more)| Step::Lengthen(file, more)),
        1 => file().prop_map(Step::Remove),
        1 => (file(), file()).prop_map(|(from, to)| Step::Copy(from, to)),
        1 => (12_000..CAPACITY).prop_map(Step::Restart),
    ];
    prop::collection::vec(step, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_it_gives_is_right_whatever_happens_to_its_files(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let world = World::new();
            // Files that were lengthened by others may be over the bound until they are looked at again.
            let open = |capacity| {
                let (clock, metrics) = (world.clock.clone(), world.metrics.clone());
                let cache = DiskCache::open(world.dir.path(), capacity, clock, Box::new(RealIo), metrics).unwrap();
                cache.settle();
                assert!(size_of_folder(world.dir.path()) <= capacity);
                cache
            };
            let mut cache = open(CAPACITY);
            let pick = |at: usize| {
                let files = world.segments();
                (!files.is_empty()).then(|| files[at % files.len()].clone())
            };
            for step in steps {
                match step {
                    Step::Keep(object, at, len) => {
                        keep(&cache, object, at..at + len);
                        cache.settle();
                    }
                    Step::Read(object, at, len) => {
                        is_there(&cache, object, at..at + len).await;
                    }
                    Step::Flip(file, at) => {
                        let Some(path) = pick(file) else { continue };
                        let mut bytes = fs::read(&path).unwrap();
                        let at = at as usize % bytes.len().max(1);
                        bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 0x40);
                        fs::write(&path, bytes).unwrap();
                    }
                    Step::Cut(file, len) => {
                        let Some(path) = pick(file) else { continue };
                        let file = File::options().write(true).open(path).unwrap();
                        file.set_len(len.min(file.metadata().unwrap().len())).unwrap();
                    }
                    Step::Lengthen(file, more) => {
                        let Some(path) = pick(file) else { continue };
                        let bytes = fs::read(&path).unwrap();
                        fs::write(&path, [bytes, more].concat()).unwrap();
                    }
                    Step::Remove(file) => {
                        let Some(path) = pick(file) else { continue };
                        fs::remove_file(path).unwrap();
                    }
                    Step::Copy(from, to) => {
                        let (Some(from), Some(to)) = (pick(from), pick(to)) else { continue };
                        fs::write(to, fs::read(from).unwrap()).unwrap();
                    }
                    Step::Restart(capacity) => {
                        cache.close();
                        cache = open(capacity);
                    }
                }
            }
        });
    }
}

#[tokio::test]
async fn keeps_its_bound_and_what_is_used() {
    let world = World::new();
    let (cache, _) = world.open(CAPACITY);
    for object in 0..400 {
        keep(&cache, object, 0..1_000);
        cache.settle();
        // Somebody wants this one all the time.
        assert!(is_there(&cache, 3.min(object), 0..1_000).await, "{object}");
        cache.settle();
    }
    let size = size_of_folder(world.dir.path());
    assert!(size <= CAPACITY && size > CAPACITY / 10 * 8, "{size}");
    assert_eq!(world.metrics.bytes.get() as u64, size);
    assert!(world.metrics.evictions.get() > 300);
    let there = count(&cache, 0..400, 0..1_000).await;
    assert!(there > 45 && there <= 64, "{there}");
    // The bound is smaller now: what is newest stays.
    cache.close();
    let (cache, _) = world.open(CAPACITY / 4);
    assert!(size_of_folder(world.dir.path()) <= CAPACITY / 4);
    let there = count(&cache, 0..400, 0..1_000).await;
    assert!(there >= 10, "{there}");
    // What is larger than its share is not kept.
    keep(&cache, 1_000, 0..CAPACITY / 4 / SEGMENTS);
    cache.settle();
    assert!(!is_there(&cache, 1_000, 0..CAPACITY / 4 / SEGMENTS).await);
}

#[tokio::test]
async fn a_part_is_written_once_and_only_that_part_is_found() {
    let world = World::new();
    let (cache, _) = world.open(CAPACITY);
    for _ in 0..3 {
        keep(&cache, 1, 100..400);
        keep(&cache, 1, 100..400);
        cache.settle();
    }
    assert_eq!(world.segments().len(), 1);
    let size = fs::metadata(&world.segments()[0]).unwrap().len();
    assert!(size < 500, "{size}");
    assert!(is_there(&cache, 1, 100..400).await);
    assert!(!is_there(&cache, 1, 100..300).await);
    assert!(!is_there(&cache, 1, 101..401).await);
    assert!(!is_there(&cache, 2, 100..400).await);
    // A whole `u64` of bytes is no part.
    assert!(!is_there(&cache, 2, 0..u64::MAX).await);
    assert_eq!((world.metrics.hits.get(), world.metrics.misses.get()), (1, 4));
}

#[tokio::test]
async fn what_a_crash_leaves_is_cleaned_up_and_the_rest_is_found_again() {
    let world = World::new();
    let (cache, _) = world.open(CAPACITY);
    for object in 0..6 {
        keep(&cache, object, 0..900);
    }
    cache.settle();
    cache.close();
    let files = world.segments();
    assert_eq!(files.len(), 3);
    // The last record is half written, and so is the beginning of the next segment.
    let last = File::options().write(true).open(&files[2]).unwrap();
    let whole = last.metadata().unwrap().len();
    last.set_len(whole - 300).unwrap();
    fs::write(world.dir.path().join("000000ff.segment"), b"YGCA").unwrap();
    fs::write(world.dir.path().join("000000fe.segment"), b"").unwrap();
    // Somebody else's.
    for name in ["unknown", "00000001.segment.bak", "1.segment", "0000000G.segment"] {
        fs::write(world.dir.path().join(name), b"x").unwrap();
    }
    fs::create_dir(world.dir.path().join("00000077.segment")).unwrap();

    let (cache, _) = world.open(CAPACITY);
    assert_eq!(count(&cache, 0..6, 0..900).await, 5);
    assert_eq!(fs::metadata(&files[2]).unwrap().len(), 8 + (whole - 8) / 2);
    assert!(!world.dir.path().join("000000ff.segment").exists());
    assert!(!world.dir.path().join("000000fe.segment").exists());
    for name in ["unknown", "00000001.segment.bak", "1.segment", "0000000G.segment", "00000077.segment"] {
        assert!(world.dir.path().join(name).exists(), "{name}");
    }
    assert_eq!(world.metrics.damaged.get(), 3);
    keep(&cache, 5, 0..900);
    cache.settle();
    cache.close();
    let (cache, _) = world.open(CAPACITY);
    assert_eq!(count(&cache, 0..6, 0..900).await, 6);
    assert_eq!(world.metrics.damaged.get(), 3);
}

#[tokio::test]
async fn a_full_disk_is_left_alone_for_a_while_and_still_read() {
    let world = World::new();
    let (cache, disk) = world.open(CAPACITY);
    keep(&cache, 0, 0..900);
    cache.settle();
    // Room for half a record.
    disk.room.store(450, SeqCst);
    keep(&cache, 1, 0..900);
    cache.settle();
    disk.room.store(i64::MAX, SeqCst);
    keep(&cache, 2, 0..900);
    cache.settle();
    assert_eq!(count(&cache, 0..3, 0..900).await, 1);
    assert_eq!(world.metrics.errors.get(), 1);
    world.clock.advance(PAUSE);
    keep(&cache, 2, 0..900);
    cache.settle();
    assert_eq!(count(&cache, 0..3, 0..900).await, 2);
    // It is full again, with much in the queue.
    disk.room.store(3, SeqCst);
    for object in 3..9 {
        keep(&cache, object, 0..900);
    }
    cache.settle();
    assert_eq!(world.metrics.errors.get(), 2);
    cache.close();
    let (cache, _) = world.open(CAPACITY);
    assert_eq!(count(&cache, 0..9, 0..900).await, 2);
    assert_eq!(world.metrics.damaged.get(), 0);
}

#[tokio::test]
async fn a_disk_that_cannot_be_read_is_left_alone_for_a_while() {
    let world = World::new();
    let (cache, disk) = world.open(CAPACITY);
    for object in 0..3 {
        keep(&cache, object, 0..900);
    }
    cache.settle();
    disk.unreadable.store(true, SeqCst);
    assert!(!is_there(&cache, 0, 0..900).await);
    disk.unreadable.store(false, SeqCst);
    assert_eq!(count(&cache, 0..3, 0..900).await, 0);
    world.clock.advance(PAUSE);
    assert_eq!(count(&cache, 0..3, 0..900).await, 2);
    assert_eq!((world.metrics.errors.get(), world.metrics.damaged.get()), (1, 0));
}

#[tokio::test]
async fn a_slow_disk_holds_up_nobody_and_what_waits_is_bounded() {
    let world = World::new();
    // Large parts, so that bytes are the bound that is met.
    let (cache, disk) = world.open(256 << 20);
    disk.writes.set_shut(true);
    let part = 0..4u64 << 20;
    let data = truth(0, part.clone());
    for object in 0..40 {
        cache.keep(&name(object), 0, data.clone());
        assert!(cache.read(&name(object), vec![(0, part.clone())]).await.is_empty());
    }
    let waits = cache.shared.queued_bytes.load(SeqCst);
    assert!(waits <= QUEUE_BYTES + (4 << 20), "{waits}");
    assert!(world.metrics.dropped.get() >= 20);
    disk.writes.set_shut(false);
    cache.settle();
    assert_eq!(cache.shared.queued_bytes.load(SeqCst), 0);
    // What was not kept for want of room may be kept later.
    cache.keep(&name(39), 0, data.clone());
    cache.settle();
    assert_eq!(cache.read(&name(39), vec![(0, part)]).await, [(0, data)]);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_does_not_answer_is_not_waited_for() {
    let world = World::new();
    let (cache, disk) = world.open(CAPACITY);
    keep(&cache, 0, 0..900);
    cache.settle();
    disk.reads.set_shut(true);
    let mut read = Box::pin(is_there(&cache, 0, 0..900));
    while !disk.reads.waiting.load(SeqCst) {
        assert!(futures::poll!(&mut read).is_pending());
        tokio::task::yield_now().await;
    }
    tokio::time::advance(PATIENCE).await;
    assert!(!read.await);
    disk.reads.set_shut(false);
    assert!(!is_there(&cache, 0, 0..900).await);
    world.clock.advance(PAUSE);
    assert!(is_there(&cache, 0, 0..900).await);
    assert_eq!(world.metrics.errors.get(), 1);
}

#[test]
fn a_folder_is_one_caches() {
    let world = World::new();
    let (cache, _) = world.open(CAPACITY);
    let again =
        |metrics| DiskCache::open(world.dir.path(), CAPACITY, world.clock.clone(), Box::new(RealIo), metrics);
    assert!(again(DiskMetrics::default()).is_err());
    cache.close();
    again(DiskMetrics::default()).unwrap().close();
    let file = world.dir.path().join("unknown");
    fs::write(&file, "").unwrap();
    let opened =
        DiskCache::open(&file, CAPACITY, world.clock.clone(), Box::new(RealIo), DiskMetrics::default());
    assert!(opened.is_err());
}

#[test]
fn many_who_read_and_keep_at_once_get_what_is_right() {
    let world = World::new();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    let (cache, _) = world.open(CAPACITY);
    let cache = Arc::new(cache);
    runtime.block_on(async {
        let tasks = (0..8usize).map(|task| {
            let cache = Arc::clone(&cache);
            tokio::spawn(async move {
                for round in 0..150usize {
                    let objects: Vec<usize> = (0..40).map(|n| (task * 7 + round * 3 + n) % 120).collect();
                    for object in objects {
                        if !is_there(&cache, object, 0..1_000).await {
                            keep(&cache, object, 0..1_000);
                        }
                    }
                }
            })
        });
        for task in futures::future::join_all(tasks).await {
            task.unwrap();
        }
        cache.settle();
        let parts = (0..200).map(|at| (at, at as u64 * 1_000..(at as u64 + 1) * 1_000)).collect();
        assert!(cache.read(&name(0), parts).await.len() <= 1);
    });
    drop(runtime);
    assert!(size_of_folder(world.dir.path()) <= CAPACITY);
    assert!(world.metrics.hits.get() > 0 && world.metrics.evictions.get() > 0);
    let kept = world.segments().len();
    assert!(kept <= 2 * SEGMENTS as usize, "{kept}");
}
