//! How far the log is in blocks, durable beside the log.
//!
//! ```text
//! file  := "YGFLUSH2" count:u32 mark* crc32c-of-all-before:u32      (little endian)
//! mark  := signal:u8 tenant-length:u8 tenant start:i64 end:i64 segment:u64 offset:u64
//! ```
//!
//! Signal is 0 for metrics and 1 for logs. Files that begin with `YGFLUSH1` have no signals:
//! all of their marks are of metrics.
//!
//! Each version is a new file `flushed.{number}`; the old one goes when the new one is on
//! disk. A torn or damaged file is passed over for the one before it: too few marks only
//! make blocks that hold some samples once more.

use crate::{fs::Fs, wal::Position};
use hashbrown::HashMap;
use model::{Signal, TenantId, TimeRange};
use std::{io, path::Path, sync::Arc};

const MAGIC: &[u8; 8] = b"YGFLUSH2";
const MAGIC_OF_METRICS: &[u8; 8] = b"YGFLUSH1";
const PREFIX: &str = "flushed.";
const MAX_FILE: u64 = 256 << 20;

/// For windows of tenants, the position up to which the log's data is in blocks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks(HashMap<(TenantId, Signal), Vec<Mark>>);

#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    window: TimeRange,
    position: Position,
}

impl Marks {
    pub fn set(&mut self, (tenant, signal): (&TenantId, Signal), window: TimeRange, position: Position) {
        let marks = self.0.entry((tenant.clone(), signal)).or_default();
        match marks.iter_mut().find(|mark| mark.window == window) {
            Some(mark) => mark.position = mark.position.max(position),
            None => marks.push(Mark { window, position }),
        }
    }

    /// Whether what the log has of all this window up to `position` is in a block.
    pub fn covers(
        &self,
        (tenant, signal): (&TenantId, Signal),
        window: TimeRange,
        position: Position,
    ) -> bool {
        let whole = |mark: &TimeRange| mark.start <= window.start && mark.end >= window.end;
        self.windows(tenant, signal, position).iter().any(whole)
    }

    /// The windows that are in blocks up to `position` or further.
    pub fn windows(&self, tenant: &TenantId, signal: Signal, position: Position) -> Vec<TimeRange> {
        let marks = self.0.get(&(tenant.clone(), signal)).into_iter().flatten();
        marks.filter(|mark| mark.position >= position).map(|mark| mark.window).collect()
    }

    /// Drops marks that only speak of segments that are gone.
    pub fn prune(&mut self, first_segment: u64) {
        self.0.retain(|_, marks| {
            marks.retain(|mark| mark.position.segment >= first_segment);
            !marks.is_empty()
        });
    }

    /// Drops marks that speak of more than the log has; returns whether there were any. They belong to a log that
    /// is gone, and would make replays take new records, of the same positions, for what is in blocks.
    pub fn drop_beyond(&mut self, end: Position) -> bool {
        let count = |marks: &Self| marks.0.values().map(Vec::len).sum::<usize>();
        let before = count(self);
        self.0.retain(|_, marks| {
            marks.retain(|mark| mark.position <= end);
            !marks.is_empty()
        });
        count(self) < before
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let count: usize = self.0.values().map(Vec::len).sum();
        out.extend_from_slice(&(count as u32).to_le_bytes());
        for ((tenant, signal), marks) in &self.0 {
            for mark in marks {
                out.push(*signal as u8);
                // A tenant's name has at most 150 bytes.
                out.push(tenant.as_str().len() as u8);
                out.extend_from_slice(tenant.as_str().as_bytes());
                out.extend_from_slice(&mark.window.start.to_le_bytes());
                out.extend_from_slice(&mark.window.end.to_le_bytes());
                out.extend_from_slice(&mark.position.segment.to_le_bytes());
                out.extend_from_slice(&mark.position.offset.to_le_bytes());
            }
        }
        let crc = crc32c::crc32c(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (mut rest, with_signals) = match body.strip_prefix(MAGIC) {
            Some(rest) => (rest, true),
            None => (body.strip_prefix(MAGIC_OF_METRICS)?, false),
        };
        let count = u32::from_le_bytes(take(&mut rest)?);
        let mut marks = Self::default();
        for _ in 0..count {
            let [signal] = if with_signals { take(&mut rest)? } else { [Signal::Metrics as u8] };
            let signal = Signal::ALL.into_iter().find(|known| *known as u8 == signal)?;
            let [len] = take(&mut rest)?;
            let (tenant, behind) = rest.split_at_checked(len as usize)?;
            rest = behind;
            let tenant = TenantId::new(std::str::from_utf8(tenant).ok()?).ok()?;
            let mut number = || take(&mut rest).map(u64::from_le_bytes);
            let window = TimeRange::new(number()? as i64, number()? as i64);
            marks.set((&tenant, signal), window, Position { segment: number()?, offset: number()? });
        }
        rest.is_empty().then_some(marks)
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, behind) = rest.split_first_chunk::<N>()?;
    *rest = behind;
    Some(*taken)
}

/// Where marks are kept.
pub struct MarksFile {
    fs: Arc<dyn Fs>,
    dir: Box<Path>,
    number: u64,
}

impl MarksFile {
    /// Reads the newest file that is whole; no marks if there is none.
    pub fn open(fs: Arc<dyn Fs>, dir: &Path) -> io::Result<(Self, Marks)> {
        fs.create_dir_all(dir)?;
        let mut numbers = numbers(&*fs, dir)?;
        numbers.sort_unstable();
        let mut file = Self { fs, dir: dir.into(), number: numbers.last().copied().unwrap_or(0) };
        for &number in numbers.iter().rev() {
            match file.read(number)? {
                Some(marks) => return Ok((file, marks)),
                None => tracing::warn!(number, "a file of flush marks is damaged and is passed over"),
            }
        }
        file.number = numbers.last().copied().unwrap_or(0);
        Ok((file, Marks::default()))
    }

