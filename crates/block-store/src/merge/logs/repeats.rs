//! Finds lines that repeat one before them, among those of one time.

use model::Nanos;
use std::collections::HashSet;
use xxhash_rust::xxh3::xxh3_128;

/// Up to so many are looked through one by one.
const FEW: usize = 16;

/// The texts of the lines of one time, as hashes that are wide enough to stand for them: of one time
/// there may be any number, in pages that are gone already.
#[derive(Debug, Default)]
pub struct Repeats {
    time: Option<Nanos>,
    few: Vec<u128>,
    many: HashSet<u128, foldhash::fast::FixedState>,
    pub count: u64,
}

impl Repeats {
    /// Lines of another stream follow.
    pub fn begin(&mut self) {
        self.time = None;
    }

    /// Whether there was such a line. Times ascend.
    #[inline]
    pub fn is_repeat(&mut self, time: Nanos, text: &[u8]) -> bool {
        let hash = xxh3_128(text);
        if self.time != Some(time) {
            self.time = Some(time);
            self.few.clear();
            if !self.many.is_empty() {
                // A large table takes long to clear.
                self.many = HashSet::default();
            }
        }
        let is_new = match self.few.len() {
            FEW => !self.few.contains(&hash) && self.many.insert(hash),
            _ if self.few.contains(&hash) => false,
            _ => {
                self.few.push(hash);
                true
            }
        };
        self.count += u64::from(!is_new);
        !is_new
    }

    /// The last line's time.
    pub fn time(&self) -> Option<Nanos> {
        self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_repeat_within_one_time_alone() {
        let mut repeats = Repeats::default();
        for time in [3, 4] {
            for round in [false, true] {
                for n in 0..100u32 {
                    assert_eq!(repeats.is_repeat(time, &n.to_le_bytes()), round, "{time} {n}");
                }
            }
        }
        assert_eq!(repeats.count, 200);
        repeats.begin();
        assert!(!repeats.is_repeat(4, &7u32.to_le_bytes()));
    }
}
