//! A cache on disk of parts of blocks, under the caches in memory.
//!
//! Records lie one behind the other in a few dozen segment files, which are filled in turn and thrown away
//! whole, the oldest first. That keeps the bound exactly, however the process ends, and costs no file a part. A
//! record that is read shortly before its segment goes is written once more, so that what is used stays.
//!
//! Nothing on the disk is believed: a record names the object and the part that it is of, and has a checksum.
//! One that does not read back as it was written is forgotten, and the bucket is read instead. Parts of blocks
//! never change, so that no record is ever out of date.

mod index;
mod metrics;
mod record;
mod scan;
mod shared;
mod writer;

pub(crate) use metrics::DiskMetrics;

use bytes::Bytes;
use futures::{StreamExt, stream};
use parking_lot::Mutex;
use record::{MAX_NAME, Part};
use runtime::Clock;
use shared::Shared;
use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
        mpsc::{SyncSender, sync_channel},
    },
    time::Duration,
};
use writer::{Job, Writer};

/// The cache is so many segments large, so that a part may take as much of it and no more.
const SEGMENTS: u64 = 32;
const MAX_SEGMENT: u64 = 256 << 20;
/// What waits to be written; beyond it parts are not kept.
const QUEUE_PARTS: usize = 4_096;
const QUEUE_BYTES: usize = 64 << 20;
/// For how long the disk is left alone after an error.
const PAUSE: Duration = Duration::from_secs(60);
/// A disk that has not answered by then is not waited for: the bucket is there, too.
const PATIENCE: Duration = Duration::from_secs(5);
/// Parts that one thread reads, and threads that read for one query.
const BATCH: usize = 32;
const CONCURRENT_BATCHES: usize = 4;

/// How files are read and written, so that tests can break the disk.
pub(crate) trait Io: Send + Sync {
    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()>;
}

pub(crate) struct RealIo;

impl Io for RealIo {
    fn read_at(&self, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        file.read_exact_at(buffer, offset)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }
}

/// The cache. What it holds of a folder from before is known a moment after it is opened.
pub(crate) struct DiskCache {
    shared: Arc<Shared>,
    jobs: SyncSender<Job>,
    #[cfg(test)]
    thread: std::thread::JoinHandle<()>,
}

impl DiskCache {
    /// # Errors
    /// If the folder cannot be made, or another cache uses it.
    pub(crate) fn open(
        folder: &Path,
        capacity: u64,
        clock: Arc<dyn Clock>,
        io: Box<dyn Io>,
        metrics: DiskMetrics,
    ) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let lock =
            File::options().create(true).truncate(false).write(true).open(folder.join(scan::LOCK_NAME))?;
        lock.try_lock()?;
        let shared = Arc::new(Shared {
            capacity,
            clock,
            io,
            index: Mutex::default(),
            queued_bytes: AtomicUsize::new(0),
            no_reads: AtomicU64::new(0),
            no_writes: AtomicU64::new(0),
            metrics,
            _lock: lock,
        });
        let (jobs, queue) = sync_channel(QUEUE_PARTS);
        let writer = Writer::new(Arc::clone(&shared), folder.to_owned());
        let _thread =
            std::thread::Builder::new().name("disk-cache".to_owned()).spawn(|| writer.run(queue))?;
        Ok(Self {
            shared,
            jobs,
            #[cfg(test)]
            thread: _thread,
        })
    }

    /// Those of an object's numbered parts that are here, in no order.
    pub(crate) async fn read(
        &self,
        object: &Arc<str>,
        parts: Vec<(usize, Range<u64>)>,
    ) -> Vec<(usize, Bytes)> {
        let all = parts.len();
        let here = self.shared.known(object, parts);
        self.shared.metrics.misses.inc_by((all - here.len()) as u64);
        let batches = here.chunks(BATCH).map(|batch| {
            let (batch, object, this) = (batch.to_vec(), Arc::clone(object), self.reader());
            tokio::task::spawn_blocking(move || {
                let read = |(number, range): (usize, Range<u64>)| Some((number, this.read(&object, range)?));
                batch.into_iter().filter_map(read).collect::<Vec<_>>()
            })
        });
        let batches: Vec<_> = batches.collect();
        let read = stream::iter(batches).buffer_unordered(CONCURRENT_BATCHES).collect::<Vec<_>>();
        match tokio::time::timeout(PATIENCE, read).await {
            // A task that was lost has read nothing.
            Ok(read) => read.into_iter().flatten().flatten().collect(),
            Err(_) => {
                self.shared.broken(&self.shared.no_reads, "read", &io::ErrorKind::TimedOut.into());
                Vec::new()
            }
        }
    }

    /// Keeps a part, unless too much waits to be written already.
    pub(crate) fn keep(&self, object: &Arc<str>, offset: u64, data: Bytes) {
        self.reader().keep(object, offset, data, false);
    }

    fn reader(&self) -> Reader {
        Reader { shared: Arc::clone(&self.shared), jobs: self.jobs.clone() }
    }

    /// Waits until all that was kept until now is written.
    #[cfg(test)]
    pub(crate) fn settle(&self) {
        let (done, settled) = sync_channel(0);
        self.jobs.send(Job::Settled(done)).unwrap();
        settled.recv().unwrap();
    }

    /// Ends like a process that has had the time to write everything.
    #[cfg(test)]
    pub(crate) fn close(self) {
        let Self { shared, jobs, thread } = self;
        drop((shared, jobs));
        thread.join().unwrap();
    }
}

/// The cache as a thread that reads has it.
struct Reader {
    shared: Arc<Shared>,
    jobs: SyncSender<Job>,
}

impl Reader {
    fn read(&self, object: &Arc<str>, range: Range<u64>) -> Option<Bytes> {
        let shared = &self.shared;
        let len = u32::try_from(range.end - range.start).ok()?;
        let part = Part { object, offset: range.start, len };
        let found = shared.index.lock().find(part.key(), shared.capacity);
        let read = found.and_then(|found| Some((shared.load(&part, &found)?, found.old)));
        let Some((data, old)) = read else {
            shared.metrics.misses.inc();
            return None;
        };
        shared.metrics.hits.inc();
        if old {
            self.keep(object, range.start, data.clone(), true);
        }
        Some(data)
    }

    /// `again`: though it is here, because it would be thrown away soon.
    fn keep(&self, object: &Arc<str>, offset: u64, data: Bytes, again: bool) {
        let (shared, Ok(len)) = (&self.shared, u32::try_from(data.len())) else { return };
        let part = Part { object, offset, len };
        let fits = object.len() <= MAX_NAME
            && part.record_len() as u64 + scan::MAGIC.len() as u64 <= shared.segment_bytes();
        if !fits || shared.paused(&shared.no_writes) {
            return;
        }
        let key = part.key();
        if !shared.index.lock().claim(key, again) {
            return;
        }
        let full = shared.queued_bytes.fetch_add(data.len(), Relaxed) > QUEUE_BYTES;
        let job = Job::Keep { key, object: Arc::clone(object), offset, data };
        if full || self.jobs.try_send(job).is_err() {
            shared.queued_bytes.fetch_sub(len as usize, Relaxed);
            shared.index.lock().release(key);
            shared.metrics.dropped.inc();
        }
    }
}

#[cfg(test)]
mod tests;
