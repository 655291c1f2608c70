//! Rules over HTTP: whatever a group is named it comes back under that name, to its tenant alone; rulers are told;
//! who is short of what.

use super::{
    fixture::{self, Answer, Api, Fixture},
    rule_fixture::MemoryRules,
};
use crate::{Auth, Deps, Grants, Multitenancy, TenantSet, Token, Tokens, router};
use arc_swap::ArcSwap;
use axum::{Router, body::Body};
use http::{Request, StatusCode, header};
use model::TenantId;
use proptest::{prelude::*, test_runner::TestCaseError};
use rules::{GroupName, Reading, RuleStore};
use service_api::Error;
use sha2::{Digest, Sha256};
use std::sync::Arc;

const PREFIXES: [&str; 7] = [
    "/api/v1/rules",
    "/loki/api/v1/rules",
    "/api/prom/rules",
    "/config/v1/rules",
    "/prometheus/config/v1/rules",
    "/rules",
    "/prometheus/rules",
];

struct World {
    rules: Arc<MemoryRules>,
    router: Router,
}

impl World {
    fn new(auth: Option<Auth>) -> Self {
        let rules = Arc::new(MemoryRules::new());
        let multitenancy = Multitenancy { enabled: true, federation: true };
        let deps = Deps {
            rule_store: rules.clone(),
            rule_states: rules.clone(),
            ..Api::deps(
                Fixture { multitenancy, auth, ..Fixture::default() },
                Arc::new(fixture::MemoryReader::new(&Fixture::default())),
            )
        };
        Self { rules, router: router(deps) }
    }

    async fn ask(&self, method: &str, path: &str, tenant: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header("X-Scope-OrgID", tenant);
        let request = request.header(header::ACCEPT, "application/yaml");
        fixture::send(&self.router, request.body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn stored(&self, tenant: &str) -> Vec<GroupName> {
        let groups = RuleStore::groups(&*self.rules, &TenantId::new(tenant).unwrap(), None).await.unwrap();
        let name =
            |stored: rules::StoredGroup| GroupName { namespace: stored.namespace, group: stored.group.name };
        groups.into_iter().map(name).collect()
    }
}

/// As careful clients encode a name: everything but letters and digits; or only what a path cannot have.
fn encode(name: &str, sparing: bool) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || sparing && b"-._~!$&'()*+,;=:@".contains(&byte);
    let encode = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    name.bytes().map(encode).collect()
}

fn group(name: &str) -> String {
    let name = serde_json::to_string(name).unwrap();
    format!("{{\"name\": {name}, \"rules\": [{{\"record\": \"a:b\", \"expr\": \"vector(1)\"}}]}}")
}

fn names() -> impl Strategy<Value = String> {
    let nasty = [
        "..",
        ".",
        "a/b",
        "../a",
        "a/../b",
        "/",
        "//",
        "a%2Fb",
        "%",
        "%2e%2e",
        "%252F",
        "%00",
        "a b",
        " ",
        "+",
        "a+b",
        "ü/ñ",
        "日本",
        "a\\b",
        "\"",
        "'",
        "rules",
        "{namespace}",
        "*",
        "?",
        "#",
        "a?b=c",
        "a#b",
        "a|b",
        ":",
        "~",
        "null",
        "1",
        "true",
        "- a",
        "a: b",
        "&a",
        "!x",
        "C:\\x",
        "name\u{301}",
        "\u{202e}x",
        "\u{feff}",
    ];
    prop_oneof![
        proptest::sample::select(nasty.to_vec()).prop_map(str::to_owned),
        "[a-z./%2Fe ]{1,12}",
        // Whatever is no control character.
        "[^\\p{Cc}]{1,20}",
    ]
}

/// Row 31 of the reliability plan.
async fn comes_back(
    prefix: &str,
    (namespace, name): (String, String),
    sparing: bool,
) -> Result<(), TestCaseError> {
    let world = World::new(None);
    let at = |namespace: &str| format!("{prefix}/{}", encode(namespace, sparing));
    let path = at(&namespace);
    let answer = world.ask("POST", &path, "a", &group(&name)).await;
    prop_assert_eq!(answer.status, StatusCode::ACCEPTED, "{}: {}", path, answer.text());
    let wanted = GroupName { namespace: namespace.clone(), group: name.clone() };
    prop_assert_eq!(&world.stored("a").await, std::slice::from_ref(&wanted));
    let one = format!("{path}/{}", encode(&name, !sparing));
    let shown = world.ask("GET", &one, "a", "").await;
    prop_assert_eq!(shown.status, StatusCode::OK, "{}: {}", one, shown.text());
    let read = rules::read_group(shown.text(), &Reading::default());
    prop_assert_eq!(read.map(|group| group.name).ok(), Some(name.clone()), "{}", shown.text());
    for list in [prefix, &path] {
        let listed = world.ask("GET", list, "a", "").await;
        let read = rules::read_namespaces(listed.text(), &Reading::default());
        let read = read.map(|all| all.into_keys().collect::<Vec<_>>()).ok();
        prop_assert_eq!(read, Some(vec![namespace.clone()]), "{}", listed.text());
    }
    // Neither another tenant nor another name sees it, however alike.
    for tenant in ["b", "A", "aa"] {
        for path in [prefix, &path, &one] {
            prop_assert_eq!(world.ask("GET", path, tenant, "").await.status, StatusCode::NOT_FOUND);
        }
        prop_assert_eq!(world.ask("DELETE", &one, tenant, "").await.status, StatusCode::NOT_FOUND);
        prop_assert_eq!(world.ask("DELETE", &path, tenant, "").await.status, StatusCode::NOT_FOUND);
    }
    let alike = [namespace.to_uppercase(), format!("{namespace} "), encode(&namespace, sparing)];
    for other in alike.iter().filter(|other| **other != namespace) {
        let status = world.ask("GET", &at(other), "a", "").await.status;
        prop_assert!([StatusCode::NOT_FOUND, StatusCode::BAD_REQUEST].contains(&status), "{other:?}");
    }
    prop_assert_eq!(world.stored("a").await, [wanted]);
    prop_assert_eq!(world.ask("DELETE", &one, "a", "").await.status, StatusCode::ACCEPTED);
    prop_assert_eq!(world.stored("a").await, []);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_group_comes_back_under_its_name_and_to_its_tenant(
        prefix in proptest::sample::select(PREFIXES.to_vec()),
        names in (names(), names()),
        sparing: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(comes_back(prefix, names, sparing))?;
    }
}

#[tokio::test]
async fn names_that_nobody_can_read_are_refused() {
    let world = World::new(None);
    for prefix in PREFIXES {
        for name in ["%00", "a%00", "%0a", "a%1fb", "%7F", "%C2%85", "%ff", "%C3", &"x".repeat(181)] {
            let path = format!("{prefix}/{name}");
            for (method, path) in [
                ("POST", path.clone()),
                ("GET", path.clone()),
                ("DELETE", path.clone()),
                ("GET", format!("{prefix}/a/{name}")),
                ("DELETE", format!("{prefix}/a/{name}")),
            ] {
                let status = world.ask(method, &path, "a", &group("g")).await.status;
                assert_eq!(status, StatusCode::BAD_REQUEST, "{method} {path}");
            }
        }
        for name in ["", "\0", "a\n", "\u{85}", &"x".repeat(181)] {
            let answer = world.ask("POST", &format!("{prefix}/a"), "a", &group(name)).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name:?}");
        }
    }
    assert_eq!(world.stored("a").await, []);
}