    fn read(&self, number: u64) -> io::Result<Option<Marks>> {
        let file = self.fs.open(&self.path(number))?;
        let len = file.len()?;
        if len > MAX_FILE {
            return Ok(None);
        }
        let mut bytes = vec![0; len as usize];
        let read = file.read_at(&mut bytes, 0)?;
        Ok(bytes.get(..read).and_then(Marks::decode))
    }

    /// Returns when the marks are on disk.
    pub fn store(&mut self, marks: &Marks) -> io::Result<()> {
        let number = self.number + 1;
        self.number = number;
        let file = self.fs.create(&self.path(number))?;
        file.write_at(&marks.encode(), 0)?;
        file.sync_data()?;
        self.fs.sync_dir(&self.dir)?;
        for old in numbers(&*self.fs, &self.dir)?.into_iter().filter(|&old| old < number) {
            self.fs.remove(&self.path(old))?;
        }
        Ok(())
    }

    fn path(&self, number: u64) -> std::path::PathBuf {
        self.dir.join(format!("{PREFIX}{number}"))
    }
}

fn numbers(fs: &dyn Fs, dir: &Path) -> io::Result<Vec<u64>> {
    let names = fs.list(dir)?;
    Ok(names.iter().filter_map(|name| name.strip_prefix(PREFIX)?.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::new(name).unwrap()
    }

    fn at(segment: u64, offset: u64) -> Position {
        Position { segment, offset }
    }

    #[test]
    fn the_format_on_disk_stays() {
        let golden = |start: &[u8]| {
            [
                start,
                b"\x02ab",
                &[0; 8],
                &[0xff, 0xdc, 0x6d, 0, 0, 0, 0, 0],
                &[3, 0, 0, 0, 0, 0, 0, 0],
                &[1, 2, 0, 0, 0, 0, 0, 0],
            ]
            .concat()
        };
        let marks = |signal| {
            let mut marks = Marks::default();
            marks.set((&tenant("ab"), signal), TimeRange::new(0, 7_199_999), at(3, 513));
            marks
        };
        let logs = marks(Signal::Logs).encode();
        assert_eq!(logs[..logs.len() - 4], golden(b"YGFLUSH2\x01\0\0\0\x01"));
        assert_eq!(Marks::decode(&logs), Some(marks(Signal::Logs)));
        // As the first version wrote it.
        let mut old = golden(b"YGFLUSH1\x01\0\0\0");
        old.extend(crc32c::crc32c(&old).to_le_bytes());
        assert_eq!(Marks::decode(&old), Some(marks(Signal::Metrics)));
        let bytes = marks(Signal::Metrics).encode();
        assert_eq!(bytes[..bytes.len() - 4], golden(b"YGFLUSH2\x01\0\0\0\0"));
        for flip in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[flip] ^= 0x10;
            assert_eq!(Marks::decode(&bad), None);
        }
    }

    #[test]
    fn a_torn_file_is_passed_over_for_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let fs: Arc<dyn Fs> = Arc::new(crate::fs::RealFs);
        let (mut file, mut marks) = MarksFile::open(Arc::clone(&fs), dir.path()).unwrap();
        assert_eq!(marks, Marks::default());
        marks.set((&tenant("a"), Signal::Metrics), TimeRange::new(0, 9), at(1, 100));
        file.store(&marks).unwrap();
        marks.set((&tenant("a"), Signal::Metrics), TimeRange::new(10, 19), at(2, 100));
        file.store(&marks).unwrap();
        std::fs::write(dir.path().join("flushed.3"), &marks.encode()[..20]).unwrap();
        let (mut file, found) = MarksFile::open(fs, dir.path()).unwrap();
        assert_eq!(found, marks);
        assert!(found.covers((&tenant("a"), Signal::Metrics), TimeRange::new(10, 19), at(2, 100)));
        assert!(!found.covers((&tenant("a"), Signal::Metrics), TimeRange::new(10, 19), at(2, 101)));
        assert!(!found.covers((&tenant("a"), Signal::Metrics), TimeRange::new(0, 19), at(1, 1)));
        assert!(!found.covers((&tenant("b"), Signal::Metrics), TimeRange::new(10, 19), at(1, 1)));
        file.store(&found).unwrap();
        assert_eq!(numbers(&*file.fs, dir.path()).unwrap(), [4]);
    }
}
