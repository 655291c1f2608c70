//! What pages find on their PATH.

use crate::{
    tools::{Tool, tool},
    yagura::binary,
};
use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Yagura as it was built, and programs of others under the names that their makers gave them.
#[derive(Debug)]
pub struct Programs {
    folder: TempDir,
    root: PathBuf,
}

impl Programs {
    /// `root` is the folder of the sources.
    pub fn new(root: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let link = |name: &str, program: &Path| {
            symlink(fs::canonicalize(program).unwrap(), folder.path().join(name)).unwrap();
        };
        link("yagura", &binary());
        for (name, program) in [
            ("prometheus", Tool::Prometheus),
            ("promtool", Tool::Promtool),
            ("alertmanager", Tool::Alertmanager),
            ("node_exporter", Tool::NodeExporter),
            ("etcd", Tool::Etcd),
            ("etcdctl", Tool::Etcdctl),
        ] {
            link(name, &tool(program));
        }
        Self { folder, root: root.to_owned() }
    }

    pub(super) fn path(&self) -> OsString {
        let others = env::var_os("PATH").unwrap_or_default();
        env::join_paths([self.folder.path().to_owned()].into_iter().chain(env::split_paths(&others))).unwrap()
    }

    /// Gives a page's folder what a reader has who stands in the sources and has built the program.
    pub(super) fn sources(&self, folder: &Path) {
        copy(&self.root.join("deploy"), &folder.join("deploy"));
        let built = folder.join("target/release");
        fs::create_dir_all(&built).unwrap();
        symlink(self.folder.path().join("yagura"), built.join("yagura")).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
