//! `docs/http-api.md` has the paths of the program, with their methods and what they need, and no others.

use super::fixture::{Api, Fixture};
use crate::Serves;
use http::{Request, header};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// By path: its methods, and what it needs.
type Table = BTreeMap<String, (BTreeSet<String>, String)>;

#[tokio::test]
async fn the_documentation_has_every_path_and_no_other() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/http-api.md");
    let (written, served) = (written(&fs::read_to_string(page).unwrap()), served().await);
    for (path, one) in &served {
        assert_eq!(
            written.get(path),
            Some(one),
            "{path}, which docs/http-api.md has otherwise or not at all"
        );
    }
    let surplus: Vec<_> = written.keys().filter(|path| !served.contains_key(*path)).collect();
    assert!(surplus.is_empty(), "docs/http-api.md has paths that there are not: {surplus:?}");
}

/// What the router declares. The methods of a path are those that an answer to another one allows.
async fn served() -> Table {
    let api = Api::new(Fixture::default());
    let (_, declared) = crate::routes(Serves::ALL).into_parts();
    let mut table = Table::new();
    for (path, access) in declared {
        let name = path.replace(['{', '}'], "");
        let answer = api.send(Request::options(name).body(axum::body::Body::empty()).unwrap()).await;
        let allowed = answer.headers[header::ALLOW].to_str().unwrap();
        let methods = allowed.split(',').filter(|method| *method != "HEAD").map(str::to_owned).collect();
        table.insert(path, (methods, format!("{access:?}").to_lowercase()));
    }
    table
}

/// What the page's tables say: `| path | methods | needs | what |`, each behind a paragraph that begins with `Under`
/// and names what stands before its paths, or with `At the root`.
fn written(page: &str) -> Table {
    let mut table = Table::new();
    let mut prefixes = Vec::new();
    for paragraph in page.split("\n\n") {
        if paragraph.starts_with("Under ") {
            prefixes = quoted(paragraph);
        } else if paragraph.starts_with("At the root") {
            prefixes = vec![String::new()];
        } else if paragraph.starts_with("| path | methods | needs |") {
            for row in paragraph.lines().skip(2) {
                let cells: Vec<&str> = row.split(" | ").collect();
                let methods: BTreeSet<_> = cells[1].split(' ').map(str::to_owned).collect();
                for path in quoted(cells[0]) {
                    for prefix in &prefixes {
                        let one = (methods.clone(), cells[2].to_owned());
                        let before = table.insert(format!("{prefix}{path}"), one);
                        assert!(before.is_none(), "docs/http-api.md has {prefix}{path} twice");
                    }
                }
            }
        }
    }
    table
}

/// Texts between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
