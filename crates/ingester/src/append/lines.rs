//! One append of lines on its way through the log into the head.

use super::{Traces, log_error};
use crate::{
    head::{LineCounts, LogHead, MAX_LINE_BYTES, MAX_LINE_METADATA, MAX_LINE_PAIRS, Refusal, Resolved, Run},
    log_state::Raised,
    record::{self, MAX_LINES, MAX_TEXT},
    wal::{Position, Record, WalError},
};
use model::{Lines, Nanos, Signal};
use service_api::{AppendOutcome, Error, LogBatch, LogEntry, PushOutcome, Refused, RejectReason, Result};
use std::{ops::Range, sync::Arc};
use tokio::sync::oneshot;

/// An append that has looked its streams up, and whose lines are packed for the log: the log's
/// one writer only copies them.
pub struct AppendLines {
    head: Arc<LogHead>,
    traces: Arc<Traces>,
    batch: Arc<LogBatch>,
    resolved: Resolved,
    pub outcome: AppendOutcome,
    /// None once it has been given.
    answer: Option<oneshot::Sender<Result<AppendOutcome>>>,
    /// The lines that are taken, by their numbers in the batch.
    runs: Vec<Run>,
    packed: Vec<u8>,
    raised: Vec<Raised>,
}

/// About what is to be packed of a batch, in bytes; nothing if a replay would not take it.
pub fn bytes_to_pack(batch: &LogBatch) -> Option<usize> {
    let (mut text, mut pairs, mut metadata) = (0, 0, 0);
    for entry in &batch.entries {
        text += entry.line.len as usize + 1;
        if !entry.metadata.is_empty() {
            // Entries may share their pairs, which are written out for each.
            pairs += entry.metadata.len();
            metadata += metadata_bytes(batch, entry);
        }
    }
    let fits = batch.entries.len().max(pairs) <= MAX_LINES && text.max(metadata) <= MAX_TEXT;
    fits.then_some(text + metadata + 16 * (batch.entries.len() + pairs))
}

impl AppendLines {
    /// Refuses what is too old or too large, and packs the rest. Computes for as long as
    /// compressing the text takes.
    pub fn new(
        (head, traces): (Arc<LogHead>, Arc<Traces>),
        batch: Arc<LogBatch>,
        resolved: Resolved,
        out_of_order: Nanos,
        outcome: AppendOutcome,
        answer: oneshot::Sender<Result<AppendOutcome>>,
    ) -> Result<Self> {
        let (runs, packed, raised) = (Vec::new(), Vec::new(), Vec::new());
        let answer = Some(answer);
        let mut append = Self { head, traces, batch, resolved, outcome, answer, runs, packed, raised };
        append.admit(out_of_order);
        append.pack().map_err(|error| Error::internal(format!("packing lines: {error}")))?;
        Ok(append)
    }

    /// Whether nothing of it is to be logged.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// About what it holds in memory and takes in the log.
    pub fn bytes(&self) -> usize {
        256 + self.packed.len() + 24 * self.runs.len()
    }

    fn admit(&mut self, out_of_order: Nanos) {
        let Self { head, batch, resolved, outcome, runs, raised, .. } = self;
        let (mut late, mut oversized) = (Refusals::default(), Refusals::default());
        let time = |at: u32| batch.entries[at as usize].timestamp;
        let mut log = head.log.lock();
        for &(index, stream) in &resolved.series {
            let Some(entry) = batch.streams.get(index as usize) else { continue };
            let end = entry.entries.end.min(batch.entries.len() as u32);
            let before = late.count + oversized.count;
            let mut admit = |lines: Range<u32>| {
                let late = |t| late.keep(stream, t, RejectReason::TooOld);
                log.admit(&Run { stream, lines }, out_of_order, time, (&mut *runs, &mut *raised), late);
            };
            let lines = entry.entries.start..end;
            let mut from = lines.start;
            for at in lines {
                if let Some(reason) = oversize(batch, &batch.entries[at as usize]) {
                    admit(from..at);
                    oversized.keep(stream, time(at), reason);
                    from = at + 1;
                }
            }
            admit(from..end);
            let entries = (late.count + oversized.count - before) as u32;
            if entries > 0 {
                outcome.refused.push(Refused { index, entries });
            }
        }
        drop(log);
        for (reason, refused) in [("too_old", late), ("line_too_large", oversized)] {
            self.traces.metrics.reject(reason, refused.count);
            outcome.pushed.rejected += refused.count;
            head.explain(refused.first, &mut outcome.pushed);
        }
    }

