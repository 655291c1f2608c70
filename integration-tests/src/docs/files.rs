//! Finds the pages.

use super::parse::Page;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The pages below a folder whose names (`docs/rules.md`) are wanted, in their order, or all that is wrong with
/// any of them.
pub fn pages(root: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<Page>, Vec<String>> {
    let mut paths = Vec::new();
    markdown(root, &mut paths);
    paths.sort();
    let (mut pages, mut mistakes) = (Vec::new(), Vec::new());
    for path in paths {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if !is_wanted(&name) {
            continue;
        }
        match Page::parse(&name, &fs::read_to_string(&path).unwrap()) {
            Ok(page) => pages.push(page),
            Err(found) => mistakes.extend(found),
        }
    }
    if mistakes.is_empty() { Ok(pages) } else { Err(mistakes) }
}

/// Hidden folders, what was built and what a server has left are no documentation.
fn markdown(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = entry.file_type().unwrap().is_dir();
        if is_folder && !name.starts_with('.') && !matches!(name.as_str(), "target" | "data") {
            markdown(&entry.path(), paths);
        } else if !is_folder && name.ends_with(".md") {
            paths.push(entry.path());
        }
    }
}
