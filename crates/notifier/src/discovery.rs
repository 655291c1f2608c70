//! Finding targets: in DNS and in files.

use crate::{
    config::{Records, Source, StaticConfig, from_yaml, targets},
    dns::{Family, Lookup},
    host::{Host, HostPort},
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Of a file of targets.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// That one pattern may name.
const MAX_FILES: usize = 100;

/// What one part of a source has: a name, or a pattern of files. A part that cannot be read keeps what it had.
pub(crate) type Found = BTreeSet<HostPort>;

/// The parts of a source, each with what is found there now or why it could not be read.
pub(crate) async fn find(source: &Source, lookup: &dyn Lookup) -> Vec<(String, Result<Found, String>)> {
    let mut parts = Vec::new();
    match source {
        Source::Static(targets) => parts.push((String::new(), Ok(targets.iter().cloned().collect()))),
        Source::Dns { names, records, .. } => {
            for name in names {
                parts.push((name.clone(), by_name(name, *records, lookup).await));
            }
        }
        Source::Files { patterns, .. } => {
            for pattern in patterns {
                let owned = pattern.clone();
                let read = runtime::blocking(move || in_files(&owned)).await;
                parts.push((pattern.clone(), read.unwrap_or_else(|lost| Err(lost.to_string()))));
            }
        }
    }
    parts
}

async fn by_name(name: &str, records: Records, lookup: &dyn Lookup) -> Result<Found, String> {
    let (family, port) = match records {
        Records::Srv => return lookup.services(name).await,
        Records::A { port } => (Family::V4, port),
        Records::Aaaa { port } => (Family::V6, port),
        Records::Any { port } => (Family::Any, port),
    };
    let addresses = lookup.addresses(name, family).await?;
    Ok(addresses.into_iter().map(|address| HostPort { host: Host::Ip(address), port: Some(port) }).collect())
}

fn in_files(pattern: &str) -> Result<Found, String> {
    let mut found = Found::new();
    for file in matching(pattern)? {
        let text = read_bounded(&file, MAX_FILE_BYTES).map_err(|e| format!("{}: {e}", file.display()))?;
        let configs: Option<Vec<StaticConfig>> =
            from_yaml(&text).map_err(|e| format!("{}: {e}", file.display()))?;
        for config in configs.unwrap_or_default() {
            found.extend(targets(config).map_err(|e| format!("{}: {e}", file.display()))?);
        }
    }
    Ok(found)
}

/// Files by a pattern with `*` in the last part of its path.
fn matching(pattern: &str) -> Result<Vec<PathBuf>, String> {
    let path = Path::new(pattern);
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !name.contains('*') {
        return Ok(vec![path.to_owned()]);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(format!("{}: {e}", folder.display())),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| format!("{}: {e}", folder.display()))?;
        if entry.file_name().to_str().is_some_and(|file| is_like(name, file)) {
            files.push(entry.path());
        }
    }
    if files.len() > MAX_FILES {
        return Err(format!("{pattern}: there are {} such files, at most {MAX_FILES} are read", files.len()));
    }
    Ok(files)
}

/// Whether a name is what a pattern says, in which `*` stands for any text.
fn is_like(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// The text of a file that is not larger than `most`.
pub(crate) fn read_bounded(file: &Path, most: u64) -> io::Result<String> {
    let mut text = String::new();
    File::open(file)?.take(most + 1).read_to_string(&mut text)?;
    if text.len() as u64 > most {
        return Err(io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's way to fail")]

    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.yml", "a.yml", true),
            ("*.yml", ".yml", true),
            ("*.yml", "a.yaml", false),
            ("am-*.json", "am-1.json", true),
            ("am-*.json", "am.json", false),
            ("a*b*c.yml", "axbxbc.yml", true),
            ("a*b*c.yml", "axc.yml", false),
            ("**.yml", "a.yml", true),
            ("a*a.yml", "a.yml", false),
        ] {
            assert_eq!(is_like(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn targets_are_read_from_files() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let find = |name: &str| {
            in_files(folder.path().join(name).to_str().unwrap())
                .map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        write("a.json", r#"[{"targets": ["am-1:9093", "am-2:9093"], "labels": {"x": "y"}}]"#);
        write("b.yml", "- targets: [am-2:9093, am-3]\n- targets:\n");
        write("empty.yml", "");
        write("large.yml", &" ".repeat(1 << 21));
        write("bad.yaml", "- targets: ['http://am']\n");
        assert_eq!(find("a.json").unwrap(), "am-1:9093 am-2:9093");
        assert!(find("?.yml").unwrap_err().contains("No such file"));
        assert_eq!(find("b*.yml").unwrap(), "am-2:9093 am-3");
        assert_eq!(find("e*.yml").unwrap(), "");
        assert_eq!(find("none*.yml").unwrap(), "");
        assert!(find("large.yml").unwrap_err().contains("more than 1048576 bytes"));
        assert!(find("bad.yaml").unwrap_err().contains("without scheme and path"));
    }
}
