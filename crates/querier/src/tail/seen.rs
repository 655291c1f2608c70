//! Remembers lines that were told of, so that those of replicas are told once.

use service_api::{TailItem, TailedStream};
use std::collections::HashSet;
use xxhash_rust::xxh3::Xxh3;

/// Lines in one of the two generations: replicas that are further apart than that tell twice.
const GENERATION: usize = 16_384;

/// The newest lines, by hashes.
#[derive(Default)]
pub(super) struct Seen {
    young: HashSet<u128>,
    old: HashSet<u128>,
}

impl Seen {
    /// What is new of an item, and how many lines of it are not.
    pub fn news(&mut self, item: TailItem) -> (Option<TailItem>, u64) {
        match item {
            TailItem::Stored(TailedStream { labels, mut entries }) => {
                let before = entries.len();
                let labels_hash = labels.stable_hash_128();
                entries.retain(|entry| {
                    let mut hash = Xxh3::new();
                    hash.update(&labels_hash.to_le_bytes());
                    hash.update(&entry.timestamp.to_le_bytes());
                    hash.update(entry.line.as_bytes());
                    self.is_new(hash.digest128())
                });
                let repeated = (before - entries.len()) as u64;
                let stored = TailedStream { labels, entries };
                ((!stored.entries.is_empty()).then_some(TailItem::Stored(stored)), repeated)
            }
            TailItem::Missed { ref labels, timestamp, .. } => {
                let mut hash = Xxh3::with_seed(1);
                hash.update(&labels.stable_hash_128().to_le_bytes());
                hash.update(&timestamp.to_le_bytes());
                (self.is_new(hash.digest128()).then_some(item), 0)
            }
        }
    }

    fn is_new(&mut self, hash: u128) -> bool {
        if self.young.contains(&hash) || self.old.contains(&hash) {
            return false;
        }
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Labels;
    use service_api::TailedEntry;

    fn stored(app: &str, times: std::ops::Range<i64>) -> TailItem {
        let entry = |timestamp| TailedEntry { timestamp, line: "line".to_owned(), metadata: Vec::new() };
        let labels = Labels::from_pairs([("app", app)]);
        TailItem::Stored(TailedStream { labels, entries: times.map(entry).collect() })
    }

    fn missed(timestamp: i64) -> TailItem {
        TailItem::Missed { labels: Labels::from_pairs([("app", "a")]), timestamp, lines: 3 }
    }

    #[test]
    fn a_line_is_news_once_to_each_stream() {
        let mut seen = Seen::default();
        assert_eq!(seen.news(stored("a", 0..3)), (Some(stored("a", 0..3)), 0));
        assert_eq!(seen.news(stored("a", 2..5)), (Some(stored("a", 3..5)), 1));
        assert_eq!(seen.news(stored("a", 0..5)), (None, 5));
        assert_eq!(seen.news(stored("b", 0..5)), (Some(stored("b", 0..5)), 0));
        assert_eq!(seen.news(missed(4)), (Some(missed(4)), 0));
        assert_eq!(seen.news(missed(4)), (None, 0));
        assert_eq!(seen.news(missed(5)), (Some(missed(5)), 0));
    }

    #[test]
    fn memory_is_bounded_and_the_newest_lines_stay() {
        let (mut seen, many) = (Seen::default(), 3 * GENERATION as i64);
        assert_eq!(seen.news(stored("a", 0..many)).1, 0);
        assert_eq!(seen.news(stored("a", many - GENERATION as i64..many)), (None, GENERATION as u64));
        assert!(seen.young.len() <= GENERATION && seen.old.len() <= GENERATION);
        assert_eq!(seen.news(stored("a", 0..1)).1, 0);
    }
}
