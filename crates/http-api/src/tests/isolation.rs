//! Nobody reads or writes what is another tenant's: every route, with every kind of token, with
//! honest headers and forged ones, held against the rule as it is written down here once more.

mod own;
mod owned;

use super::fixture::{self, Answer, Api, Fixture};
use crate::{
    Auth, Deps, Grants, Multitenancy, Serves, TenantSet, Token, Tokens, auth::Access, router, routes,
};
use arc_swap::ArcSwap;
use axum::{Router, body::Body};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::FutureExt;
use http::{Method, Request, Uri, header};
use model::TenantId;
use owned::{Owned, body, secret};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex},
};

const TENANTS: [&str; 3] = ["a", "b", "c"];

/// Texts of tokens, each a canary; whose they are and what for.
const TOKENS: [(&str, &[&str], &str); 9] = [
    ("canary-reader-of-a", &["a"], "read"),
    ("canary-writer-of-a", &["a"], "write"),
    ("canary-both-of-b", &["b"], "read write"),
    ("canary-both-of-a-and-b", &["a", "b"], "read write"),
    ("canary-reader-of-all", &[], "read"),
    ("canary-writer-of-all", &[], "write"),
    ("canary-admin", &[], "admin"),
    ("canary-admin-of-b", &["b"], "admin"),
    ("canary-ruler-of-a", &["a"], "rules"),
];

/// `X-Scope-OrgID` as it may come. Two values are two headers.
const HEADERS: [&[&str]; 26] = [
    &[],
    &[""],
    &["a"],
    &["b"],
    &["c"],
    &["A"],
    &["a|b"],
    &["b|a|b"],
    &["a|b|c"],
    &["a|a"],
    &["a|"],
    &["|a"],
    &["a", "b"],
    &["b", "a"],
    &["a", "a"],
    &["a,b"],
    &["a b"],
    &[" b"],
    &["."],
    &[".."],
    &["a/../b"],
    &["%2e%2e"],
    &["%252e"],
    &["a%00"],
    &["a%7Cb"],
    &["ä"],
];

fn granted(word: &str) -> Grants {
    let has = |grant| word.contains(grant);
    Grants { read: has("read"), write: has("write"), rules: has("rules"), admin: has("admin") }
}

fn tokens() -> Tokens {
    Tokens::new(TOKENS.map(|(text, tenants, grants)| {
        let tenants = match tenants {
            [] => TenantSet::All,
            some => TenantSet::Only(some.iter().map(|t| TenantId::new(t).unwrap()).collect()),
        };
        let token = Token { name: "name".into(), tenants, grants: granted(grants) };
        (Sha256::digest(text).into(), token)
    }))
}

fn auth() -> Auth {
    Auth { tokens: Arc::new(ArcSwap::from_pointee(tokens())), open_metrics: false }
}

struct World {
    owned: Arc<Owned>,
    router: Router,
}

impl World {
    fn new(federation: bool) -> Self {
        let multitenancy = Multitenancy { enabled: true, federation };
        Self::of(Fixture { multitenancy, auth: Some(auth()), ..Fixture::default() })
    }

    fn of(fixture: Fixture) -> Self {
        let owned = Arc::new(Owned::default());
        let deps = Deps {
            logs: owned.clone(),
            tail: owned.clone(),
            push: owned.clone(),
            push_logs: owned.clone(),
            deletions: owned.clone(),
            rule_store: owned.clone(),
            rule_states: owned.clone(),
            flush: Arc::new(|| async { Ok(()) }.boxed()),
            ..Api::deps(fixture, owned.clone())
        };
        Self { owned, router: router(deps) }
    }

    /// The answer, and the tenants whose data was read or written for it.
    async fn send(&self, request: Request<Body>) -> (Answer, BTreeSet<String>) {
        let answer = fixture::send(&self.router, request).await;
        (answer, std::mem::take(&mut *self.owned.touched.lock().unwrap()))
    }
}

/// What is to become of a request.
#[derive(Debug, PartialEq)]
enum Verdict {
    Refused(u16),
    /// Of these tenants, if it is of any at all.
    Served(BTreeSet<String>),
}

fn may(access: Access, token: usize, method: &Method) -> bool {
    let (_, bound, grants) = TOKENS[token];
    match access {
        Access::Open => true,
        Access::Read => grants.contains("read"),
        Access::Write => grants.contains("write"),
        Access::Rules => grants.contains("rules") || *method == Method::GET && grants.contains("read"),
        Access::Admin => grants.contains("admin"),
        Access::Metrics => grants.contains("admin") || grants.contains("read") && bound.is_empty(),
    }
}

