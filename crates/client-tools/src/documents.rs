//! Rule files as tools of others write them: several documents in one file, each with the namespace it is of.

use crate::files;
use rules::{Problem, Reading, RuleFile, RuleGroup};
use std::path::Path;

/// The groups of one document.
#[derive(Debug)]
pub struct Document {
    pub namespace: String,
    pub groups: Vec<RuleGroup>,
}

/// Reads all documents of a file. Whoever names no namespace is in that of the file's name, without its ending.
///
/// # Errors
/// All that is wrong, each with file and line.
pub fn read(name: &str, text: &str, reading: &Reading) -> Result<Vec<Document>, Vec<String>> {
    let (mut documents, mut problems) = (Vec::new(), Vec::new());
    for part in split(text) {
        match rules::read_rule_file(&part, reading) {
            Ok(RuleFile { namespace, groups }) => {
                let namespace = namespace.unwrap_or_else(|| of_file(name));
                documents.push(Document { namespace, groups });
            }
            Err(found) => {
                problems.extend(found.iter().map(|problem: &Problem| files::with_place(name, problem)));
            }
        }
    }
    if problems.is_empty() { Ok(documents) } else { Err(problems) }
}

fn of_file(name: &str) -> String {
    let stem = Path::new(name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    stem.filter(|stem| stem != "-").unwrap_or_else(|| "stdin".to_owned())
}

/// The documents, each with an empty line for each line before it, so that lines keep their numbers.
fn split(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let (mut part, mut has_text) = (String::new(), false);
    for (number, line) in text.lines().enumerate() {
        let plain = line.trim_end();
        if plain == "---" {
            if has_text {
                parts.push(std::mem::replace(&mut part, "\n".repeat(number)));
            }
            has_text = false;
        } else {
            has_text |= !plain.is_empty() && !plain.trim_start().starts_with('#');
            part.push_str(line);
        }
        part.push('\n');
    }
    if has_text || parts.is_empty() {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use promql::ParseOptions;

    fn reading() -> Reading {
        Reading { lang: None, promql: ParseOptions::default() }
    }

    #[test]
    fn documents_have_their_own_namespaces() {
        let text =
            "# first\nnamespace: \"a b\"\ngroups:\n- name: g\n  rules: []\n---\ngroups: []\n---\n# end\n";
        let documents = read("dir/file.rules.yaml", text, &reading()).unwrap();
        let namespaces: Vec<_> = documents.iter().map(|d| (d.namespace.as_str(), d.groups.len())).collect();
        assert_eq!(namespaces, [("a b", 1), ("file.rules", 0)]);
        assert_eq!(read("-", "groups: []", &reading()).unwrap()[0].namespace, "stdin");
    }

    #[test]
    fn lines_are_counted_from_the_start_of_the_file() {
        let bad = "groups:\n- name: g\n  rules:\n  - record: a\n    expr: sum(";
        let text = format!("namespace: x\ngroups: []\n---\nnamespace: y\n{bad}\n---\n{bad}\n");
        let problems = read("f.yaml", &text, &reading()).unwrap_err();
        let lines: Vec<usize> = problems
            .iter()
            .map(|problem| problem.split(':').nth(1).unwrap().parse().unwrap_or_else(|_| panic!("{problem}")))
            .collect();
        assert_eq!(lines.len(), 2, "{problems:?}");
        assert_eq!(lines[1] - lines[0], 6, "{problems:?}");
        assert!((5..=9).contains(&lines[0]), "{problems:?}");
    }
}