    fn pack(&mut self) -> std::io::Result<()> {
        let numbers = || self.runs.iter().flat_map(|run| run.lines.clone().map(|at| (run.stream, at)));
        let (mut streams, mut lines) = (Vec::new(), Lines::default());
        let count = self.runs.iter().map(|run| run.lines.len()).sum();
        streams.reserve(count);
        lines.timestamps.reserve(count);
        lines.ends.reserve(count);
        lines
            .text
            .reserve(numbers().map(|(_, at)| self.batch.entries[at as usize].line.len as usize + 1).sum());
        for (stream, at) in numbers() {
            let (timestamp, line, metadata) = line(&self.batch, at);
            streams.push(stream);
            lines.push(timestamp, line, metadata);
        }
        self.packed = record::pack_lines(&streams, &lines)?;
        Ok(())
    }

    fn take_back(&mut self) {
        if !self.raised.is_empty() {
            self.head.log.lock().take_back(&std::mem::take(&mut self.raised));
        }
    }

    fn apply(&mut self, position: Position) -> AppendOutcome {
        let Self { head, traces, batch, runs, .. } = self;
        let now = traces.clock.monotonic();
        let LineCounts { lines, bytes, pages, windows } = head.apply_lines(runs, now, |at| line(batch, at));
        traces.ledger.note(position, &head.tenant, Signal::Logs, &windows, now);
        traces.metrics.applied_lines(lines, bytes, pages);
        if head.beside.watchers.any() {
            let tell = |run: &Run| head.tell(run.stream, run.lines.clone().map(|at| line(batch, at)));
            traces.metrics.tail_drops.inc_by(runs.iter().map(tell).sum());
        }
        let mut outcome = std::mem::take(&mut self.outcome);
        outcome.pushed.lines += lines;
        outcome
    }
}

impl Record for AppendLines {
    fn encode(&mut self, segment: u64, out: &mut Vec<u8>) {
        let streams = self.runs.iter().map(|run| run.stream);
        self.head.log.lock().put_lines_head(&self.head, segment, streams, out);
        out.extend_from_slice(&self.packed);
        self.packed = Vec::new();
    }

    fn committed(mut self: Box<Self>, result: std::result::Result<Position, WalError>) {
        let answer = match result {
            Ok(position) => {
                // They stay raised.
                self.raised.clear();
                Ok(self.apply(position))
            }
            Err(error) => {
                // Before the answer: whoever has it may send an older line at once.
                self.take_back();
                Err(log_error(&error))
            }
        };
        if let Some(sender) = self.answer.take() {
            // Whoever asked may have gone away; what is stored stays stored.
            let _ = sender.send(answer);
        }
    }
}

/// Whatever became of it, what did not get into the log makes no later line late.
impl Drop for AppendLines {
    fn drop(&mut self) {
        self.take_back();
    }
}

/// The line of a number that is in the batch.
fn line(batch: &LogBatch, at: u32) -> (Nanos, &[u8], impl Iterator<Item = (&str, &str)>) {
    let entry = &batch.entries[at as usize];
    (entry.timestamp, batch.line(entry), batch.metadata(entry))
}

/// Why a line fits into no page.
fn oversize(batch: &LogBatch, entry: &LogEntry) -> Option<RejectReason> {
    let bytes = entry.line.len as usize;
    if bytes > MAX_LINE_BYTES {
        return Some(RejectReason::LineTooLong { bytes: bytes as u64, limit: MAX_LINE_BYTES as u64 });
    }
    if entry.metadata.is_empty() {
        return None;
    }
    let metadata = metadata_bytes(batch, entry);
    (metadata > MAX_LINE_METADATA || entry.metadata.len() > MAX_LINE_PAIRS)
        .then(|| RejectReason::Metadata(format!("a line's structured metadata takes {metadata} bytes")))
}

fn metadata_bytes(batch: &LogBatch, entry: &LogEntry) -> usize {
    let range = entry.metadata.start as usize..entry.metadata.end as usize;
    let pairs = batch.metadata.get(range).unwrap_or(&[]).iter();
    pairs.map(|(name, value)| name.len as usize + value.len as usize).sum()
}

/// Lines that are not taken: how many, and the first of them.
#[derive(Default)]
struct Refusals {
    count: u64,
    first: Vec<Refusal>,
}

impl Refusals {
    fn keep(&mut self, series: u32, timestamp: Nanos, reason: RejectReason) {
        self.count += 1;
        if self.first.len() < PushOutcome::KEPT_REJECTIONS {
            self.first.push(Refusal { series, timestamp, reason });
        }
    }
}
