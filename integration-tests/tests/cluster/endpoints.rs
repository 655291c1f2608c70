//! Every public path and every gRPC method. What the sources have and this does not fails the tests.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Whom a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Open,
    /// Shows a tenant its data.
    Data,
    /// Shows a tenant something that is not data.
    Read,
    Write,
    /// Shows or changes a tenant's rules.
    Rules,
    /// Of the whole process, or it deletes a tenant's data.
    Admin,
    /// Of the whole process, and it ends it.
    Fatal,
}

#[derive(Clone, Debug)]
pub struct Endpoint {
    pub method: &'static str,
    pub path: String,
    pub kind: Kind,
}

use Kind::*;

/// Paths under each of Prometheus's prefixes.
const PROMETHEUS: &[(&str, Kind)] = &[
    ("/query", Data),
    ("/query_range", Data),
    ("/query_exemplars", Data),
    ("/format_query", Read),
    ("/parse_query", Read),
    ("/labels", Read),
    ("/label/secret/values", Data),
    ("/series", Data),
    ("/metadata", Data),
    ("/targets", Read),
    ("/targets/metadata", Read),
    ("/scrape_pools", Read),
    ("/alertmanagers", Read),
    ("/status/buildinfo", Read),
    ("/status/config", Admin),
    ("/status/flags", Read),
    ("/status/runtimeinfo", Read),
    ("/status/tsdb", Read),
    ("/status/walreplay", Read),
    ("/cardinality/label_names", Read),
    ("/cardinality/label_values", Data),
    ("/admin/tsdb/delete_series", Admin),
    ("/admin/tsdb/cancel_delete_request", Admin),
    ("/admin/tsdb/clean_tombstones", Admin),
    ("/admin/tsdb/snapshot", Admin),
];

const LOKI: &[(&str, Kind)] = &[
    ("/query", Data),
    ("/query_range", Data),
    ("/labels", Read),
    ("/label", Read),
    ("/label/secret/values", Data),
    ("/series", Data),
    ("/index/stats", Read),
    ("/index/volume", Data),
    ("/index/volume_range", Data),
    ("/detected_labels", Read),
    ("/detected_fields", Read),
    ("/detected_field/field/values", Data),
    ("/patterns", Read),
    ("/format_query", Read),
    ("/status/buildinfo", Read),
    ("/drilldown-limits", Read),
    ("/tail", Read),
    ("/delete", Admin),
];

const OTHERS: &[(&str, &str, Kind)] = &[
    ("GET", "/federate", Data),
    ("POST", "/api/v1/read", Data),
    ("POST", "/prometheus/api/v1/read", Data),
    ("GET", "/api/v1/user_stats", Read),
    ("POST", "/api/v1/write", Write),
    ("POST", "/api/v1/push", Write),
    ("POST", "/loki/api/v1/push", Write),
    ("POST", "/api/prom/push", Write),
    ("POST", "/otlp/v1/logs", Write),
    ("POST", "/otlp/v1/metrics", Write),
    ("POST", "/api/v1/otlp/v1/metrics", Write),
    ("GET", "/prometheus/api/v1/rules", Read),
    ("GET", "/prometheus/api/v1/alerts", Read),
    ("GET", "/api/v1/alerts", Rules),
    ("POST", "/api/v1/alerts", Rules),
    ("DELETE", "/api/v1/alerts", Rules),
    ("GET", "/", Read),
    ("GET", "/metrics", Admin),
    ("GET", "/ready", Open),
    ("GET", "/-/ready", Open),
    ("GET", "/-/healthy", Open),
    ("POST", "/-/reload", Admin),
    ("POST", "/flush", Admin),
    ("GET", "/config", Admin),
    ("GET", "/ring", Admin),
    ("POST", "/ingester/shutdown", Fatal),
    ("GET", "/ingester/prepare-shutdown", Admin),
    ("POST", "/ingester/prepare-shutdown", Fatal),
    ("DELETE", "/ingester/prepare-shutdown", Admin),
    ("GET", "/ingester/prepare_shutdown", Admin),
    ("POST", "/ingester/prepare_shutdown", Fatal),
    ("DELETE", "/ingester/prepare_shutdown", Admin),
];

