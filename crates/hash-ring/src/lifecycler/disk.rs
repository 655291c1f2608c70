//! Which incarnation of its data an instance has: a name that lives and dies with its folder.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

const FILE: &str = "disk-id";

/// The data folder of an instance. Whoever keeps no data takes the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// A random name, made with the folder.
    pub id: String,
    /// The folder was there before: it may hold what an earlier run acknowledged.
    pub holds_data: bool,
}

impl Disk {
    /// Reads the folder's name, or gives it `new_id`, which is on disk when this returns: call it
    /// before anything else is written there.
    ///
    /// # Errors
    /// The folder cannot be read or written, or its name is no text.
    pub fn open(folder: &Path, new_id: impl FnOnce() -> String) -> io::Result<Self> {
        let path = folder.join(FILE);
        match fs::read_to_string(&path) {
            Ok(id) if !id.trim().is_empty() => return Ok(Self { id: id.trim().into(), holds_data: true }),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        fs::create_dir_all(folder)?;
        let id = new_id();
        // Under another name first: a crash must not leave half a name.
        let draft = folder.join(format!("{FILE}.new"));
        let mut file = File::create(&draft)?;
        file.write_all(id.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        File::open(folder)?.sync_all()?;
        Ok(Self { id, holds_data: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_name_and_another_has_another() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("data");
        let first = Disk::open(&folder, || "d1".into()).unwrap();
        assert_eq!(first, Disk { id: "d1".into(), holds_data: false });
        let again = Disk::open(&folder, || "d2".into()).unwrap();
        assert_eq!(again, Disk { id: "d1".into(), holds_data: true });
        fs::remove_dir_all(&folder).unwrap();
        let erased = Disk::open(&folder, || "d3".into()).unwrap();
        assert_eq!(erased, Disk { id: "d3".into(), holds_data: false });
    }
}
