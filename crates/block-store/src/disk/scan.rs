//! Finds out at the start what a folder has of before.
//!
//! A segment is a file with an 8-digit hexadecimal number and `.segment` for its name: magic and version
//! (8 bytes), and records.

use super::{
    Shared,
    record::{HEADER_LEN, MAX_NAME, Part},
};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

pub(super) const MAGIC: &[u8; 8] = b"YGCACHE\x01";
pub(super) const LOCK_NAME: &str = "lock";

pub(super) fn segment_path(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number:08x}.segment"))
}

fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".segment").filter(|digits| digits.len() == 8)?;
    let lower = digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if lower { u32::from_str_radix(digits, 16).ok() } else { None }
}

/// Learns of all segments in a folder. What a crash or damage has left at the end of one is cut off; files that
/// are not ours are left alone. Gives the number of the next segment.
pub(super) fn scan(shared: &Shared, folder: &Path) -> io::Result<u32> {
    let (mut numbers, mut unknown) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        match name.to_str().and_then(segment_number) {
            Some(number) if entry.file_type()?.is_file() => numbers.push(number),
            _ if name == LOCK_NAME => {}
            _ => unknown.push(name),
        }
    }
    if let Some(first) = unknown.first() {
        let count = unknown.len();
        tracing::warn!(folder = %folder.display(), count, ?first, "the folder of the cache has files that are not the cache's; leaving them alone");
    }
    numbers.sort_unstable();
    for number in &numbers {
        let path = segment_path(folder, *number);
        let file = File::options().read(true).write(true).open(&path)?;
        if !learn(shared, *number, file)? {
            shared.metrics.damaged.inc();
            fs::remove_file(&path)?;
        }
    }
    numbers.last().map_or(Ok(0), |last| last.checked_add(1).ok_or(io::ErrorKind::InvalidData.into()))
}

/// Adds one segment to the index; false if there is nothing in it.
fn learn(shared: &Shared, number: u32, file: File) -> io::Result<bool> {
    let size = file.metadata()?.len();
    let mut head = [0; HEADER_LEN + MAX_NAME];
    let mut at = MAGIC.len() as u64;
    if size <= at || !read(shared, &file, &mut head[..MAGIC.len()], 0)? || !head.starts_with(MAGIC) {
        return Ok(false);
    }
    let mut records = Vec::new();
    while at < size {
        let head = &mut head[..(size - at).min((HEADER_LEN + MAX_NAME) as u64) as usize];
        let whole = read(shared, &file, head, at)?;
        let Some((part, _)) = Part::decode(head).filter(|_| whole) else { break };
        let len = part.record_len() as u64;
        let Some(record_len) = u32::try_from(len).ok().filter(|_| len <= size - at) else { break };
        records.push((part.key(), record_len));
        at += len;
    }
    if at < size {
        shared.metrics.damaged.inc();
        file.set_len(at)?;
    }
    if records.is_empty() {
        return Ok(false);
    }
    let mut index = shared.index.lock();
    index.begin(number, Arc::new(file), MAGIC.len() as u64);
    records.into_iter().for_each(|(key, len)| index.append(key, len));
    Ok(true)
}

/// False if the file has become shorter meanwhile.
fn read(shared: &Shared, file: &File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    match shared.io.read_at(file, buffer, offset) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(e),
    }
}
