//! The segment that is being written.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    format::{self, HEADER_AREA, SegmentHeader},
    is_no_space,
};
use crate::fs::{File, Fs};

pub(super) struct Segment {
    pub header: SegmentHeader,
    pub path: PathBuf,
    file: Box<dyn File>,
    /// Behind the last frame of a finished group.
    pub end: u64,
    /// Bytes whose space the file has for certain.
    reserved: u64,
}

impl Segment {
    /// Creates the file and makes it durable with its space and header: no frame is written before that.
    pub(super) fn create(fs: &dyn Fs, dir: &Path, header: SegmentHeader, size: u64) -> io::Result<Self> {
        let path = dir.join(format::file_name(header.number));
        let file = fs.create(&path)?;
        let prepared = file.allocate(size).and_then(|()| file.write_at(&header.encode(), 0));
        if let Err(error) = prepared {
            if is_no_space(&error) {
                // Best effort: without a header the file counts as not there, and the next attempt empties it.
                let _ = fs.remove(&path);
            }
            return Err(error);
        }
        file.sync_data()?;
        fs.sync_dir(dir)?;
        Ok(Self { header, path, file, end: HEADER_AREA as u64, reserved: size })
    }

    /// Sees to it that the file has space for `size` bytes, durably.
    pub(super) fn reserve(&mut self, size: u64) -> io::Result<()> {
        if self.reserved < size {
            self.file.allocate(size)?;
            self.file.sync_data()?;
            self.reserved = size;
        }
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.end == HEADER_AREA as u64
    }

    /// Writes behind the end, which stays where it is until the group has been accepted.
    pub(super) fn write(&self, frames: &[u8]) -> io::Result<()> {
        self.file.write_at(frames, self.end)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Takes back what was written behind the end, durably: a refused record must not come back.
    pub(super) fn undo(&self) -> io::Result<()> {
        self.file.truncate(self.end)?;
        self.file.sync_data()
    }
}
