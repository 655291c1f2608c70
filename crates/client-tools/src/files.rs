//! Files that were named on the command line, or by patterns.

use rules::Problem;
use std::{
    fs::{self, File},
    io::Read,
    path::{Component, Path, PathBuf},
};

/// The largest file that is read whole.
const MAX_BYTES: u64 = 64 << 20;

/// Files that a pattern or a folder may stand for.
const MAX_FILES: usize = 10_000;

/// How deep folders are gone into.
const MAX_DEPTH: usize = 16;

/// # Errors
/// A sentence with the path.
pub fn read_text(path: &Path) -> Result<String, String> {
    let cannot = |e: std::io::Error| format!("cannot read {}: {e}", path.display());
    read_all(File::open(path).map_err(cannot)?, &path.display().to_string())
}

/// # Errors
/// A sentence with the name.
pub fn read_all(from: impl Read, name: &str) -> Result<String, String> {
    let mut text = String::new();
    let read = from.take(MAX_BYTES + 1).read_to_string(&mut text);
    let read = read.map_err(|e| format!("cannot read {name}: {e}"))?;
    if read as u64 > MAX_BYTES {
        return Err(format!("{name} has more than {} MiB: split it", MAX_BYTES >> 20));
    }
    Ok(text)
}

/// `file:line: what is wrong`.
pub fn with_place(file: &str, problem: &Problem) -> String {
    let whole = problem.to_string();
    match problem.line {
        Some(line) => {
            let prefix = format!("line {line}: ");
            format!("{file}:{line}: {}", whole.strip_prefix(&prefix).unwrap_or(&whole))
        }
        None => format!("{file}: {whole}"),
    }
}

/// The rule files that were named: files as they are, and of folders all `.yaml` and `.yml` in them, sorted.
///
/// # Errors
/// A sentence with the path.
pub fn rule_files(named: &[String]) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for name in named {
        if name != "-" && Path::new(name).is_dir() {
            let before = found.len();
            in_folder(Path::new(name), MAX_DEPTH, &mut found)?;
            if found.len() == before {
                return Err(format!("the folder {name} has no .yaml or .yml in it"));
            }
        } else {
            found.push(name.clone());
        }
    }
    Ok(found)
}

fn in_folder(folder: &Path, depth: usize, found: &mut Vec<String>) -> Result<(), String> {
    for path in entries(folder)? {
        if path.is_dir() {
            if depth == 0 {
                return Err(format!("{} is too deep in other folders", path.display()));
            }
            in_folder(&path, depth - 1, found)?;
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            found.push(path.display().to_string());
        }
        if found.len() > MAX_FILES {
            return Err(format!("more than {MAX_FILES} files are named"));
        }
    }
    Ok(())
}

/// What is in a folder, sorted, without hidden ones.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |e: std::io::Error| format!("cannot read the folder {}: {e}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// The files that a pattern stands for, sorted: `*`, `?` and `[a-z]` within names of files and folders, as in Go's
/// `filepath.Glob`.
///
/// # Errors
/// Says what cannot be read.
pub fn matching(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let mut found = vec![PathBuf::from(folder)];
    for component in Path::new(pattern).components() {
        let Component::Normal(name) = component else {
            found.iter_mut().for_each(|path| path.push(component));
            continue;
        };
        let name = name.to_string_lossy();
        let mut next = Vec::new();
        for path in found {
            let exact = path.join(&*name);
            if exact.exists() {
                next.push(exact);
            } else if name.contains(['*', '?', '[']) {
                let here = if path.as_os_str().is_empty() { Path::new(".") } else { &path };
                if !here.is_dir() {
                    continue;
                }
                let names: Vec<char> = name.chars().collect();
                let matches = entries(here)?.into_iter().filter_map(|entry| {
                    let entry = entry.file_name()?.to_string_lossy().into_owned();
                    is_match(&names, &entry.chars().collect::<Vec<_>>()).then(|| path.join(entry))
                });
                next.extend(matches);
            }
            if next.len() > MAX_FILES {
                return Err(format!("{pattern} stands for more than {MAX_FILES} files"));
            }
        }
        found = next;
    }
    found.sort();
    found.retain(|path| path.is_file());
    Ok(found)
}

