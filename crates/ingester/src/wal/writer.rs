//! The writer: takes what waits, encodes it, writes it and syncs once for all of it.

use std::{mem, sync::Arc, time::Duration};

use runtime::Clock;

use super::{
    Position, Sync, WalConfig, WalError,
    applier::Told,
    format::{self, FRAME_HEADER, HEADER_AREA, MAX_PAYLOAD, SegmentHeader},
    is_no_space,
    queue::{Entry, Queued},
    segment::Segment,
    shared::Shared,
};

/// A sync shorter than this is not worth waiting for company.
const QUICK_SYNC: Duration = Duration::from_millis(1);
/// How long to refuse at once after a segment found no space.
const SPACE_RETRY: Duration = Duration::from_secs(1);
/// Bytes of frames written at once.
const MAX_WRITE: usize = 8 << 20;

/// Where the log ends that the writer takes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogEnd {
    /// The newest segment, 0 if there is none, and where it ends.
    pub segment: u64,
    pub offset: u64,
    pub next_sequence: u64,
}

pub(super) struct Writer<Tell> {
    shared: Arc<Shared>,
    config: WalConfig,
    clock: Arc<dyn Clock>,
    /// Hands groups to the applier; false if that is gone.
    tell: Tell,
    end: LogEnd,
    current: Option<Segment>,
    /// The frames of the group, and its records with the end of each.
    buffer: Vec<u8>,
    group: Vec<(Queued, u64)>,
    busy: bool,
    last_sync: Duration,
    /// With `sync: interval`: when the first byte was written that is not synced.
    dirty_since: Option<Duration>,
    retry_at: Option<Duration>,
}

impl<Tell: FnMut(Vec<Told>) -> bool> Writer<Tell> {
    pub(super) fn new(
        shared: Arc<Shared>,
        config: WalConfig,
        clock: Arc<dyn Clock>,
        end: LogEnd,
        tell: Tell,
    ) -> Self {
        Self {
            shared,
            config,
            clock,
            tell,
            end,
            current: None,
            buffer: Vec::new(),
            group: Vec::new(),
            busy: false,
            last_sync: Duration::ZERO,
            dirty_since: None,
            retry_at: None,
        }
    }

    /// Until the queue is closed and empty.
    pub(super) fn run(&mut self) {
        loop {
            self.shared.queue.wait(self.until_sync());
            if self.busy && self.last_sync >= QUICK_SYNC {
                let window = self.config.group_window().min(self.last_sync);
                self.shared.queue.gather(self.config.group_bytes as usize, window);
            }
            if self.step() {
                return;
            }
        }
    }

    /// Does what waits. True if nothing will follow.
    pub(super) fn step(&mut self) -> bool {
        let taken = self.shared.queue.take();
        self.busy = taken.entries.len() > 1;
        self.process(taken.entries);
        if taken.closed || self.until_sync() == Some(Duration::ZERO) {
            // Nobody waits for the answer: a failure is told to those who come later.
            let _ = self.sync();
        }
        taken.closed
    }

