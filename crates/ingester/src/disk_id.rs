//! The name of the data in a folder, by which others tell that it is not what it was.

use crate::{fs::Fs, service::NewId};
use block_store::Ulid;
use std::{io, path::Path};

/// Holds the id as text.
pub const FILE: &str = "disk-id";
const MAX_FILE: usize = 64;

/// The id of the data in `dir`; a new one, durable when this returns, where nothing or no log is
/// there: whatever a log held that is gone cannot be answered for. An id that cannot be read was
/// torn while it was made, or lost, and is made anew as well.
pub fn open(fs: &dyn Fs, dir: &Path, has_log: bool, new_id: &NewId) -> io::Result<Ulid> {
    let path = dir.join(FILE);
    let known = match fs.list(dir)?.iter().any(|name| name == FILE) {
        true => read(fs, &path)?,
        false => None,
    };
    if let Some(id) = known.filter(|_| has_log) {
        return Ok(id);
    }
    let id = new_id();
    let file = fs.create(&path)?;
    file.write_at(format!("{id}\n").as_bytes(), 0)?;
    file.sync_data()?;
    fs.sync_dir(dir)?;
    if has_log || known.is_some() {
        tracing::warn!(%id, had_log = has_log, "the folder is not what it was: it has got a new disk id");
    }
    Ok(id)
}

fn read(fs: &dyn Fs, path: &Path) -> io::Result<Option<Ulid>> {
    let mut bytes = [0; MAX_FILE];
    let len = fs.open(path)?.read_at(&mut bytes, 0)?;
    let text = std::str::from_utf8(&bytes[..len]).ok();
    Ok(text.and_then(|text| Ulid::from_string(text.strip_suffix('\n')?).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::sim::{Fault, SimFs};
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    #[test]
    fn the_id_stays_as_long_as_the_log_does() {
        let numbers = AtomicU64::new(1);
        let ids: NewId =
            Arc::new(move || Ulid::from_parts(7, numbers.fetch_add(1, Ordering::Relaxed).into()));
        let (fs, dir) = (SimFs::new(1), Path::new("/data"));
        let open = |has_log| open(&fs, dir, has_log, &ids).unwrap();
        let first = open(false);
        fs.crash();
        assert_eq!(open(true), first);
        let erased = open(false);
        assert_ne!(erased, first, "the log is gone, the file is not");
        assert_eq!(open(true), erased);
        fs.remove(&dir.join(FILE)).unwrap();
        let lost = open(true);
        assert_ne!(lost, erased);
        fs.create(&dir.join(FILE)).unwrap().write_at(b"01H", 0).unwrap();
        assert_ne!(open(true), lost, "torn");
    }

    #[test]
    fn an_id_that_was_told_survives_any_crash() {
        for (seed, operations) in (0..200).flat_map(|seed| (0..10).map(move |at| (seed, at))) {
            let numbers = AtomicU64::new(1);
            let ids: NewId =
                Arc::new(move || Ulid::from_parts(7, numbers.fetch_add(1, Ordering::Relaxed).into()));
            let (fs, dir) = (SimFs::new(seed), Path::new("/data"));
            fs.fail_in(operations, Fault::Crash);
            let told = open(&fs, dir, false, &ids);
            fs.crash();
            let after = open(&fs, dir, true, &ids).unwrap();
            assert!(told.is_err() || told.is_ok_and(|told| told == after));
        }
    }
}
