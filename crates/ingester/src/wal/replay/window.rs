//! A file seen through a buffer that moves along it.

use std::io;

use super::super::format::ALIGN;
use crate::fs::File;

/// Read at once; frames longer than this make the buffer grow for as long as they are looked at.
const WINDOW: usize = 1 << 20;

pub(super) struct Window<'a> {
    file: &'a dyn File,
    end: u64,
    start: u64,
    buffer: Vec<u8>,
}

impl<'a> Window<'a> {
    /// Shows nothing from `end` on.
    pub(super) fn new(file: &'a dyn File, end: u64) -> Self {
        Self { file, end, start: 0, buffer: Vec::new() }
    }

    /// Those bytes, fewer if the file ends before.
    pub(super) fn get(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let available = self.end.saturating_sub(offset);
        let len = len.min(usize::try_from(available).unwrap_or(usize::MAX));
        let held = offset >= self.start && offset + len as u64 <= self.start + self.buffer.len() as u64;
        if !held {
            let wanted = usize::try_from(available).unwrap_or(usize::MAX).min(len.max(WINDOW));
            self.buffer.resize(wanted, 0);
            self.buffer.shrink_to(WINDOW);
            let read = self.file.read_at(&mut self.buffer, offset)?;
            self.buffer.truncate(read);
            self.start = offset;
        }
        let at = (offset - self.start) as usize;
        Ok(&self.buffer[at..(at + len).min(self.buffer.len())])
    }

    /// The first aligned place from `offset` on that begins with `magic` and has `len` bytes.
    pub(super) fn find(&mut self, magic: &[u8; 4], mut offset: u64, len: usize) -> io::Result<Option<u64>> {
        while offset + len as u64 <= self.end {
            let bytes = self.rest(offset)?;
            match bytes.chunks_exact(ALIGN).position(|word| word[..4] == *magic) {
                Some(at) => {
                    let found = offset + (at * ALIGN) as u64;
                    return Ok((found + len as u64 <= self.end).then_some(found));
                }
                None if bytes.len() < ALIGN => break,
                None => offset += (bytes.len() / ALIGN * ALIGN) as u64,
            }
        }
        Ok(None)
    }

    /// The last byte from `offset` on that is not zero.
    pub(super) fn last_nonzero(&mut self, mut offset: u64) -> io::Result<Option<u64>> {
        let mut last = None;
        while offset < self.end {
            let bytes = self.rest(offset)?;
            if bytes.is_empty() {
                break;
            }
            last = bytes.iter().rposition(|&byte| byte != 0).map(|at| offset + at as u64).or(last);
            offset += bytes.len() as u64;
        }
        Ok(last)
    }

    /// What the buffer holds from there on, after it has moved if it must.
    fn rest(&mut self, offset: u64) -> io::Result<&[u8]> {
        self.get(offset, ALIGN)?;
        Ok(&self.buffer[(offset - self.start) as usize..])
    }
}
