//! What the log's threads and its callers have in common.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

use super::{SegmentInfo, WalError, WalMetrics, format, queue::Queue};
use crate::fs::Fs;

pub(super) struct Shared {
    pub fs: Arc<dyn Fs>,
    pub dir: PathBuf,
    pub metrics: WalMetrics,
    pub queue: Queue,
    pub room: Arc<Semaphore>,
    /// Set once, for good.
    pub failure: watch::Sender<Option<WalError>>,
    pub finished: watch::Sender<bool>,
    /// Number and bytes of each segment on disk.
    segments: Mutex<BTreeMap<u64, u64>>,
    /// Segments that are never removed.
    kept: Mutex<BTreeSet<u64>>,
    removing: Mutex<()>,
}

impl Shared {
    pub(super) fn new(
        fs: Arc<dyn Fs>,
        dir: PathBuf,
        queue_bytes: usize,
        segments: BTreeMap<u64, u64>,
    ) -> Self {
        let shared = Self {
            fs,
            dir,
            metrics: WalMetrics::default(),
            queue: Queue::default(),
            room: Arc::new(Semaphore::new(queue_bytes)),
            failure: watch::Sender::new(None),
            finished: watch::Sender::new(false),
            segments: Mutex::new(segments),
            kept: Mutex::default(),
            removing: Mutex::new(()),
        };
        shared.measure(&shared.segments.lock());
        shared
    }

    pub(super) fn failure(&self) -> Option<WalError> {
        self.failure.borrow().clone()
    }

    /// Fails the log for good and says so once.
    pub(super) fn fail(&self, what: &str) -> WalError {
        let mut result = WalError::Failed(what.into());
        self.failure.send_modify(|failure| match failure {
            Some(earlier) => result = earlier.clone(),
            None => {
                tracing::error!(error = what, "the write-ahead log has failed; a restart replays it");
                self.metrics.failures.inc();
                *failure = Some(result.clone());
            }
        });
        result
    }

    pub(super) fn close(&self) {
        self.room.close();
        self.queue.close();
    }

    pub(super) fn set_segment(&self, number: u64, bytes: u64) {
        let mut segments = self.segments.lock();
        segments.insert(number, bytes);
        self.measure(&segments);
    }

    pub(super) fn segments(&self) -> Vec<SegmentInfo> {
        self.segments.lock().iter().map(|(&number, &bytes)| SegmentInfo { number, bytes }).collect()
    }

    pub(super) fn keep(&self, segments: BTreeSet<u64>) {
        *self.kept.lock() = segments;
    }

    /// Oldest first and each one durably, so that a power loss leaves no gap but for those that are kept. The
    /// newest stays: its number must not be given again.
    pub(super) fn remove_up_to(&self, last: u64) -> Result<usize, WalError> {
        let _one_at_a_time = self.removing.lock();
        let mut old = self.segments();
        old.pop();
        {
            let kept = self.kept.lock();
            old.retain(|segment| segment.number <= last && !kept.contains(&segment.number));
        }
        for segment in &old {
            let path = self.dir.join(format::file_name(segment.number));
            self.fs.remove(&path).map_err(|error| WalError::io(&path, error))?;
            self.fs.sync_dir(&self.dir).map_err(|error| WalError::io(&self.dir, error))?;
            let mut segments = self.segments.lock();
            segments.remove(&segment.number);
            self.measure(&segments);
        }
        Ok(old.len())
    }

    pub(super) fn measure_queue(&self, bound: usize) {
        let used = bound.saturating_sub(self.room.available_permits());
        self.metrics.queue_bytes.set(used as i64);
    }

    fn measure(&self, segments: &BTreeMap<u64, u64>) {
        self.metrics.segments.set(segments.len() as i64);
        self.metrics.segment_bytes.set(segments.values().sum::<u64>() as i64);
    }
}
