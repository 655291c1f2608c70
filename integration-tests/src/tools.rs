//! Programs of others that the tests need, brought by `scripts/tools.sh`.

use std::{
    env,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Prometheus,
    Promtool,
    Alertmanager,
    NodeExporter,
    Etcd,
    Etcdctl,
}

/// Where the program is: on the PATH or in `target/tools`. Without it the test fails, for
/// skipping would say that all is well.
pub fn tool(tool: Tool) -> PathBuf {
    // Debian puts its package's name before the program's.
    let names: &[&str] = match tool {
        Tool::Prometheus => &["prometheus"],
        Tool::Promtool => &["promtool"],
        Tool::Alertmanager => &["prometheus-alertmanager", "alertmanager"],
        Tool::NodeExporter => &["prometheus-node-exporter", "node_exporter"],
        Tool::Etcd => &["etcd"],
        Tool::Etcdctl => &["etcdctl"],
    };
    let brought = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/root/usr/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).chain([brought]).collect();
    let mut places = folders.iter().flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    places.find(|p| p.is_file()).unwrap_or_else(|| panic!("{} is missing: run `make tools`", names[0]))
}

/// The command that runs one of the Python programs in `clients`, with the packages that
/// `scripts/tools.sh` has brought.
pub fn client(name: &str) -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packages = here.join("../target/tools/python");
    assert!(packages.is_dir(), "{} is missing: run `make tools`", packages.display());
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", packages).arg(here.join("clients").join(name));
    command
}

/// Says something past the test runner, which keeps what a test that passes prints to itself.
pub fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Whether tests run as long as `docs/reliability.md` says, and not only as long as a developer
/// waits for them.
pub fn soak() -> bool {
    env::var_os("YAGURA_SOAK").is_some()
}
