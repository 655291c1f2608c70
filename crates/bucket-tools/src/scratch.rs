//! A file for what does not fit into memory. It has no name, so that its room comes back whatever happens.

use anyhow::{Context, Result};
use std::{
    fs::File,
    io::{BufWriter, Write},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

const BUFFER: usize = 256 << 10;

#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    file: BufWriter<File>,
    len: u64,
}

impl Scratch {
    pub fn create(folder: &Path) -> Result<Self> {
        let file = tempfile::tempfile_in(folder).with_context(|| {
            format!("cannot make a file in {} (--scratch names another folder)", folder.display())
        })?;
        Ok(Self { folder: folder.to_owned(), file: BufWriter::with_capacity(BUFFER, file), len: 0 })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.len += bytes.len() as u64;
        self.file.write_all(bytes).with_context(|| {
            format!("cannot write to a file in {} (--scratch names another folder)", self.folder.display())
        })
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// Ends the writing.
    pub fn written(self) -> Result<Written> {
        let file = self.file.into_inner().map_err(|e| e.into_error());
        let file = file.with_context(|| format!("cannot write to a file in {}", self.folder.display()))?;
        Ok(Written { file: Arc::new(file) })
    }
}

/// What was written. A clone reads the same file.
#[derive(Clone, Debug)]
pub struct Written {
    file: Arc<File>,
}

impl Written {
    /// A part of it, which lies within what was written.
    pub fn read(&self, part: Range<u64>) -> Result<Vec<u8>> {
        let mut bytes = vec![0; (part.end - part.start) as usize];
        self.file.read_exact_at(&mut bytes, part.start).context("cannot read a file of our own")?;
        Ok(bytes)
    }
}