    pub(super) fn process(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            match entry {
                Entry::Record(queued) => self.add(queued),
                Entry::Cut(reply) => {
                    self.finish_group();
                    let result = self.cut();
                    self.send(vec![Told::Cut { reply, result }]);
                }
            }
        }
        self.finish_group();
    }

    fn add(&mut self, mut queued: Queued) {
        if let Err(error) = self.make_room(queued.approx_bytes) {
            return self.refuse(vec![(queued, 0)], &error);
        }
        let Some(segment) = &self.current else {
            let error = self.shared.fail("no segment to write to");
            return self.refuse(vec![(queued, 0)], &error);
        };
        let start = self.buffer.len();
        let offset = segment.end + start as u64;
        self.buffer.resize(start + FRAME_HEADER, 0);
        queued.record.encode(segment.header.number, &mut self.buffer);
        let bytes = self.buffer.len() - start - FRAME_HEADER;
        if bytes > MAX_PAYLOAD {
            self.buffer.truncate(start);
            self.finish_group();
            let too_large = WalError::TooLarge { bytes, max: MAX_PAYLOAD };
            let error = self.leave_segment().err().unwrap_or(too_large);
            return self.refuse(vec![(queued, 0)], &error);
        }
        let sequence = self.end.next_sequence + self.group.len() as u64;
        format::finish_frame(&mut self.buffer, start, &segment.header, offset, sequence);
        self.group.push((queued, segment.end + self.buffer.len() as u64));
        if self.buffer.len() >= MAX_WRITE {
            self.finish_group();
        }
    }

    /// Sees to it that there is a segment with room. Records are encoded only after that, so that each is encoded
    /// once; one that turns out longer than announced makes its segment grow.
    fn make_room(&mut self, approx_bytes: usize) -> Result<(), WalError> {
        if let Some(failure) = self.shared.failure() {
            return Err(failure);
        }
        let size = self.config.segment_size;
        let wanted = ((FRAME_HEADER + approx_bytes) as u64).min(size / 4);
        match &self.current {
            Some(segment) if segment.end + self.buffer.len() as u64 + wanted <= size => self.reserve(size),
            _ => {
                self.finish_group();
                self.next_segment(size)
            }
        }
    }

    /// Takes the space of a segment that was begun by a cut.
    fn reserve(&mut self, size: u64) -> Result<(), WalError> {
        let Some(segment) = &mut self.current else { return Ok(()) };
        match segment.reserve(size) {
            Ok(()) => Ok(()),
            Err(error) if is_no_space(&error) => Err(self.no_space(&error)),
            Err(error) => {
                let path = segment.path.display().to_string();
                Err(self.shared.fail(&format!("cannot reserve space for {path}: {error}")))
            }
        }
    }

    /// Returns the greatest segment that has something in it or is older.
    fn cut(&mut self) -> Result<u64, WalError> {
        if let Some(failure) = self.shared.failure() {
            return Err(failure);
        }
        if let Some(segment) = &self.current
            && segment.is_empty()
        {
            return Ok(segment.header.number - 1);
        }
        let ended = self.end.segment;
        // Its space is taken when something comes: a log at rest is small.
        match self.next_segment(HEADER_AREA as u64) {
            // The flush that follows is what will make space.
            Ok(()) | Err(WalError::NoSpace) => Ok(ended),
            Err(error) => Err(error),
        }
    }

    fn next_segment(&mut self, size: u64) -> Result<(), WalError> {
        self.leave_segment()?;
        let now = self.clock.monotonic();
        if self.retry_at.is_some_and(|at| now < at) {
            return Err(WalError::NoSpace);
        }
        self.sync_end()?;
        let number = self.end.segment + 1;
        let mut salt = crc32c::crc32c(&self.clock.now_ms().to_le_bytes());
        salt = crc32c::crc32c_append(salt, &now.as_nanos().to_le_bytes());
        let header = SegmentHeader { salt, number, previous_end: self.end.offset };
        let shared = &self.shared;
        match Segment::create(&*shared.fs, &shared.dir, header, size) {
            Ok(segment) => {
                self.retry_at = None;
                self.trim();
                self.shared.set_segment(number, segment.end);
                self.end.segment = number;
                self.end.offset = segment.end;
                self.current = Some(segment);
                Ok(())
            }
            Err(error) if is_no_space(&error) => {
                self.retry_at = Some(now + SPACE_RETRY);
                Err(self.no_space(&error))
            }
            Err(error) => Err(shared.fail(&format!("cannot start segment {number}: {error}"))),
        }
    }

    /// Writes no more to the segment; all in it is durable.
    fn leave_segment(&mut self) -> Result<(), WalError> {
        self.sync()?;
        self.current = None;
        Ok(())
    }

    /// What the next segment's header says of the newest one must hold: it is durable up to its end. Another
    /// process may have left it and died before it synced.
    fn sync_end(&self) -> Result<(), WalError> {
        if self.end.segment == 0 {
            return Ok(());
        }
        let path = self.shared.dir.join(format::file_name(self.end.segment));
        let synced = self.shared.fs.open(&path).and_then(|file| file.sync_data());
        synced.map_err(|error| self.shared.fail(&format!("cannot sync {}: {error}", path.display())))
    }

    /// Gives back the space behind the end of the segment that was left. Best effort: the next header names the
    /// end as well.
    fn trim(&self) {
        if self.end.segment > 0 {
            let path = self.shared.dir.join(format::file_name(self.end.segment));
            let trimmed = self.shared.fs.open(&path).and_then(|file| file.truncate(self.end.offset));
            if let Err(error) = trimmed {
                tracing::debug!(%error, path = %path.display(), "cannot trim a segment");
            }
        }
    }

    fn finish_group(&mut self) {
        if self.group.is_empty() {
            return;
        }
        let group = mem::take(&mut self.group);
        let result = self.write_group(group.len());
        self.buffer.clear();
        self.buffer.shrink_to(2 * MAX_WRITE);
        if let Err(error) = result {
            return self.refuse(group, &error);
        }
        let segment = self.end.segment;
        let accept = |(queued, offset): (Queued, u64)| {
            let Queued { record, permit, .. } = queued;
            Told::Record { record, permit, result: Ok(Position { segment, offset }) }
        };
        let told = group.into_iter().map(accept).collect();
        self.send(told);
    }

    fn write_group(&mut self, records: usize) -> Result<(), WalError> {
        let Some(segment) = &self.current else { return Err(self.shared.fail("no segment to write to")) };
        if let Err(error) = segment.write(&self.buffer) {
            return Err(self.undo(&error));
        }
        let now = self.clock.monotonic();
        self.dirty_since.get_or_insert(now);
        if self.config.sync == Sync::Always {
            self.sync()?;
        }
        let bytes = self.buffer.len() as u64;
        if let Some(segment) = &mut self.current {
            segment.end += bytes;
            self.end.offset = segment.end;
        }
        self.end.next_sequence += records as u64;
        self.shared.set_segment(self.end.segment, self.end.offset);
        let metrics = &self.shared.metrics;
        metrics.groups.inc();
        metrics.appended_records.inc_by(records as u64);
        metrics.appended_bytes.inc_by(bytes);
        Ok(())
    }

    /// After a write that failed. A full disk passes: the log goes on in a new segment, which also makes records
    /// declare again what the refused ones had declared.
    fn undo(&mut self, error: &std::io::Error) -> WalError {
        let Some(segment) = self.current.take() else { return WalError::NoSpace };
        if !is_no_space(error) {
            return self.shared.fail(&format!("cannot write {}: {error}", segment.path.display()));
        }
        if let Err(error) = segment.undo() {
            let path = segment.path.display();
            return self.shared.fail(&format!("cannot take back a refused write to {path}: {error}"));
        }
        self.dirty_since = None;
        self.no_space(error)
    }

    fn no_space(&self, error: &std::io::Error) -> WalError {
        tracing::warn!(%error, "no space for the write-ahead log: writes are refused");
        self.shared.metrics.failures.inc();
        WalError::NoSpace
    }

    /// A sync that failed is never tried again: the kernel may have dropped the pages and would report success
    /// (<https://lwn.net/Articles/752063/>).
    fn sync(&mut self) -> Result<(), WalError> {
        let Some(segment) = &self.current else { return Ok(()) };
        if self.dirty_since.is_none() {
            return Ok(());
        }
        let start = self.clock.monotonic();
        if let Err(error) = segment.sync() {
            return Err(self.shared.fail(&format!("cannot sync {}: {error}", segment.path.display())));
        }
        self.dirty_since = None;
        self.last_sync = self.clock.monotonic().saturating_sub(start);
        self.shared.metrics.sync_seconds.observe(self.last_sync.as_secs_f64());
        Ok(())
    }

    /// Zero when a sync is due, nothing when there is nothing to sync.
    fn until_sync(&self) -> Option<Duration> {
        let since = self.dirty_since?;
        if self.shared.failure().is_some() {
            return None;
        }
        Some((since + self.config.sync_interval()).saturating_sub(self.clock.monotonic()))
    }

    fn refuse(&mut self, group: Vec<(Queued, u64)>, error: &WalError) {
        self.shared.metrics.refused_records.inc_by(group.len() as u64);
        let refuse = |(queued, _): (Queued, u64)| {
            let Queued { record, permit, .. } = queued;
            Told::Record { record, permit, result: Err(error.clone()) }
        };
        let told = group.into_iter().map(refuse).collect();
        self.send(told);
    }

    fn send(&mut self, told: Vec<Told>) {
        if !(self.tell)(told) {
            self.shared.fail("the thread that applies records is gone");
        }
    }
}
