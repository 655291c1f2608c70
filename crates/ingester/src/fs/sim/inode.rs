//! The content of a simulated file, twice: as read, and as on the disk.

use std::collections::BTreeSet;

use super::Random;

/// Disks write so much at once or not at all.
const SECTOR: usize = 512;

#[derive(Clone, Default)]
pub(super) struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors that the next sync will write.
    dirty: BTreeSet<usize>,
    /// The length has changed since the last sync.
    resized: bool,
}

/// How much of what was not synced a power loss takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    All,
    Some,
    Nothing,
}

impl Loss {
    pub(super) fn keeps(self, random: &mut Random) -> bool {
        match self {
            Self::All => false,
            Self::Some => random.below(2) == 0,
            Self::Nothing => true,
        }
    }
}

impl Inode {
    pub(super) fn len(&self) -> u64 {
        self.live.len() as u64
    }

    pub(super) fn read(&self, buffer: &mut [u8], offset: u64) -> usize {
        let rest = self.live.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        len
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) {
        let start = offset as usize;
        let end = start + bytes.len();
        self.grow(end as u64);
        self.live[start..end].copy_from_slice(bytes);
        self.touch(start, end);
    }

    pub(super) fn grow(&mut self, len: u64) {
        if len > self.len() {
            self.touch(self.live.len(), len as usize);
            self.live.resize(len as usize, 0);
            self.resized = true;
        }
    }

    pub(super) fn truncate(&mut self, len: u64) {
        if len < self.len() {
            self.touch(len as usize, self.live.len());
            self.live.truncate(len as usize);
            self.resized = true;
        }
    }

    pub(super) fn sync(&mut self) {
        self.settle(|| true);
    }

    /// What the kernel does at its leisure: some of it reaches the disk unasked.
    pub(super) fn write_back(&mut self, random: &mut Random) {
        (self.dirty, self.resized) = self.settle(|| random.below(2) == 0);
    }

    /// A part reaches the disk; the rest is forgotten, though reads still show it.
    pub(super) fn fail_sync(&mut self, random: &mut Random) {
        let before = self.live.clone();
        self.settle(|| random.below(2) == 0);
        self.live = before;
    }

    pub(super) fn crash(&mut self, loss: Loss, random: &mut Random) {
        self.settle(|| loss.keeps(random));
        self.live = self.durable.clone();
    }

    pub(super) fn flip(&mut self, bit: u64) {
        let (byte, mask) = ((bit / 8) as usize, 1 << (bit % 8));
        for copy in [&mut self.live, &mut self.durable] {
            if let Some(byte) = copy.get_mut(byte) {
                *byte ^= mask;
            }
        }
    }

    fn touch(&mut self, start: usize, end: usize) {
        if start < end {
            self.dirty.extend(start / SECTOR..end.div_ceil(SECTOR));
        }
    }

    /// Writes those changes to the disk that `keep` says; none are pending afterwards. Returns the others.
    fn settle(&mut self, mut keep: impl FnMut() -> bool) -> (BTreeSet<usize>, bool) {
        let resized = std::mem::take(&mut self.resized);
        let resize = resized && keep();
        if resize {
            self.durable.resize(self.live.len(), 0);
        }
        let len = self.durable.len();
        let mut others = BTreeSet::new();
        for sector in std::mem::take(&mut self.dirty) {
            let (start, end) = (sector * SECTOR, ((sector + 1) * SECTOR).min(len));
            if start >= end || !keep() {
                others.insert(sector);
                continue;
            }
            let known = end.min(self.live.len()).max(start);
            if start < self.live.len() {
                self.durable[start..known].copy_from_slice(&self.live[start..known]);
            }
            self.durable[known..end].fill(0);
        }
        (others, resized && !resize)
    }
}
