//! The new block on disk, until it is whole.

use super::MergeError;
use crate::{block::blocking, bucket::PART_BYTES};
use bytes::Bytes;
use futures::{Stream, stream};
use service_api::{Error, Result};
use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

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
    /// Makes the file, if the folder has room for `needed` bytes. `name` is there for a moment alone.
    pub fn create(folder: &Path, name: &str, needed: u64) -> Result<Self, MergeError> {
        let failed = |e| failed(folder, e);
        let free = free_bytes(folder).map_err(failed)?;
        if free < needed {
            return Err(MergeError::NoRoom { folder: folder.to_owned(), needed, free });
        }
        let path = folder.join(name);
        let file = File::options().read(true).write(true).create_new(true).open(&path).map_err(failed)?;
        fs::remove_file(&path).map_err(failed)?;
        Ok(Self { folder: folder.to_owned(), file: BufWriter::with_capacity(BUFFER, file), len: 0 })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.len += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|e| failed(&self.folder, e))
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