/// Under each of these a tenant's rule groups are, all of them, of one namespace, and one.
const RULES: &[&str] = &[
    "/api/v1/rules",
    "/loki/api/v1/rules",
    "/api/prom/rules",
    "/config/v1/rules",
    "/prometheus/config/v1/rules",
    "/rules",
    "/prometheus/rules",
];

pub fn endpoints() -> Vec<Endpoint> {
    let mut all = Vec::new();
    let mut add = |method, path: String, kind| all.push(Endpoint { method, path, kind });
    for &(method, path, kind) in OTHERS {
        add(method, path.to_owned(), kind);
    }
    for (prefix, paths) in
        [("/api/v1", PROMETHEUS), ("/prometheus/api/v1", PROMETHEUS), ("/loki/api/v1", LOKI)]
    {
        for &(path, kind) in paths {
            let method = if path.contains("/admin/") { "POST" } else { "GET" };
            add(method, format!("{prefix}{path}"), kind);
        }
    }
    for prefix in RULES {
        for (method, path) in [
            ("GET", ""),
            ("GET", "/secret"),
            ("POST", "/secret"),
            ("DELETE", "/secret"),
            ("GET", "/secret/group"),
            ("DELETE", "/secret/group"),
        ] {
            add(method, format!("{prefix}{path}"), Rules);
        }
    }
    all
}

/// Ends the test if a route is declared that [`endpoints`] does not have.
pub fn every_route_is_covered() {
    let covered = endpoints();
    let like = |declared: &str, path: &str| {
        let (mut declared, mut path) = (declared.rsplit('/'), path.rsplit('/'));
        declared
            .by_ref()
            .all(|part| path.next().is_some_and(|p| part.is_empty() || part.starts_with('{') || part == p))
    };
    let mut declared = 0;
    for text in sources("crates/http-api/src", "rs") {
        for kind in ["open", "read", "write", "rules", "admin", "metrics", "route", "nest"] {
            for after in text.split(&format!(".{kind}(\"")).skip(1) {
                let path = after.split('"').next().unwrap();
                let found = match kind {
                    "nest" => covered.iter().any(|endpoint| endpoint.path.starts_with(path)),
                    _ => covered.iter().any(|endpoint| like(path, &endpoint.path)),
                };
                assert!(found || !path.starts_with('/'), "{path} is not among the endpoints of this test");
                declared += usize::from(path.starts_with('/'));
            }
        }
    }
    assert!(declared > 60, "{declared} routes are too few: are they declared in another way now?");
}

/// Every method of every service, such as `/package.Service/Method`.
pub fn grpc_methods() -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    for text in sources("proto", "proto") {
        let word = |line: &str, key: &str| {
            let rest = line.trim().strip_prefix(key)?;
            Some(rest.trim().split(|c: char| !c.is_alphanumeric() && c != '.' && c != '_').next()?.to_owned())
        };
        let package = text.lines().find_map(|line| word(line, "package ")).unwrap();
        let mut service = String::new();
        for line in text.lines() {
            service = word(line, "service ").unwrap_or(service);
            methods.extend(word(line, "rpc ").map(|method| format!("/{package}.{service}/{method}")));
        }
    }
    methods
}

/// The texts of all files of a kind in a folder of the project, tests left out.
fn sources(folder: &str, kind: &str) -> Vec<String> {
    let mut folders: Vec<PathBuf> = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder)];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
            if path.is_dir() && !is_test {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == kind) && !is_test {
                texts.push(fs::read_to_string(&path).unwrap());
            }
        }
    }
    texts
}
