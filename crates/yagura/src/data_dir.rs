//! The data folder: made, found writable, and held by one process at a time.

use anyhow::{Context, bail};
use std::{
    fs::{self, File, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
};

/// Holds the folder until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        fs::create_dir_all(path)
            .with_context(|| format!("cannot make the data folder {shown} (data_dir)"))?;
        let file = path.join("lock");
        let mut lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&file)
            .with_context(|| format!("cannot write to the data folder {shown} (data_dir)"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.read_to_string(&mut holder);
                let holder = holder.trim();
                let holder = if holder.is_empty() { "another process" } else { holder };
                bail!("the data folder {shown} is in use by {holder}: stop it, or set another data_dir");
            }
            Err(TryLockError::Error(cause)) => {
                return Err(cause).with_context(|| format!("cannot lock {}", file.display()));
            }
        }
        // Only a help for whoever is refused: on a full disk it may stay empty.
        let _ = lock.set_len(0).and_then(|()| lock.rewind());
        let _ = lock.write_all(format!("process {}\n", std::process::id()).as_bytes());
        let path = fs::canonicalize(path).with_context(|| format!("cannot find the data folder {shown}"))?;
        Ok(Self { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_user_of_the_folder_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let held = DataDir::open(&path).unwrap();
        let error = DataDir::open(&path).unwrap_err().to_string();
        let holder = format!("is in use by process {}: stop it", std::process::id());
        assert!(error.contains(&holder), "{error}");
        drop(held);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = format!("{:#}", DataDir::open(&file.join("data")).unwrap_err());
        assert!(error.contains("cannot make the data folder") && error.contains("file/data"), "{error}");
    }
}
