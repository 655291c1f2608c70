//! How far the log is in blocks, durable beside the log.
//!
//! ```text
//! file   := "YGFLUSH3" count:u32 mark* count:u32 listed* crc32c-of-all-before:u32      (little endian)
//! mark   := signal:u8 tenant-length:u8 tenant start:i64 end:i64 segment:u64 offset:u64
//! listed := signal:u8 tenant-length:u8 tenant sequence:u64
//! ```
//!
//! Signal is 0 for metrics and 1 for logs. Files that begin with `YGFLUSH2` end behind the marks.
//! Those that begin with `YGFLUSH1` have no signals, either: all of their marks are of metrics.
//!
//! Each version is a new file `flushed.{number}`; the old one goes when the new one is on
//! disk. A torn or damaged file is passed over for the one before it: too few marks only
//! make blocks that hold some samples once more.

use crate::{fs::Fs, wal::Position};
use model::{Signal, TenantId, TimeRange};
use std::{collections::BTreeMap, io, path::Path, sync::Arc};

const MAGIC: &[u8; 8] = b"YGFLUSH3";
const MAGIC_UNLISTED: &[u8; 8] = b"YGFLUSH2";
const MAGIC_OF_METRICS: &[u8; 8] = b"YGFLUSH1";
const PREFIX: &str = "flushed.";
const MAX_FILE: u64 = 256 << 20;

/// For windows of tenants, the position up to which the log's data is in blocks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks {
    marks: BTreeMap<(TenantId, Signal), Vec<Mark>>,
    /// The newest manifest by which we have let go of something.
    listed: BTreeMap<(TenantId, Signal), u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    window: TimeRange,
    position: Position,
}

impl Marks {
    pub fn set(&mut self, (tenant, signal): (&TenantId, Signal), window: TimeRange, position: Position) {
        let marks = self.marks.entry((tenant.clone(), signal)).or_default();
        match marks.iter_mut().find(|mark| mark.window == window) {
            Some(mark) => mark.position = mark.position.max(position),
            None => marks.push(Mark { window, position }),
        }
    }

    /// Notes that what is dropped from the head is listed in this version of the tenant's manifest.
    pub fn list(&mut self, (tenant, signal): (&TenantId, Signal), sequence: u64) {
        let listed = self.listed.entry((tenant.clone(), signal)).or_default();
        *listed = sequence.max(*listed);
    }

    pub fn listed(&self) -> impl Iterator<Item = (&TenantId, Signal, u64)> {
        self.listed.iter().map(|((tenant, signal), sequence)| (tenant, *signal, *sequence))
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
        let marks = self.marks.get(&(tenant.clone(), signal)).into_iter().flatten();
        marks.filter(|mark| mark.position >= position).map(|mark| mark.window).collect()
    }

    /// Drops marks that only speak of segments that are gone.
    pub fn prune(&mut self, first_segment: u64) {
        self.marks.retain(|_, marks| {
            marks.retain(|mark| mark.position.segment >= first_segment);
            !marks.is_empty()
        });
    }

    /// Drops marks that speak of more than the log has; returns whether there were any. They belong to a log that
    /// is gone, and would make replays take new records, of the same positions, for what is in blocks.
    pub fn drop_beyond(&mut self, end: Position) -> bool {
        let count = |marks: &Self| marks.marks.values().map(Vec::len).sum::<usize>();
        let before = count(self);
        self.marks.retain(|_, marks| {
            marks.retain(|mark| mark.position <= end);
            !marks.is_empty()
        });
        count(self) < before
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let name = |(tenant, signal): &(TenantId, Signal), out: &mut Vec<u8>| {
            out.push(*signal as u8);
            // A tenant's name has at most 150 bytes.
            out.push(tenant.as_str().len() as u8);
            out.extend_from_slice(tenant.as_str().as_bytes());
        };
        let count: usize = self.marks.values().map(Vec::len).sum();
        out.extend_from_slice(&(count as u32).to_le_bytes());
        for (whose, marks) in &self.marks {
            for mark in marks {
                name(whose, &mut out);
                out.extend_from_slice(&mark.window.start.to_le_bytes());
                out.extend_from_slice(&mark.window.end.to_le_bytes());
                out.extend_from_slice(&mark.position.segment.to_le_bytes());
                out.extend_from_slice(&mark.position.offset.to_le_bytes());
            }
        }
        out.extend_from_slice(&(self.listed.len() as u32).to_le_bytes());
        for (whose, sequence) in &self.listed {
            name(whose, &mut out);
            out.extend_from_slice(&sequence.to_le_bytes());
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
        let (magic, mut rest) = body.split_first_chunk()?;
        if ![MAGIC, MAGIC_UNLISTED, MAGIC_OF_METRICS].contains(&magic) {
            return None;
        }
        let mut marks = Self::default();
        for _ in 0..u32::from_le_bytes(take(&mut rest)?) {
            let signal = if magic == MAGIC_OF_METRICS { Signal::Metrics } else { take_signal(&mut rest)? };
            let tenant = take_tenant(&mut rest)?;
            let mut number = || take(&mut rest).map(u64::from_le_bytes);
            let window = TimeRange::new(number()? as i64, number()? as i64);
            marks.set((&tenant, signal), window, Position { segment: number()?, offset: number()? });
        }
        let listed = if magic == MAGIC { u32::from_le_bytes(take(&mut rest)?) } else { 0 };
        for _ in 0..listed {
            let (signal, tenant) = (take_signal(&mut rest)?, take_tenant(&mut rest)?);
            marks.list((&tenant, signal), u64::from_le_bytes(take(&mut rest)?));
        }
        rest.is_empty().then_some(marks)
    }
}

fn take_signal(rest: &mut &[u8]) -> Option<Signal> {
    let [signal] = take(rest)?;
    Signal::ALL.into_iter().find(|known| *known as u8 == signal)
}

fn take_tenant(rest: &mut &[u8]) -> Option<TenantId> {
    let [len] = take(rest)?;
    let (tenant, behind) = rest.split_at_checked(len as usize)?;
    *rest = behind;
    TenantId::new(std::str::from_utf8(tenant).ok()?).ok()
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
        let listed = |signal| {
            let mut marks = marks(signal);
            marks.list((&tenant("ab"), signal), 0x0102);
            marks.list((&tenant("ab"), signal), 7);
            marks
        };
        let golden_listed = |start: &[u8], signal| {
            [&golden(start)[..], b"\x01\0\0\0", &[signal], b"\x02ab", &[2, 1, 0, 0, 0, 0, 0, 0]].concat()
        };
        let logs = listed(Signal::Logs).encode();
        assert_eq!(logs[..logs.len() - 4], golden_listed(b"YGFLUSH3\x01\0\0\0\x01", 1));
        assert_eq!(Marks::decode(&logs), Some(listed(Signal::Logs)));
        // As earlier versions wrote it.
        for (old, signal) in [
            (&b"YGFLUSH1\x01\0\0\0"[..], Signal::Metrics),
            (b"YGFLUSH2\x01\0\0\0\0", Signal::Metrics),
            (b"YGFLUSH2\x01\0\0\0\x01", Signal::Logs),
        ] {
            let mut old = golden(old);
            old.extend(crc32c::crc32c(&old).to_le_bytes());
            assert_eq!(Marks::decode(&old), Some(marks(signal)));
        }
        let bytes = listed(Signal::Metrics).encode();
        assert_eq!(bytes[..bytes.len() - 4], golden_listed(b"YGFLUSH3\x01\0\0\0\0", 0));
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
