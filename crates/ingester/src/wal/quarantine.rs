//! Keeps damaged bytes of the log for whoever wants to look into them.

use std::{io, path::Path};

use super::format;
use crate::fs::Fs;

/// Bytes between two offsets of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub segment: u64,
    pub start: u64,
    pub end: u64,
}

/// Copies the stretches to `quarantine/{segment}-{offset}`, until the folder holds `bound` bytes. The segments
/// themselves stay as they are, so a failure here costs nothing but the copy.
pub(super) fn save(fs: &dyn Fs, dir: &Path, stretches: &[Stretch], bound: u64) {
    if stretches.is_empty() {
        return;
    }
    let folder = dir.join("quarantine");
    if let Err(error) = save_all(fs, dir, &folder, stretches, bound) {
        tracing::warn!(%error, folder = %folder.display(), "cannot keep damaged bytes of the write-ahead log");
    }
}

fn save_all(fs: &dyn Fs, dir: &Path, folder: &Path, stretches: &[Stretch], bound: u64) -> io::Result<()> {
    fs.create_dir_all(folder)?;
    let mut names = fs.list(folder)?;
    let mut used = 0;
    for name in &names {
        used += fs.open(&folder.join(name))?.len()?;
    }
    names.sort_unstable();
    for stretch in stretches {
        let name = format!("{}-{:010}", format::file_name(stretch.segment), stretch.start);
        let len = stretch.end - stretch.start;
        if names.binary_search(&name).is_ok() {
            continue;
        }
        if used + len > bound {
            tracing::warn!(
                name,
                len,
                "the quarantine of the write-ahead log is full: damaged bytes not copied"
            );
            continue;
        }
        copy(fs, &dir.join(format::file_name(stretch.segment)), &folder.join(name), stretch)?;
        used += len;
    }
    fs.sync_dir(folder)
}

fn copy(fs: &dyn Fs, from: &Path, to: &Path, stretch: &Stretch) -> io::Result<()> {
    let (from, to) = (fs.open(from)?, fs.create(to)?);
    let mut buffer = vec![0; 64 << 10];
    let mut at = stretch.start;
    while at < stretch.end {
        let wanted = buffer.len().min((stretch.end - at) as usize);
        let read = from.read_at(&mut buffer[..wanted], at)?;
        if read == 0 {
            break;
        }
        to.write_at(&buffer[..read], at - stretch.start)?;
        at += read as u64;
    }
    to.sync_data()
}