/// Whether a name is one that a pattern stands for. Takes at most the product of the lengths.
fn is_match(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where to go on if what comes after the last star does not match: behind it in both.
    let mut star: Option<(usize, usize)> = None;
    while from < name.len() {
        let step = match pattern.get(at) {
            Some('*') => {
                star = Some((at + 1, from));
                at += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => class(&pattern[at..], name[from]),
            Some('\\') => pattern.get(at + 1).filter(|c| **c == name[from]).map(|_| 2),
            Some(c) => (*c == name[from]).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(step), _) => (at, from) = (at + step, from + 1),
            (None, Some((behind, tried))) => {
                star = Some((behind, tried + 1));
                (at, from) = (behind, tried + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[at.min(pattern.len())..].iter().all(|c| *c == '*')
}

/// How long a class such as `[a-z]` or `[^0-9]` is, if the character is of it.
fn class(pattern: &[char], c: char) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|c| *c == ']')? + 2;
    let inner = &pattern[1..end];
    let (negated, mut inner) = match inner.split_first() {
        Some(('^', rest)) => (true, rest),
        _ => (false, inner),
    };
    let mut found = false;
    while let [first, rest @ ..] = inner {
        if let ['-', last, rest @ ..] = rest {
            found |= (*first..=*last).contains(&c);
            inner = rest;
        } else {
            found |= *first == c;
            inner = rest;
        }
    }
    (found != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_names() {
        let is_match = |pattern: &str, name: &str| {
            super::is_match(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
        };
        for (pattern, name) in [
            ("*.yaml", "a.yaml"),
            ("a*b*c", "aXbXbYc"),
            ("?.yml", "é.yml"),
            ("[a-c]x", "bx"),
            ("[^a-c]x", "dx"),
            ("*", ""),
            ("a", "a"),
            ("**", "x"),
            ("a\\*", "a*"),
            ("[]x]", "]"),
        ] {
            assert!(is_match(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.yaml", "a.yml"),
            ("a*b", "abc"),
            ("?", ""),
            ("[a-c]", "d"),
            ("[^a]", "a"),
            ("[a", "a"),
            ("a", "ab"),
        ] {
            assert!(!is_match(pattern, name), "{pattern} {name}");
        }
        // A pattern that tries everything does not take for ever.
        assert!(!is_match(&"*a".repeat(50), &"b".repeat(10_000)));
    }

    #[test]
    fn files_are_found_by_pattern_and_by_folder() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x/a.yaml", "x/b.yml", "y/c.yaml", "y/.hidden.yaml", "y/d.txt", "e.yaml"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
        let names = |found: Vec<PathBuf>| -> Vec<String> {
            let relative = |path: PathBuf| path.strip_prefix(folder.path()).unwrap().display().to_string();
            found.into_iter().map(relative).collect()
        };
        assert_eq!(names(matching(folder.path(), "*/*.yaml").unwrap()), ["x/a.yaml", "y/c.yaml"]);
        assert_eq!(names(matching(folder.path(), "./e.yaml").unwrap()), ["e.yaml"]);
        assert_eq!(
            names(matching(&folder.path().join("x"), "../y/?.*").unwrap()),
            ["x/../y/c.yaml", "x/../y/d.txt"]
        );
        assert!(matching(folder.path(), "none*").unwrap().is_empty());
        let all = rule_files(&[folder.path().display().to_string(), "-".into()]).unwrap();
        let ends: Vec<_> = all.iter().map(|path| path.rsplit('/').next().unwrap()).collect();
        assert_eq!(ends, ["e.yaml", "a.yaml", "b.yml", "c.yaml", "-"]);
    }
}
