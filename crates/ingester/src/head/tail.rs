//! Those who watch a tenant's lines come in.
//!
//! The applier never waits for one. What does not fit into a watcher's channel is counted, and
//! told as soon as there is room.

use super::LogHead;
use hashbrown::HashMap;
use model::{Labels, Matcher, Nanos};
use parking_lot::Mutex;
use service_api::{Code, Error, Result, TailItem, TailedEntry, TailedStream};
use std::{
    collections::VecDeque,
    sync::atomic::{AtomicUsize, Ordering},
};
use tokio::sync::mpsc;

/// Of one tenant.
const MAX_WATCHERS: usize = 10;
/// Items that wait for a watcher, and bytes of their text.
const MAX_ITEMS: usize = 1024;
const MAX_BYTES: usize = 4 << 20;
/// Of these items so many are for lines; the rest of them tells what was missed.
const MAX_STORED: usize = 960;
/// Bytes of one item, but for a single line that is longer.
const ITEM_BYTES: usize = 64 << 10;
/// Streams whose missed lines are counted apart.
const MAX_MISSED: usize = 1000;

#[derive(Default)]
pub struct Watchers {
    count: AtomicUsize,
    watchers: Mutex<Vec<Watcher>>,
}

struct Watcher {
    matchers: Vec<Matcher>,
    sender: mpsc::Sender<TailItem>,
    /// Bytes of the items that wait, oldest first, and their sum. How many they are the channel knows.
    waiting: VecDeque<usize>,
    waiting_bytes: usize,
    missed: HashMap<Labels, Missed>,
}

struct Missed {
    timestamp: Nanos,
    lines: u64,
}

impl Watchers {
    pub fn add(&self, matchers: Vec<Matcher>) -> Result<mpsc::Receiver<TailItem>> {
        let mut watchers = self.watchers.lock();
        watchers.retain(|watcher| !watcher.sender.is_closed());
        if watchers.len() >= MAX_WATCHERS {
            let message = format!("a tenant may follow its logs in {MAX_WATCHERS} places at once");
            return Err(Error::new(Code::RateLimited, message));
        }
        let (sender, receiver) = mpsc::channel(MAX_ITEMS);
        watchers.push(Watcher {
            matchers,
            sender,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            missed: HashMap::new(),
        });
        self.count.store(watchers.len(), Ordering::Release);
        Ok(receiver)
    }

    /// Whether anybody watches; asked once for each record.
    #[inline]
    pub fn any(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Tells what was missed where there is room now, and forgets who has gone.
    pub fn tidy(&self) {
        if !self.any() {
            return;
        }
        let mut watchers = self.watchers.lock();
        watchers.retain(|watcher| !watcher.sender.is_closed());
        watchers.iter_mut().for_each(Watcher::tell_missed);
        self.count.store(watchers.len(), Ordering::Release);
    }
}

impl LogHead {
    /// Tells the watchers of lines of a stream; returns how many they miss.
    pub fn tell<'a, M>(&self, stream: u32, lines: impl Iterator<Item = (Nanos, &'a [u8], M)> + Clone) -> u64
    where
        M: IntoIterator<Item = (&'a str, &'a str)>,
    {
        let Some(labels) = self.index.read().labels(stream) else { return 0 };
        let mut watchers = self.beside.watchers.watchers.lock();
        let wants = |watcher: &&mut Watcher| {
            let value = |matcher: &Matcher| labels.get(&matcher.name).unwrap_or("");
            watcher.matchers.iter().all(|matcher| matcher.matches(value(matcher)))
        };
        watchers.iter_mut().filter(wants).map(|watcher| watcher.tell(&labels, lines.clone())).sum()
    }
}

impl Watcher {
    fn tell<'a, M>(&mut self, labels: &Labels, lines: impl Iterator<Item = (Nanos, &'a [u8], M)>) -> u64
    where
        M: IntoIterator<Item = (&'a str, &'a str)>,
    {
        self.tell_missed();
        let (mut entries, mut bytes, mut missed) = (Vec::new(), 0, 0);
        for (timestamp, line, metadata) in lines {
            if missed > 0 || !self.has_room(bytes + line.len()) {
                missed += 1;
                self.miss(labels, timestamp, 1);
                continue;
            }
            let metadata: Vec<_> = metadata.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            let own = metadata.iter().map(|(n, v)| n.len() + v.len() + size_of::<(String, String)>());
            bytes += size_of::<TailedEntry>() + line.len() + own.sum::<usize>();
            entries.push(TailedEntry {
                timestamp,
                line: String::from_utf8_lossy(line).into_owned(),
                metadata,
            });
            if bytes >= ITEM_BYTES {
                missed += self.send(labels, std::mem::take(&mut entries), std::mem::take(&mut bytes));
            }
        }
        if !entries.is_empty() {
            missed += self.send(labels, entries, bytes);
        }
        self.tell_missed();
        missed
    }

    /// Whether one more item with so many bytes may wait. One alone always may.
    fn has_room(&mut self, bytes: usize) -> bool {
        let waiting = self.sender.max_capacity() - self.sender.capacity();
        while self.waiting.len() > waiting {
            self.waiting_bytes -= self.waiting.pop_front().unwrap_or(0);
        }
        self.waiting.is_empty()
            || (self.waiting.len() < MAX_STORED && self.waiting_bytes + bytes <= MAX_BYTES)
    }

    fn send(&mut self, labels: &Labels, entries: Vec<TailedEntry>, bytes: usize) -> u64 {
        let (first, lines) = (entries.first().map_or(0, |entry| entry.timestamp), entries.len() as u64);
        let item = TailItem::Stored(TailedStream { labels: labels.clone(), entries });
        if self.sender.try_send(item).is_err() {
            self.miss(labels, first, lines);
            return lines;
        }
        self.waiting.push_back(bytes);
        self.waiting_bytes += bytes;
        0
    }

    fn miss(&mut self, labels: &Labels, timestamp: Nanos, lines: u64) {
        if let Some(missed) = self.missed.get_mut(labels) {
            missed.lines += lines;
            return;
        }
        // Those of too many streams are told without a name.
        let labels = if self.missed.len() < MAX_MISSED { labels.clone() } else { Labels::default() };
        let missed = self.missed.entry(labels).or_insert(Missed { timestamp, lines: 0 });
        missed.lines += lines;
    }

    fn tell_missed(&mut self) {
        let sender = &self.sender;
        let (waiting, waiting_bytes) = (&mut self.waiting, &mut self.waiting_bytes);
        self.missed.retain(|labels, missed| {
            let Missed { timestamp, lines } = *missed;
            let told = sender.try_send(TailItem::Missed { labels: labels.clone(), timestamp, lines }).is_ok();
            if told {
                waiting.push_back(size_of::<TailItem>());
                *waiting_bytes += size_of::<TailItem>();
            }
            !told
        });
    }
}
