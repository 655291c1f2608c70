//! A file system of which the log believes too much.

use ingester::fs::{File, Fs, sim::SimFs};
use std::{io, path::Path};

/// What is wrong with syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncs {
    NotMade,
    Retried,
}

pub struct BuggyFs {
    pub inner: SimFs,
    pub syncs: Syncs,
}

struct BuggyFile {
    inner: Box<dyn File>,
    syncs: Syncs,
}

impl Fs for BuggyFs {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.inner.create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.inner.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(BuggyFile { inner: self.inner.create(path)?, syncs: self.syncs }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(BuggyFile { inner: self.inner.open(path)?, syncs: self.syncs }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.inner.sync_dir(dir)
    }
}

impl File for BuggyFile {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.inner.write_at(bytes, offset)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.inner.allocate(len)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.inner.truncate(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.syncs {
            Syncs::NotMade => Ok(()),
            Syncs::Retried => self.inner.sync_data().or_else(|_| self.inner.sync_data()),
        }
    }
}
