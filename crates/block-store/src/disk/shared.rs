//! What those who read the cache on disk and the one who writes it share.

use super::{
    DiskMetrics, Io, MAX_SEGMENT, PAUSE, SEGMENTS,
    index::{Found, Index},
    record::Part,
};
use bytes::Bytes;
use parking_lot::Mutex;
use runtime::Clock;
use std::{
    fs::File,
    io,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

/// What readers and the writer share.
pub(super) struct Shared {
    pub(super) capacity: u64,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) io: Box<dyn Io>,
    pub(super) index: Mutex<Index>,
    pub(super) queued_bytes: AtomicUsize,
    /// Until when, in milliseconds of the monotonic clock, nothing is read or written.
    pub(super) no_reads: AtomicU64,
    pub(super) no_writes: AtomicU64,
    pub(super) metrics: DiskMetrics,
    /// Held until the last of the two is gone.
    pub(super) _lock: File,
}

impl Shared {
    pub(super) fn segment_bytes(&self) -> u64 {
        (self.capacity / SEGMENTS).min(MAX_SEGMENT)
    }

    /// Leaves out the parts that are certainly not here.
    pub(super) fn known(
        &self,
        object: &str,
        mut parts: Vec<(usize, Range<u64>)>,
    ) -> Vec<(usize, Range<u64>)> {
        if self.paused(&self.no_reads) {
            return Vec::new();
        }
        let index = self.index.lock();
        parts.retain(|(_, range)| {
            let len = u32::try_from(range.end - range.start);
            len.is_ok_and(|len| index.has(Part { object, offset: range.start, len }.key()))
        });
        parts
    }

    /// A record's data, if it is what it should be; if not it is forgotten.
    pub(super) fn load(&self, part: &Part<'_>, found: &Found) -> Option<Bytes> {
        let mut record = Vec::new();
        let read = if found.place.len as usize == part.record_len() {
            record.resize(part.record_len(), 0);
            self.io.read_at(&found.file, &mut record, found.place.offset)
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        };
        match read {
            Ok(()) if part.is_in(&record) => return Some(Bytes::from(record).slice(part.data_range())),
            Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => self.broken(&self.no_reads, "read", &e),
            _ => {
                self.metrics.damaged.inc();
            }
        }
        self.index.lock().forget(part.key(), &found.place);
        None
    }

    pub(super) fn paused(&self, until: &AtomicU64) -> bool {
        self.now() < until.load(Relaxed)
    }

    /// Counts an error of the disk, and leaves it alone for a while.
    pub(super) fn broken(&self, until: &AtomicU64, what: &str, error: &io::Error) {
        self.metrics.errors.inc();
        if !self.paused(until) {
            tracing::warn!(%error, "the cache on disk could not be {what}; leaving it alone for {PAUSE:?}");
        }
        until.store(self.now() + PAUSE.as_millis() as u64, Relaxed);
    }

    fn now(&self) -> u64 {
        self.clock.monotonic().as_millis() as u64
    }
}
