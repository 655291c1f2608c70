//! Programs of others that the tests need, brought by `scripts/tools.sh`.

use std::{
    env,
    path::{Path, PathBuf},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    Prometheus,
    NodeExporter,
}

/// Where the program is: on the PATH or in `target/tools`. Without it the test fails, for
/// skipping would say that all is well.
pub fn tool(tool: Tool) -> PathBuf {
    // Debian puts its package's name before the program's.
    let names: &[&str] = match tool {
        Tool::Prometheus => &["prometheus"],
        Tool::NodeExporter => &["prometheus-node-exporter", "node_exporter"],
    };
    let brought = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/root/usr/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).chain([brought]).collect();
    let mut places = folders.iter().flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    places.find(|p| p.is_file()).unwrap_or_else(|| panic!("{} is missing: run `make tools`", names[0]))
}
