//! Commands against a server that answers from a list.

use super::*;
use crate::testing::FakeServer;
use promql::Features;
use std::fs;

const STORED: &str = "\
infra:
  - name: nodes
    rules:
      - alert: Down
        expr: up == 0
  - name: old
    rules:
      - record: a:b
        expr: sum(b)
  - name: same
    rules:
      - record: c:d
        expr: sum(d)
other/one:
  - name: x
    rules: []
";

/// The server's group `nodes` with another alert, `same` as it is, and a new one.
const WANTED: &str = "\
namespace: infra
groups:
  - name: nodes
    rules:
      - alert: Down
        expr: up == 0
        for: 5m
  - name: same
    rules:
      - record: 'c:d'
        expr: sum(d)
  - name: lines
    rules:
      - record: errors
        expr: 'sum(count_over_time({app=\"x\"} |= \"error\" [5m]))'
";

fn options(folder: &tempfile::TempDir, text: &str) -> SyncOptions {
    let file = folder.path().join("file.yaml");
    fs::write(&file, text).unwrap();
    SyncOptions {
        files: vec![file.display().to_string()],
        lang: None,
        features: Features::default(),
        namespaces: Vec::new(),
        prune: false,
        dry_run: false,
    }
}

fn text(out: Vec<u8>) -> String {
    String::from_utf8(out).unwrap()
}

async fn fake() -> FakeServer {
    FakeServer::start(vec![
        ("GET /config/v1/rules", 200, STORED.into()),
        ("GET /config/v1/rules/infra/old", 200, "name: old\nrules: []\n".into()),
        ("POST /config/v1/rules/infra", 202, "{}".into()),
        ("DELETE /config/v1/rules/infra/old", 202, "{}".into()),
        ("DELETE /config/v1/rules/other%2Fone/x", 202, "{}".into()),
        ("DELETE /config/v1/rules/other%2Fone", 202, "{}".into()),
    ])
    .await
}

#[tokio::test]
async fn groups_are_listed_shown_and_deleted() {
    let fake = fake().await;
    let server = fake.server();
    let mut out = Vec::new();
    list_rules(&server, &[], &mut out).await.unwrap();
    assert_eq!(
        text(out),
        "namespace  group  rules\ninfra      nodes      1\ninfra      old        1\ninfra      same       1\n\
         other/one  x          0\n"
    );
    let mut out = Vec::new();
    let get = GetOptions { namespace: "infra".into(), group: Some("old".into()) };
    get_rules(&server, &get, &mut out).await.unwrap();
    assert_eq!(text(out), "name: old\nrules: []\n");
    let get = GetOptions { namespace: "none".into(), group: None };
    let error = get_rules(&server, &get, &mut Vec::new()).await.unwrap_err().to_string();
    assert_eq!(error, "there is no namespace none");
    let mut out = Vec::new();
    let delete = DeleteOptions { namespace: "other/one".into(), group: None };
    delete_rules(&server, &delete, &mut out).await.unwrap();
    assert_eq!(text(out), "deleted the namespace other/one\n");
}

#[tokio::test]
async fn a_diff_shows_groups_and_lines_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let fake = fake().await;
    let mut out = Vec::new();
    let outcome = diff_rules(&fake.server(), &options(&folder, WANTED), &mut out).await.unwrap();
    assert_eq!(outcome, Outcome::Bad);
    let out = text(out);
    for part in [
        "create: infra / lines\n  + name: lines\n",
        "update: infra / nodes\n",
        "  +     for: 5m\n",
        "delete: infra / old\n  - name: old\n",
        "groups: 1 to be created, 1 to be updated, 1 to be deleted, 1 as they should be\n",
    ] {
        assert!(out.contains(part), "{part}\nis not in\n{out}");
    }
    assert!(!out.contains("other"), "{out}");
    assert_eq!(fake.lines(), ["GET /config/v1/rules"]);
}

#[tokio::test]
async fn a_sync_writes_before_it_deletes_and_touches_only_what_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let fake = fake().await;
    let server = fake.server();
    let mut out = Vec::new();
    let outcome = sync_rules(&server, &options(&folder, WANTED), &mut out).await.unwrap();
    assert_eq!(outcome, Outcome::Good);
    assert_eq!(
        text(out),
        "created: infra / lines\nupdated: infra / nodes\ndeleted: infra / old\n\
         groups: 3 changed, 1 as they should be\n"
    );
    let lines = fake.lines();
    assert_eq!(
        lines[1..],
        ["POST /config/v1/rules/infra", "POST /config/v1/rules/infra", "DELETE /config/v1/rules/infra/old"]
    );
    let body = text(fake.received()[2].body.to_vec());
    assert!(body.contains("name: nodes") && body.contains("for: 5m"), "{body}");

    let pruned = SyncOptions { prune: true, dry_run: true, ..options(&folder, WANTED) };
    let mut out = Vec::new();
    sync_rules(&server, &pruned, &mut out).await.unwrap();
    assert!(text(out).contains("delete: other/one / x"));
    let some = SyncOptions { namespaces: vec!["nobody's".into()], prune: true, ..options(&folder, WANTED) };
    let mut out = Vec::new();
    sync_rules(&server, &some, &mut out).await.unwrap();
    assert_eq!(text(out), "groups: 0 changed, 0 as they should be\n");
    assert_eq!(fake.lines().len(), 6, "{:?}", fake.lines());
}

#[tokio::test]
async fn what_is_refused_is_told_and_the_rest_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeServer::start(vec![
        ("GET /config/v1/rules", 404, "no rule groups found".into()),
        ("POST /config/v1/rules/infra", 400, "too many groups".into()),
        ("POST /config/v1/rules/infra", 202, "{}".into()),
    ])
    .await;
    let mut out = Vec::new();
    let outcome = sync_rules(&fake.server(), &options(&folder, WANTED), &mut out).await.unwrap();
    assert_eq!(outcome, Outcome::Bad);
    let out = text(out);
    assert!(out.contains("cannot create infra / lines: too many groups (400 Bad Request)"), "{out}");
    assert!(out.contains("created: infra / same"), "{out}");
}

#[tokio::test]
async fn nothing_is_asked_for_files_that_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let fake = fake().await;
    let mut out = Vec::new();
    let bad = "groups:\n  - name: a\n    rules:\n      - record: x\n        expr: sum(\n";
    let outcome = sync_rules(&fake.server(), &options(&folder, bad), &mut out).await.unwrap();
    assert_eq!(outcome, Outcome::Bad);
    let out = text(out);
    assert!(out.contains("file.yaml:") && out.ends_with("nothing was changed\n"), "{out}");
    assert!(fake.lines().is_empty());
}
