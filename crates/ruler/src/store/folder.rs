//! Rule files of the operator's, in a folder.

use model::TenantId;
use parking_lot::Mutex;
use rules::{Reading, StoredGroup, read_file};
use service_api::{Error, Result};
use std::{
    collections::{BTreeMap, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

/// Bytes of one rule file.
const MAX_FILE_BYTES: u64 = 10 << 20;

/// A folder of rule files, `TENANT/FILE.yaml`. Files beside the tenants' folders are of the tenant that everybody is
/// where tenants are not told apart. A file is a namespace by its name.
#[derive(Clone)]
pub struct Folder(Arc<Inner>);

struct Inner {
    path: PathBuf,
    reading: Reading,
    known: Mutex<HashMap<PathBuf, Known>>,
}

/// A file as it was read last.
struct Known {
    modified: Option<SystemTime>,
    size: u64,
    groups: Vec<Arc<StoredGroup>>,
}

type Groups = BTreeMap<TenantId, Vec<Arc<StoredGroup>>>;

impl Folder {
    pub fn new(path: &Path, reading: Reading) -> Self {
        Self(Arc::new(Inner { path: path.to_owned(), reading, known: Mutex::default() }))
    }

    /// What its files say. A file with a mistake is logged once, and stays what it was before.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub async fn read(&self) -> Result<Groups> {
        let inner = Arc::clone(&self.0);
        let read = runtime::blocking(move || inner.read()).await;
        let read = read.map_err(|e| Error::internal(e.to_string()))?;
        read.map_err(|e| Error::unavailable(format!("cannot read rules in {}: {e}", self.0.path.display())))
    }
}

impl Inner {
    fn read(&self) -> io::Result<Groups> {
        let (mut found, mut seen) = (Groups::new(), Vec::new());
        for entry in entries(&self.path)? {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() {
                let Ok(tenant) = TenantId::new(&name) else { continue };
                for file in entries(&entry.path())? {
                    self.file(&file.path(), &tenant, &mut found, &mut seen);
                }
            } else {
                self.file(&entry.path(), &TenantId::anonymous(), &mut found, &mut seen);
            }
        }
        self.known.lock().retain(|path, _| seen.contains(path));
        Ok(found)
    }

    fn file(&self, path: &Path, tenant: &TenantId, found: &mut Groups, seen: &mut Vec<PathBuf>) {
        let is_rules = path.extension().is_some_and(|e| e == "yaml" || e == "yml") && path.is_file();
        let Some(namespace) = path.file_name().and_then(|name| name.to_str()).filter(|_| is_rules) else {
            return;
        };
        seen.push(path.to_owned());
        let (modified, size) = match fs::metadata(path) {
            Ok(meta) => (meta.modified().ok(), meta.len()),
            Err(_) => (None, 0),
        };
        let mut known = self.known.lock();
        let is_new = known.get(path).is_none_or(|known| (known.modified, known.size) != (modified, size));
        let known = known.entry(path.to_owned()).or_insert_with(|| Known {
            modified: None,
            size: 0,
            groups: Vec::new(),
        });
        if is_new {
            (known.modified, known.size) = (modified, size);
            match self.parse(path, namespace, size) {
                Ok(groups) => known.groups = groups,
                Err(why) => {
                    let file = path.display().to_string();
                    tracing::error!(
                        file,
                        why,
                        "a rule file cannot be used; what it said before stays in force"
                    );
                }
            }
        }
        found.entry(tenant.clone()).or_default().extend(known.groups.iter().cloned());
    }

    fn parse(&self, path: &Path, namespace: &str, size: u64) -> Result<Vec<Arc<StoredGroup>>, String> {
        if size > MAX_FILE_BYTES {
            return Err(format!("it has more than {MAX_FILE_BYTES} bytes"));
        }
        let text = fs::read_to_string(path).map_err(|e| e.to_string())?;
        let groups = read_file(&text, &self.reading)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        let stored = |group| Arc::new(StoredGroup { namespace: namespace.to_owned(), group, is_fixed: true });
        Ok(groups.into_iter().map(stored).collect())
    }
}

/// By name, without those that begin with a dot: Kubernetes keeps versions of mounted files in such.
fn entries(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.retain(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
    entries.sort_by_key(fs::DirEntry::file_name);
    Ok(entries)
}
