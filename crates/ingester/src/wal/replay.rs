//! Reads a log from its first segment to its last, whatever state it is in.

mod window;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use self::window::Window;
use super::{
    LogEnd, Position, ReplayReport, WalError,
    format::{self, ALIGN, FRAME_HEADER, FRAME_MAGIC, FrameHeader, HEADER_AREA, SegmentHeader},
    quarantine::Stretch,
};
use crate::fs::{File, Fs};

/// Stretches that are remembered to be copied; all are counted.
const MAX_STRETCHES: usize = 10_000;

pub(super) struct Found {
    pub report: ReplayReport,
    pub damaged: Vec<Stretch>,
    pub segments: BTreeMap<u64, u64>,
    pub end: LogEnd,
}

/// Writes nothing.
pub(super) fn replay(
    fs: &dyn Fs,
    dir: &Path,
    visit: &mut dyn FnMut(Position, &[u8]),
) -> Result<Found, WalError> {
    let segments = list(fs, dir)?;
    let mut reader = Reader {
        visit,
        report: ReplayReport::default(),
        damaged: Vec::new(),
        next_sequence: None,
        segments: BTreeMap::new(),
    };
    let mut end = LogEnd { segment: 0, offset: 0, next_sequence: 1 };
    for (at, segment) in segments.iter().enumerate() {
        let next = segments.get(at + 1);
        // Where the next one was started this one had ended there.
        let limit = next.filter(|next| next.number == segment.number + 1);
        let limit = limit.and_then(|next| next.header.map(|header| header.previous_end));
        let file = fs.open(&segment.path).map_err(|error| WalError::io(&segment.path, error))?;
        let offset = reader
            .segment(segment, &*file, limit, next.is_none())
            .map_err(|error| WalError::io(&segment.path, error))?;
        end = LogEnd { segment: segment.number, offset, next_sequence: 1 };
    }
    end.next_sequence = reader.next_sequence.unwrap_or(1);
    let Reader { mut report, damaged, segments, .. } = reader;
    report.segments = segments.len() as u64;
    Ok(Found { report, damaged, segments, end })
}

/// A segment file with its header, if that can be read.
struct Listed {
    number: u64,
    path: PathBuf,
    header: Option<SegmentHeader>,
}

/// In order. A last file that was created but not completed is left out: its number is free.
fn list(fs: &dyn Fs, dir: &Path) -> Result<Vec<Listed>, WalError> {
    let names = fs.list(dir).map_err(|error| WalError::io(dir, error))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| format::parse_file_name(name)).collect();
    numbers.sort_unstable();
    let mut segments = Vec::with_capacity(numbers.len());
    for (at, &number) in numbers.iter().enumerate() {
        let path = dir.join(format::file_name(number));
        let io = |error| WalError::io(&path, error);
        let file = fs.open(&path).map_err(io)?;
        let mut area = [0; HEADER_AREA];
        let read = file.read_at(&mut area, 0).map_err(io)?;
        let header = SegmentHeader::decode(&area[..read], number, &path.display().to_string())?;
        if header.is_none() && at + 1 == numbers.len() {
            let len = file.len().map_err(io)?;
            let mut window = Window::new(&*file, len);
            if window.last_nonzero(HEADER_AREA as u64).map_err(io)?.is_none() {
                continue;
            }
        }
        segments.push(Listed { number, path, header });
    }
    Ok(segments)
}

struct Reader<'a> {
    visit: &'a mut dyn FnMut(Position, &[u8]),
    report: ReplayReport,
    damaged: Vec<Stretch>,
    next_sequence: Option<u64>,
    segments: BTreeMap<u64, u64>,
}

impl Reader<'_> {
    /// Returns where the segment ends.
    fn segment(
        &mut self,
        segment: &Listed,
        file: &dyn File,
        limit: Option<u64>,
        last: bool,
    ) -> std::io::Result<u64> {
        let len = file.len()?;
        let mut window = Window::new(file, limit.map_or(len, |limit| len.min(limit)));
        let start = HEADER_AREA as u64;
        let valid_end = match &segment.header {
            Some(header) => self.frames(header, &mut window)?,
            None => start,
        };
        let used = window.last_nonzero(valid_end)?.map_or(valid_end, |at| at + 1);
        let used = used.next_multiple_of(ALIGN as u64);
        // Frames are known to have been there, even if the file is shorter or zero now.
        let lost = limit.map_or(0, |limit| limit.saturating_sub(valid_end));
        let end = if last && segment.header.is_some() {
            self.report.torn_bytes += used - valid_end;
            valid_end
        } else if lost > 0 {
            self.set_aside(segment.number, valid_end, valid_end + lost);
            valid_end + lost
        } else if used > valid_end {
            self.set_aside(segment.number, valid_end, used);
            used
        } else {
            valid_end
        };
        self.segments.insert(segment.number, end);
        if self.report.end.segment == 0 {
            self.report.end = Position { segment: segment.number, offset: start };
        }
        Ok(end)
    }

    /// Visits all valid frames; returns the end of the last.
    fn frames(&mut self, header: &SegmentHeader, window: &mut Window<'_>) -> std::io::Result<u64> {
        let mut valid_end = HEADER_AREA as u64;
        let mut offset = valid_end;
        while let Some(found) = window.find(&FRAME_MAGIC, offset, FRAME_HEADER)? {
            offset = found + ALIGN as u64;
            let Some(frame) = FrameHeader::decode(window.get(found, FRAME_HEADER)?, header, found) else {
                continue;
            };
            let end = found + frame.frame_len() as u64;
            let whole = window.get(found, frame.frame_len())?;
            let Some(payload) = whole.get(FRAME_HEADER..FRAME_HEADER + frame.length) else { continue };
            // The header is sound, so its length is true, whatever happened to the payload.
            offset = end;
            if crc32c::crc32c(payload) != frame.payload_crc {
                continue;
            }
            let position = Position { segment: header.number, offset: end };
            (self.visit)(position, payload);
            // A number that comes again is no reason to drop a sound frame; only gaps say something.
            let expected = self.next_sequence.unwrap_or(frame.sequence);
            self.report.missing_records += frame.sequence.saturating_sub(expected);
            self.next_sequence = Some(expected.max(frame.sequence.saturating_add(1)));
            self.report.records += 1;
            self.report.payload_bytes += frame.length as u64;
            self.report.end = position;
            if found > valid_end {
                self.set_aside(header.number, valid_end, found);
            }
            valid_end = end;
        }
        Ok(valid_end)
    }

    fn set_aside(&mut self, segment: u64, start: u64, end: u64) {
        tracing::warn!(segment, start, end, "damage in the write-ahead log is set aside");
        self.report.quarantined += 1;
        self.report.quarantined_bytes += end - start;
        if self.damaged.len() < MAX_STRETCHES {
            self.damaged.push(Stretch { segment, start, end });
        }
    }
}
