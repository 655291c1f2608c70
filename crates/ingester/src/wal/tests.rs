//! The log on a file system that fails: what was acknowledged is there, once and in order.

mod crash;
mod faults;
mod flips;
mod inline;
mod real;
mod threads;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use runtime::{Clock, ManualClock};

use super::{applier::Told, *};
use crate::fs::sim::{Random, SimFs};

/// What a separate observer knows of every record.
#[derive(Default)]
struct Ledger {
    next_id: u64,
    acknowledged: BTreeMap<u64, Position>,
    /// Refused for want of space: must never be seen again.
    refused: BTreeSet<u64>,
    failed: BTreeSet<u64>,
    /// What the last replay brought, acknowledged or not. Once the log has gone on it must stay.
    shown: BTreeMap<u64, Position>,
    kept: BTreeMap<u64, Position>,
    /// As a head would keep it: the segment in which a stream was last declared.
    declared: BTreeMap<u8, u64>,
}

impl Ledger {
    /// Compares with what a replay has brought.
    fn check(&mut self, replayed: &[Replayed], removed_up_to: u64) {
        assert!(
            replayed.is_sorted_by(|a, b| a.id < b.id && a.position < b.position),
            "twice, or out of order"
        );
        let seen: BTreeSet<u64> = replayed.iter().map(|record| record.id).collect();
        assert!(seen.iter().all(|id| *id < self.next_id), "a record that nobody wrote");
        let back: Vec<_> = seen.intersection(&self.refused).collect();
        assert!(back.is_empty(), "refused, and there: {back:?}");
        let mut declared = BTreeSet::new();
        for record in replayed {
            if record.declares {
                declared.insert((record.position.segment, record.stream));
            }
            if let Some(&position) = self.acknowledged.get(&record.id) {
                assert_eq!(record.position, position, "record {}", record.id);
                let known = declared.contains(&(position.segment, record.stream));
                assert!(known, "record {} relies on a declaration that is not in its segment", record.id);
            }
        }
        for (id, position) in self.acknowledged.iter().chain(&self.kept) {
            assert!(seen.contains(id) || position.segment <= removed_up_to, "lost {id} at {position}");
        }
        self.declared.clear();
        self.shown = replayed.iter().map(|record| (record.id, record.position)).collect();
    }
}

/// A record whose content follows from its number.
struct TestRecord {
    id: u64,
    ledger: Arc<Mutex<Ledger>>,
}

impl TestRecord {
    fn next(ledger: &Arc<Mutex<Ledger>>) -> Box<Self> {
        let mut state = ledger.lock();
        let id = state.next_id;
        state.next_id += 1;
        Box::new(Self { id, ledger: ledger.clone() })
    }
}

/// Stream and filler: mostly short, sometimes over several sectors, sometimes empty.
fn content(id: u64) -> (u8, Vec<u8>) {
    let mut random = Random(id);
    let bound = [1, 40, 300, 3000][random.below(4) as usize];
    let len = random.below(bound);
    ((random.draw() % 5) as u8, (0..len).map(|_| random.draw() as u8).collect())
}

impl Record for TestRecord {
    fn encode(&mut self, segment: u64, out: &mut Vec<u8>) {
        let (stream, filler) = content(self.id);
        let declares = self.ledger.lock().declared.insert(stream, segment) != Some(segment);
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&[stream, u8::from(declares)]);
        out.extend_from_slice(&filler);
    }

    fn committed(self: Box<Self>, result: Result<Position, WalError>) {
        let mut ledger = self.ledger.lock();
        match result {
            Ok(position) => {
                assert_eq!(ledger.acknowledged.insert(self.id, position), None);
                let mut shown = std::mem::take(&mut ledger.shown);
                ledger.kept.append(&mut shown);
            }
            Err(WalError::NoSpace) => assert!(ledger.refused.insert(self.id)),
            Err(_) => assert!(ledger.failed.insert(self.id)),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Replayed {
    id: u64,
    stream: u8,
    declares: bool,
    position: Position,
}

/// Fails on any byte that is not as it was written.
fn parse(position: Position, payload: &[u8]) -> Replayed {
    let id = u64::from_le_bytes(payload[..8].try_into().unwrap());
    let (stream, filler) = content(id);
    assert_eq!((payload[8], &payload[10..]), (stream, &filler[..]), "record {id} is altered");
    assert!(payload[9] < 2, "record {id} is altered");
    Replayed { id, stream, declares: payload[9] == 1, position }
}

fn dir() -> PathBuf {
    Path::new("data").join("wal")
}

fn small() -> WalConfig {
    WalConfig { segment_size: 16 << 10, queue_bytes: 64 << 10, ..WalConfig::default() }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(1_700_000_000_000))
}

/// The log without its threads: every run of a seed does the same.
struct Inline {
    writer: Writer<fn(Vec<Told>) -> bool>,
    shared: Arc<Shared>,
}

impl Inline {
    fn open(
        fs: &SimFs,
        clock: Arc<dyn Clock>,
        config: WalConfig,
    ) -> Result<(Self, Vec<Replayed>, ReplayReport), WalError> {
        let mut replayed = Vec::new();
        let mut visit = |position: Position, payload: &[u8]| replayed.push(parse(position, payload));
        let (shared, end, report) = recover(Arc::new(fs.clone()), &dir(), &config, &mut visit)?;
        let segments = shared.segments();
        assert!(segments.is_sorted_by(|a, b| a.number + 1 == b.number), "a gap: {segments:?}");
        let tell: fn(Vec<Told>) -> bool = |told| {
            told.into_iter().for_each(Told::tell);
            true
        };
        let writer = Writer::new(shared.clone(), config, clock, end, tell);
        Ok((Self { writer, shared }, replayed, report))
    }

    fn group(&mut self, ledger: &Arc<Mutex<Ledger>>, records: u64) {
        let entry = |_| {
            let record = TestRecord::next(ledger);
            Entry::Record(Queued { record, approx_bytes: 100, permit: None })
        };
        self.writer.process((0..records).map(entry).collect());
    }

    fn cut(&mut self) -> Result<u64, WalError> {
        let (reply, mut answer) = oneshot::channel();
        self.writer.process(vec![Entry::Cut(reply)]);
        answer.try_recv().unwrap()
    }
}
