//! A file system in memory that keeps what was written and what was synced apart, and fails when told to.

mod inode;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Mutex, MutexGuard};

use self::inode::{Inode, Loss};
use super::{File, Fs};

/// What happens to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The power goes: every operation fails from here on until [`SimFs::crash`].
    Crash,
    /// A write or an allocation finds the disk full, after a part of it may have been written.
    NoSpace,
    /// The disk reports an error. After a failed sync a part is lost while reads still show it, and the next sync
    /// succeeds, as on Linux.
    Io,
}

/// Cheap to clone; clones are the same file system.
#[derive(Clone)]
pub struct SimFs {
    state: Arc<Mutex<State>>,
}

struct State {
    random: Random,
    inodes: Vec<Inode>,
    live: BTreeMap<PathBuf, usize>,
    durable: BTreeMap<PathBuf, usize>,
    capacity: u64,
    operations: u64,
    faults: BTreeMap<u64, Fault>,
    /// How many syncs of files succeed before one fails.
    good_syncs: Option<u64>,
    dead: bool,
    /// Files opened before a crash are of no use after it.
    generation: u64,
}

impl SimFs {
    pub fn new(seed: u64) -> Self {
        let state = State {
            random: Random(seed),
            inodes: Vec::new(),
            live: BTreeMap::new(),
            durable: BTreeMap::new(),
            capacity: u64::MAX,
            operations: 0,
            faults: BTreeMap::new(),
            good_syncs: None,
            dead: false,
            generation: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// A copy that goes its own way.
    pub fn fork(&self, seed: u64) -> Self {
        let state = self.state.lock();
        let copy = Self::new(seed);
        {
            let mut to = copy.state.lock();
            to.inodes = state.inodes.clone();
            to.live = state.live.clone();
            to.durable = state.durable.clone();
        }
        copy
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// Makes the operation fail that comes after so many others from now.
    pub fn fail_in(&self, operations: u64, fault: Fault) {
        let mut state = self.state.lock();
        let at = state.operations + operations;
        state.faults.insert(at, fault);
    }

    /// Makes the sync of a file fail that comes after so many others from now.
    pub fn fail_sync_in(&self, syncs: u64) {
        self.state.lock().good_syncs = Some(syncs);
    }

    /// Nothing is to fail any more, and there is space.
    pub fn heal(&self) {
        let mut state = self.state.lock();
        state.faults.clear();
        state.good_syncs = None;
        state.capacity = u64::MAX;
    }

    /// Bytes that all files together may have.
    pub fn set_capacity(&self, bytes: u64) {
        self.state.lock().capacity = bytes;
    }

    pub fn used(&self) -> u64 {
        self.state.lock().used()
    }

    pub fn is_dead(&self) -> bool {
        self.state.lock().dead
    }

    /// Power loss and restart: what was not synced is kept, dropped or torn by sectors. Pending faults are gone.
    pub fn crash(&self) {
        let state = &mut *self.state.lock();
        let loss = match state.random.below(3) {
            0 => Loss::All,
            1 => Loss::Nothing,
            _ => Loss::Some,
        };
        for inode in &mut state.inodes {
            inode.crash(loss, &mut state.random);
        }
        let names: BTreeSet<PathBuf> = state.live.keys().chain(state.durable.keys()).cloned().collect();
        for name in names {
            if loss.keeps(&mut state.random) {
                sync_name(&state.live, &mut state.durable, &name);
            }
        }
        state.live = state.durable.clone();
        state.faults.clear();
        state.good_syncs = None;
        state.dead = false;
        state.generation += 1;
    }

    /// Inverts a bit of a file, on the disk itself.
    pub fn flip_bit(&self, path: &Path, bit: u64) {
        let state = &mut *self.state.lock();
        if let Some(&inode) = state.live.get(path) {
            state.inodes[inode].flip(bit);
        }
    }
}

impl State {
    fn used(&self) -> u64 {
        self.live.values().map(|&inode| self.inodes[inode].len()).sum()
    }

    /// Counts an operation; the fault it meets, if any.
    fn step(&mut self) -> io::Result<Option<Fault>> {
        if self.dead {
            return Err(power_lost());
        }
        let at = self.operations;
        self.operations += 1;
        let fault = self.faults.remove(&at);
        self.dead = fault == Some(Fault::Crash);
        Ok(fault)
    }

    /// For operations that happen or do not.
    fn step_whole(&mut self) -> io::Result<()> {
        match self.step()? {
            None | Some(Fault::NoSpace) => Ok(()),
            Some(fault) => Err(fault.error()),
        }
    }
}

impl Fault {
    fn error(self) -> io::Error {
        match self {
            Self::Crash => power_lost(),
            Self::NoSpace => io::ErrorKind::StorageFull.into(),
            Self::Io => io::Error::other("simulated input/output error"),
        }
    }
}

fn power_lost() -> io::Error {
    io::Error::other("simulated power loss")
}

fn sync_name(live: &BTreeMap<PathBuf, usize>, durable: &mut BTreeMap<PathBuf, usize>, name: &Path) {
    match live.get(name) {
        Some(&inode) => durable.insert(name.to_path_buf(), inode),
        None => durable.remove(name),
    };
}

impl Fs for SimFs {
    /// Folders are there as soon as they are named.
    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        self.state.lock().step_whole()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut state = self.state.lock();
        state.step_whole()?;
        let within = state.live.keys().filter(|path| path.parent() == Some(dir));
        Ok(within.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut state = self.state.lock();
        state.step_whole()?;
        let inode = match state.live.get(path) {
            Some(&inode) => {
                state.inodes[inode].truncate(0);
                inode
            }
            None => {
                let inode = state.inodes.len();
                state.inodes.push(Inode::default());
                state.live.insert(path.to_path_buf(), inode);
                inode
            }
        };
        Ok(Box::new(SimFile { fs: self.clone(), inode, generation: state.generation }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut state = self.state.lock();
        state.step_whole()?;
        let inode = *state.live.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimFile { fs: self.clone(), inode, generation: state.generation }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state.lock();
        state.step_whole()?;
        state.live.remove(path).map(|_inode| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let state = &mut *self.state.lock();
        state.step_whole()?;
        let names: Vec<PathBuf> = state.live.keys().chain(state.durable.keys()).cloned().collect();
        for name in names.iter().filter(|name| name.parent() == Some(dir)) {
            sync_name(&state.live, &mut state.durable, name);
        }
        Ok(())
    }
}

struct SimFile {
    fs: SimFs,
    inode: usize,
    generation: u64,
}

impl SimFile {
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.fs.state.lock();
        if state.generation == self.generation { Ok(state) } else { Err(power_lost()) }
    }
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.state()?;
        state.step_whole()?;
        Ok(state.inodes[self.inode].len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state()?;
        state.step_whole()?;
        Ok(state.inodes[self.inode].read(buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let state = &mut *self.state()?;
        let mut fault = state.step()?;
        let len = state.inodes[self.inode].len();
        let growth = (offset + bytes.len() as u64).saturating_sub(len);
        if fault.is_none() && growth > 0 && state.used() + growth > state.capacity {
            fault = Some(Fault::NoSpace);
        }
        let inode = &mut state.inodes[self.inode];
        match fault {
            None => {
                inode.write(bytes, offset);
                if state.random.below(4) == 0 {
                    inode.write_back(&mut state.random);
                }
                Ok(())
            }
            Some(fault) => {
                let part = state.random.below(bytes.len() as u64 + 1) as usize;
                inode.write(&bytes[..part], offset);
                inode.write_back(&mut state.random);
                Err(fault.error())
            }
        }
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let state = &mut *self.state()?;
        if let Some(fault) = state.step()? {
            return Err(fault.error());
        }
        let growth = len.saturating_sub(state.inodes[self.inode].len());
        if growth > 0 && state.used() + growth > state.capacity {
            return Err(Fault::NoSpace.error());
        }
        state.inodes[self.inode].grow(len);
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut state = self.state()?;
        state.step_whole()?;
        state.inodes[self.inode].truncate(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let state = &mut *self.state()?;
        let fault = state.step()?;
        let fails = state.good_syncs == Some(0);
        state.good_syncs = state.good_syncs.and_then(|left| left.checked_sub(1));
        match fault.or(fails.then_some(Fault::Io)) {
            None | Some(Fault::NoSpace) => {
                state.inodes[self.inode].sync();
                Ok(())
            }
            Some(fault) => {
                if fault == Fault::Io {
                    state.inodes[self.inode].fail_sync(&mut state.random);
                }
                Err(fault.error())
            }
        }
    }
}

/// SplitMix64: small, and the same on every machine.
pub struct Random(pub u64);

impl Random {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `bound`; 0 for 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw().checked_rem(bound).unwrap_or(0)
    }
}