/// The rule: of a known token that allows it, for a tenant that the token is for.
fn verdict(
    (method, path): (&Method, &str),
    access: Access,
    several: bool,
    token: Option<usize>,
    header: &[&str],
) -> Verdict {
    use Verdict::{Refused, Served};
    let bound = match token {
        _ if access == Access::Open => return Served(BTreeSet::new()),
        None => return Refused(401),
        Some(token) if !may(access, token, method) => return Refused(403),
        _ if NOBODYS.contains(&path) => return Served(BTreeSet::new()),
        Some(token) => TOKENS[token].1,
    };
    let named: BTreeSet<&str> = match header {
        [] | [""] if bound.len() == 1 => [bound[0]].into(),
        [] | [""] => return Refused(401),
        [one] if several => one.split('|').collect(),
        [one] => [*one].into(),
        _ => return Refused(400),
    };
    // Of the names in this test these are the ones that a tenant can have.
    if !named.iter().all(|name| ["a", "b", "c", "A"].contains(name)) {
        return Refused(400);
    }
    if !bound.is_empty() && !named.iter().all(|name| bound.contains(name)) {
        return Refused(403);
    }
    Served(named.into_iter().map(str::to_owned).collect())
}

/// Paths that need a token and are of no tenant.
const NOBODYS: [&str; 10] = [
    "/",
    "/metrics",
    "/config",
    "/flush",
    "/-/reload",
    "/ring",
    "/ingester/shutdown",
    "/ingester/prepare-shutdown",
    "/ingester/prepare_shutdown",
    "/loki/api/v1/status/buildinfo",
];

/// Beside writes.
fn is_of_one_tenant(path: &str) -> bool {
    let of_rules = path.contains("/rules") || path.contains("/alert");
    path == "/loki/api/v1/tail" || path.contains("delete") || of_rules
}

fn request(method: &Method, path: &str, token: Option<&str>, header: &[&str]) -> Request<Body> {
    let (content_type, body) = body(path);
    let path = path.replace("{name}", "owner").replace("{namespace}", "n").replace("{group}", "g");
    // The tenant's name in the URL means nothing.
    let query = "X-Scope-OrgID=b&x-scope-orgid=b&tenant=b&start=0&end=600&step=60&match[]=up";
    let of = match path.as_str() {
        "/loki/api/v1/query" => "count_over_time({app=\"x\"}[10m])",
        _ if path.starts_with("/loki") => "{app=\"x\"}",
        _ => "up",
    };
    let of: String = of.bytes().map(|b| format!("%{b:02x}")).collect();
    let uri: Uri = format!("{path}?{query}&label_names[]=owner&query={of}").parse().unwrap();
    let mut request = Request::builder().method(method).uri(uri).header(header::CONTENT_TYPE, content_type);
    for value in header {
        request = request.header("X-Scope-OrgID", value.as_bytes());
    }
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    request.body(Body::from(body)).unwrap()
}

fn all_routes() -> BTreeMap<String, Access> {
    routes(Serves::ALL).into_parts().1
}

/// Sends every request there is of a method. How many they were, and the paths that had data.
async fn walk(federation: bool, method: Method) -> (usize, BTreeSet<String>) {
    let world = World::new(federation);
    let (mut requests, mut with_data) = (0, BTreeSet::new());
    for (path, access) in all_routes() {
        let several = federation && access != Access::Write && !is_of_one_tenant(&path);
        for token in (0..TOKENS.len()).map(Some).chain([None]) {
            let text = token.map(|token| TOKENS[token].0);
            for header in HEADERS {
                let (answer, touched) = world.send(request(&method, &path, text, header)).await;
                let what = format!("{method} {path} {text:?} {header:?}");
                if answer.status == 405 {
                    // Only who may use the route is told that there is no such method of it.
                    assert!(
                        touched.is_empty() && token.is_none_or(|token| may(access, token, &method)),
                        "{what}"
                    );
                    assert!(token.is_some() || access == Access::Open, "{what}");
                } else {
                    let want = verdict((&method, &path), access, several, token, header);
                    check(&answer, &touched, &want, &what);
                }
                requests += 1;
                if !touched.is_empty() {
                    with_data.insert(path.clone());
                }
            }
        }
    }
    (requests, with_data)
}

fn check(answer: &Answer, touched: &BTreeSet<String>, want: &Verdict, what: &str) {
    let status = answer.status.as_u16();
    let none = BTreeSet::new();
    let tenants = match want {
        Verdict::Refused(wanted) => {
            assert_eq!(status, *wanted, "{what}");
            &none
        }
        Verdict::Served(tenants) => {
            assert!(![401, 403].contains(&status), "{what} was refused: {status}");
            assert!(status < 500 || what.contains("/admin/tsdb/"), "{what}: {status}");
            tenants
        }
    };
    assert!(touched.is_empty() || touched == tenants, "{what} touched {touched:?}, not {tenants:?}");
    for tenant in TENANTS.iter().filter(|tenant| !tenants.contains(**tenant)) {
        let secret = secret(tenant);
        let shown = answer.body.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!shown, "{what} showed data of {tenant}");
    }
}