#[tokio::test]
async fn a_path_with_a_name_too_few_or_too_many_does_nothing() {
    let world = World::new(None);
    assert_eq!(world.ask("POST", "/rules/a", "a", &group("g")).await.status, StatusCode::ACCEPTED);
    for prefix in PREFIXES {
        for rest in ["/", "//", "//g", "/a/", "/a//", "/a//g", "/a/g/", "/a/b/c"] {
            for method in ["POST", "DELETE"] {
                let status = world.ask(method, &format!("{prefix}{rest}"), "a", &group("other")).await.status;
                let nothing =
                    [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
                assert!(nothing.contains(&status), "{method} {prefix}{rest}: {status}");
            }
        }
    }
    assert_eq!(world.stored("a").await, [GroupName { namespace: "a".into(), group: "g".into() }]);
}

#[tokio::test]
async fn a_group_that_loki_is_sent_is_logql_and_says_so() {
    let ambiguous = "name: g\nrules:\n- record: a:b\n  expr: sum(count_over_time({app=\"x\"}[1m]))\n";
    let promql = "name: g\nrules:\n- record: a:b\n  expr: sum(rate(up[1m]))\n";
    for (prefix, text, wanted) in [
        ("/loki/api/v1/rules", ambiguous, Some("lang: logql")),
        ("/loki/api/v1/rules", promql, None),
        ("/api/prom/rules", ambiguous, Some("lang: logql")),
        ("/api/prom/rules", promql, Some("sum(rate(up[1m]))")),
        ("/api/v1/rules", ambiguous, Some("count_over_time")),
        ("/config/v1/rules", promql, Some("sum(rate(up[1m]))")),
    ] {
        let world = World::new(None);
        let answer = world.ask("POST", &format!("{prefix}/n"), "a", text).await;
        let Some(wanted) = wanted else {
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{prefix}: {}", answer.text());
            continue;
        };
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{prefix}: {}", answer.text());
        let shown = world.ask("GET", &format!("{prefix}/n/g"), "a", "").await;
        let says = shown.text().contains("lang:");
        assert!(
            shown.text().contains(wanted) && says == wanted.contains("lang"),
            "{prefix}: {}",
            shown.text()
        );
    }
}

#[tokio::test]
async fn rulers_are_told_of_changes_and_of_nothing_else() {
    let world = World::new(None);
    let alerting = "alertmanagers: []";
    for (method, path, body, told) in [
        ("POST", "/api/v1/rules/n", group("g"), true),
        ("POST", "/api/v1/rules/n", "name: [".into(), false),
        ("GET", "/api/v1/rules/n", String::new(), false),
        ("DELETE", "/api/v1/rules/n/other", String::new(), false),
        ("DELETE", "/api/v1/rules/n/g", String::new(), true),
        ("DELETE", "/api/v1/rules/n", String::new(), false),
        ("POST", "/config/v1/rules/n", group("g"), true),
        ("DELETE", "/config/v1/rules/n", String::new(), true),
        ("POST", "/api/v1/alerts", alerting.into(), true),
        ("DELETE", "/api/v1/alerts", String::new(), true),
    ] {
        world.ask(method, path, "a", &body).await;
        let changed = std::mem::take(&mut *world.rules.changed.lock());
        let wanted = if told { vec![TenantId::new("a").unwrap()] } else { Vec::new() };
        assert_eq!(changed, wanted, "{method} {path}");
    }
    // Rulers look again by themselves.
    *world.rules.rulers_fail.lock() = Some(Error::unavailable("no ruler"));
    assert_eq!(world.ask("POST", "/rules/n", "a", &group("g")).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let api = World::new(None);
    *api.rules.store_fails.lock() = Some(Error::unavailable("the bucket is away"));
    let answer = api.ask("GET", "/prometheus/api/v1/rules", "a", "").await;
    assert_eq!(
        answer.text(),
        r#"{"status":"success","data":{"groups":[]},"warnings":["groups that are not evaluated yet are not listed: the bucket is away"]}"#
    );
    for (method, path) in
        [("GET", "/rules"), ("POST", "/rules/n"), ("DELETE", "/rules/n"), ("GET", "/api/v1/alerts")]
    {
        let answer = api.ask(method, path, "a", &group("g")).await;
        assert_eq!(
            (answer.status, answer.text()),
            (StatusCode::SERVICE_UNAVAILABLE, "the bucket is away\n"),
            "{path}"
        );
    }
    *api.rules.rulers_fail.lock() = Some(Error::unavailable("no ruler"));
    for path in ["/prometheus/api/v1/rules", "/prometheus/api/v1/alerts"] {
        let answer = api.ask("GET", path, "a", "").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
}

#[tokio::test]
async fn a_body_over_the_bound_is_too_large() {
    let world = World::new(None);
    for path in ["/rules/n", "/api/v1/alerts"] {
        let answer = world.ask("POST", path, "a", &"#".repeat((1 << 20) + 1)).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
    let claims = Request::post("/rules/n").header("X-Scope-OrgID", "a").header("Content-Length", "99999999");
    let answer = fixture::send(&world.router, claims.body(Body::from_stream(never())).unwrap()).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

/// A body of which nothing comes.
fn never() -> impl futures::Stream<Item = Result<bytes::Bytes, std::convert::Infallible>> {
    futures::stream::pending()
}

#[tokio::test]
async fn who_may_change_rules_and_who_may_look() {
    let token = |grants| Token { name: "t".into(), tenants: TenantSet::All, grants };
    let none = Grants::default();
    let all = [
        ("read", Grants { read: true, ..none }),
        ("write", Grants { write: true, ..none }),
        ("admin", Grants { admin: true, ..none }),
        ("rules", Grants { rules: true, ..none }),
    ];
    let tokens = Tokens::new(all.map(|(text, grants)| (Sha256::digest(text).into(), token(grants))));
    let auth = Auth { tokens: Arc::new(ArcSwap::from_pointee(tokens)), open_metrics: false };
    let world = World::new(Some(auth));
    let ask = async |token: &str, method: &str, path: &str, accept: &str| {
        let request = Request::builder().method(method).uri(path).header("X-Scope-OrgID", "a");
        let request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        let request = request.header(header::ACCEPT, accept);
        fixture::send(&world.router, request.body(Body::from(group("g"))).unwrap()).await.status.as_u16()
    };
    for (method, path, accept, read, rules) in [
        ("GET", "/api/v1/rules", "*/*", 200, 200),
        ("GET", "/api/v1/alerts", "*/*", 200, 200),
        ("GET", "/prometheus/api/v1/rules", "*/*", 200, 403),
        ("POST", "/api/v1/rules/n", "*/*", 403, 202),
        ("GET", "/api/v1/rules/n", "*/*", 200, 200),
        ("HEAD", "/api/v1/rules/n/g", "*/*", 200, 200),
        ("GET", "/api/v1/rules", "application/yaml", 200, 200),
        ("DELETE", "/api/v1/rules/n/g", "*/*", 403, 202),
        ("POST", "/api/v1/alerts", "*/*", 403, 201),
        // It may hold passwords.
        ("GET", "/api/v1/alerts", "application/yaml", 403, 200),
        ("DELETE", "/api/v1/alerts", "*/*", 403, 200),
        ("POST", "/loki/api/v1/rules/n", "*/*", 403, 202),
        ("DELETE", "/config/v1/rules/n", "*/*", 403, 202),
    ] {
        for (token, wanted) in [("read", read), ("write", 403), ("admin", 403), ("rules", rules)] {
            assert_eq!(ask(token, method, path, accept).await, wanted, "{token}: {method} {path} {accept}");
        }
    }
}
