//! Rule files of the operator's, in a folder.

use model::TenantId;
use parking_lot::Mutex;
use rules::{Reading, StoredGroup, read_file};
use service_api::Error;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

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
    tenant: TenantId,
    /// When it was changed, and how large it is.
    version: Option<(Option<SystemTime>, u64)>,
    groups: Vec<Arc<StoredGroup>>,
}

type Groups = BTreeMap<TenantId, Vec<Arc<StoredGroup>>>;

impl Folder {
    pub fn new(path: &Path, reading: Reading) -> Self {
        Self(Arc::new(Inner { path: path.to_owned(), reading, known: Mutex::default() }))
    }

    /// What its files say. A file with a mistake is logged once, and stays what it was before; so does what cannot be
    /// read, of which the first error is told.
    pub async fn read(&self) -> (Groups, Option<Error>) {
        let inner = Arc::clone(&self.0);
        let read = runtime::blocking(move || inner.read()).await;
        read.unwrap_or_else(|e| (Groups::new(), Some(Error::internal(e.to_string()))))
    }
}

impl Inner {
    fn read(&self) -> (Groups, Option<Error>) {
        let mut look = Look { inner: self, found: Groups::new(), seen: HashSet::new(), unread: Vec::new() };
        for entry in look.entries(&self.path) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() {
                let Ok(tenant) = TenantId::new(&name) else { continue };
                for file in look.entries(&entry.path()) {
                    look.file(&file.path(), &tenant);
                }
            } else {
                look.file(&entry.path(), &TenantId::anonymous());
            }
        }
        let Look { mut found, seen, unread, .. } = look;
        let mut known = self.known.lock();
        known.retain(|path, _| {
            seen.contains(path) || unread.iter().any(|(folder, _)| path.starts_with(folder))
        });
        for known in known.iter().filter(|(path, _)| !seen.contains(*path)).map(|(_, known)| known) {
            found.entry(known.tenant.clone()).or_default().extend(known.groups.iter().cloned());
        }
        let told = |(folder, error): &(PathBuf, io::Error)| {
            Error::unavailable(format!("cannot read rules in {}: {error}", folder.display()))
        };
        (found, unread.first().map(told))
    }

    fn parse(&self, text: &str, namespace: &str) -> Result<Vec<Arc<StoredGroup>>, String> {
        let groups = read_file(text, &self.reading)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        let stored = |group| Arc::new(StoredGroup { namespace: namespace.to_owned(), group, is_fixed: true });
        Ok(groups.into_iter().map(stored).collect())
    }
}

/// One look at a folder.
struct Look<'a> {
    inner: &'a Inner,
    found: Groups,
    seen: HashSet<PathBuf>,
    /// Folders that could not be listed.
    unread: Vec<(PathBuf, io::Error)>,
}

impl Look<'_> {
    /// By name, without those that begin with a dot: Kubernetes keeps versions of mounted files in such.
    fn entries(&mut self, folder: &Path) -> Vec<fs::DirEntry> {
        let listed = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let mut entries = listed.unwrap_or_else(|error| {
            self.unread.push((folder.to_owned(), error));
            Vec::new()
        });
        entries.retain(|entry| !entry.file_name().to_string_lossy().starts_with('.'));
        entries.sort_by_key(fs::DirEntry::file_name);
        entries
    }

    fn file(&mut self, path: &Path, tenant: &TenantId) {
        let is_rules = path.extension().is_some_and(|e| e == "yaml" || e == "yml") && path.is_file();
        let Some(namespace) = path.file_name().and_then(|name| name.to_str()).filter(|_| is_rules) else {
            return;
        };
        self.seen.insert(path.to_owned());
        let version = fs::metadata(path).map(|meta| (meta.modified().ok(), meta.len()));
        let mut known = self.inner.known.lock();
        let known = known.entry(path.to_owned()).or_insert_with(|| Known {
            tenant: tenant.clone(),
            version: None,
            groups: Vec::new(),
        });
        let version = version.ok();
        if version.is_none() || known.version != version {
            match read_bounded(path) {
                // It is tried again.
                Err(error) => self.unread.push((path.to_owned(), error)),
                Ok(text) => {
                    known.version = version;
                    match self.inner.parse(&text, namespace) {
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
            }
        }
        self.found.entry(tenant.clone()).or_default().extend(known.groups.iter().cloned());
    }
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let most = rules::MAX_FILE_BYTES as u64;
    let mut text = String::new();
    // One byte more than it may have is enough to have it refused.
    fs::File::open(path)?.take(most + 1).read_to_string(&mut text)?;
    Ok(text)
}