#[tokio::test]
async fn no_route_serves_a_tenant_that_is_not_the_requests() {
    let (mut requests, mut read, mut written, mut deleted, mut of_rules) = (0, 0, 0, 0, 0);
    let routes = all_routes();
    for federation in [false, true] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let (sent, with_data) = walk(federation, method).await;
            requests += sent;
            read += with_data.iter().filter(|path| routes[*path] == Access::Read).count();
            written += with_data.iter().filter(|path| routes[*path] == Access::Write).count();
            of_rules += with_data.iter().filter(|path| routes[*path] == Access::Rules).count();
            deleted += with_data.iter().filter(|path| routes[*path] == Access::Admin).count();
        }
    }
    assert!(requests >= 20_000, "only {requests} requests");
    // Had they not reached any data this would have shown nothing.
    assert!(read >= 100 && written >= 14, "{read} reads and {written} writes found data");
    // Listed by GET, asked for and cancelled by POST, and lines cancelled by DELETE.
    assert_eq!(deleted, 2 * (3 + 5 + 1));
    // All of each prefix are listed, and namespaces and groups of each are shown; groups are added; namespaces and
    // groups removed; and the Alertmanagers.
    assert_eq!(of_rules, 2 * ((3 * 7 + 1) + (7 + 1) + (2 * 7 + 1)));
}

#[tokio::test]
async fn paths_that_look_like_others_open_nothing() {
    let world = World::new(true);
    for path in [
        "/api/v1/../../config",
        "/%2e%2e/config",
        "/api/v1/%2e%2e/%2e%2e/config",
        "/%252e%252e/config",
        "//config",
        "/config/",
        "/CONFIG",
        "/config%00",
        "/config%2f",
        "/ready/../config",
        "/ready%2f..%2fconfig",
        "/-/healthy/../reload",
        "/loki/api/v1/tail/../query",
        "/prometheus/../flush",
        "/api/v1/label/..%2f..%2fconfig/values",
    ] {
        for method in [Method::GET, Method::POST] {
            let of = |token| {
                let request = Request::builder().method(&method).uri(path);
                let request = match token {
                    Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
                    None => request,
                };
                request.body(Body::empty()).unwrap()
            };
            let (answer, _) = world.send(of(None)).await;
            assert_eq!(answer.status, 401, "{path}");
            let (answer, touched) = world.send(of(Some("canary-reader-of-a"))).await;
            assert!(matches!(answer.status.as_u16(), 200 | 404 | 405), "{path}: {}", answer.status);
            assert!(touched.iter().all(|tenant| tenant == "a"), "{path}: {touched:?}");
            assert!(!answer.text().contains("target: all"), "{path} shows the configuration");
        }
    }
}

/// Takes what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn answers_logs_and_metrics_never_hold_a_token() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE);
    let subscriber = subscriber.with_writer(move || writer.clone()).finish();
    // While there is one subscriber alone, whichever test comes first to a line decides for all whether it is logged.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let _logged = tracing::subscriber::set_default(subscriber);
    let world = World::new(true);
    let mut shown = Vec::new();
    let unknown = "canary-that-nobody-knows";
    let texts: Vec<&str> = TOKENS.iter().map(|(text, ..)| *text).chain([unknown]).collect();
    for path in all_routes().into_keys() {
        for text in &texts {
            let basic = BASE64_STANDARD.encode(format!("user:{text}"));
            for value in [format!("Bearer {text}"), format!("Basic {basic}"), format!("Digest {text}")] {
                let mut request = request(&Method::POST, &path, None, &[".."]);
                request.headers_mut().insert(header::AUTHORIZATION, value.parse().unwrap());
                let (answer, _) = world.send(request).await;
                shown.extend_from_slice(&answer.body);
                shown.extend_from_slice(format!("{:?}\n", answer.headers).as_bytes());
            }
        }
    }
    let (metrics, _) = world.send(request(&Method::GET, "/metrics", Some("canary-admin"), &[])).await;
    assert!(metrics.text().contains("status=\"401\""), "refusals are counted");
    shown.extend_from_slice(&metrics.body);
    shown.extend_from_slice(&log.0.lock().unwrap());
    let shown = String::from_utf8_lossy(&shown);
    assert!(shown.contains("the token is not known"), "the log was taken");
    for text in texts {
        let basic = BASE64_STANDARD.encode(format!("user:{text}"));
        assert!(!shown.contains(text) && !shown.contains(&basic), "{text} was shown");
    }
}
