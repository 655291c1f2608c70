//! A new block on disk, until it is whole.

use super::{MergeConfig, MergeError};
use crate::{BlockMeta, block::blocking, bucket::PART_BYTES};
use bytes::Bytes;
use futures::{Stream, stream};
use service_api::{Error, Result};
use std::{
    fs::{self, File},
    io::{self, BufWriter, Seek, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Where new blocks may lie, one at a time.
#[derive(Clone, Debug)]
pub struct Room {
    folder: PathBuf,
    /// A file's name is there for a moment alone.
    name: String,
    needed: u64,
    /// As of `MergeConfig`.
    pub block_bytes: u64,
}

/// So many files of one name are there at once only if something keeps them from being removed.
const NAMES: usize = 100;

impl Room {
    /// A new block is no larger than all inputs, nor much more than it must be.
    pub fn of(config: &MergeConfig, inputs: &[BlockMeta]) -> Self {
        let block_bytes = config.block_bytes;
        let all = inputs.iter().fold(0u64, |sum, meta| sum.saturating_add(meta.bytes));
        let name = inputs.first().map(|meta| meta.id.to_string()).unwrap_or_default();
        let needed = all.min(block_bytes.saturating_mul(2));
        Self { folder: config.scratch.clone(), name, needed, block_bytes }
    }

    /// Whether the folder has room for a block.
    pub fn check(&self) -> Result<(), MergeError> {
        let (folder, needed) = (self.folder.clone(), self.needed);
        let free = free_bytes(&folder).map_err(|e| failed(&folder, e))?;
        if free < needed { Err(MergeError::NoRoom { folder, needed, free }) } else { Ok(()) }
    }

    /// Makes a file, if there is room for a block.
    pub fn create(&self) -> Result<Scratch, MergeError> {
        self.check()?;
        let failed = |e| failed(&self.folder, e);
        for number in 0..NAMES {
            let path = self.folder.join(format!("{}-{number}.merge", self.name));
            let file = match File::options().read(true).write(true).create_new(true).open(&path) {
                // Of another merge of that block, or left behind by a process that was killed.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                file => file.map_err(failed)?,
            };
            fs::remove_file(&path).map_err(failed)?;
            let file = BufWriter::with_capacity(BUFFER, file);
            return Ok(Scratch { folder: self.folder.clone(), file, len: 0 });
        }
        Err(failed(io::ErrorKind::AlreadyExists.into()).into())
    }
}

/// A file without a name: whatever ends the merge, be it a power loss, its room comes back.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    file: BufWriter<File>,
    len: u64,
}

/// Small pages are written together.
const BUFFER: usize = 256 << 10;

impl Scratch {
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.len += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|e| failed(&self.folder, e))
    }

    /// Writes all that another one has.
    pub fn append(&mut self, other: Self) -> Result<()> {
        let failed = |e| failed(&self.folder, e);
        let mut file = other.file.into_inner().map_err(|e| failed(e.into_error()))?;
        file.rewind().map_err(failed)?;
        io::copy(&mut file, &mut self.file).map_err(failed)?;
        self.len += other.len;
        Ok(())
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// All that was written, in parts for the bucket.
    pub fn into_parts(self) -> Result<impl Stream<Item = Result<Bytes>> + Send> {
        let Self { folder, file, len } = self;
        let file = file.into_inner().map_err(|e| failed(&folder, e.into_error()))?;
        let (file, folder) = (Arc::new(file), Arc::new(folder));
        Ok(stream::unfold(0, move |at| {
            let (file, folder) = (Arc::clone(&file), Arc::clone(&folder));
            async move {
                let left = usize::try_from(len - at).unwrap_or(usize::MAX).min(PART_BYTES);
                let read = move || {
                    let mut part = vec![0; left];
                    file.read_exact_at(&mut part, at).map(|()| Bytes::from(part))
                };
                match left {
                    0 => None,
                    _ => {
                        let part = blocking(read).await.and_then(|part| part.map_err(|e| failed(&folder, e)));
                        Some((part, at + left as u64))
                    }
                }
            }
        }))
    }
}

/// Bytes that a file of ours may still take in a folder.
fn free_bytes(folder: &Path) -> io::Result<u64> {
    let file_system = rustix::fs::statvfs(folder)?;
    Ok(file_system.f_bavail.saturating_mul(file_system.f_frsize))
}

fn failed(folder: &Path, error: io::Error) -> Error {
    Error::unavailable(format!("a file in {}: {error}", folder.display()))
}
