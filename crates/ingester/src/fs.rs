//! The file system as the write-ahead log sees it, passed in so that tests can lose what was not synced.

mod real;
#[cfg(any(test, feature = "sim"))]
pub mod sim;

use std::{io, path::Path};

pub use self::real::RealFs;

/// Folders and the files in them.
pub trait Fs: Send + Sync {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// The names of the files in a folder, in no order; folders in it are left out.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// An empty file for reading and writing; what was there under the name is gone.
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;

    /// An existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes files that were created in or removed from the folder stay so after a power loss.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file. Offsets are passed; there is no cursor.
#[allow(clippy::len_without_is_empty, reason = "nobody asks")]
pub trait File: Send {
    fn len(&self) -> io::Result<u64>;

    /// Reads until `buffer` is full or the file ends; returns how much.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all of `bytes`. After an error any part of it may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Lengthens the file to `len` bytes of zeros and reserves their space.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Shortens the file.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Makes the content and what is needed to read it survive a power loss.
    fn sync_data(&self) -> io::Result<()>;
}
