//! Tokens as requests show them, and what becomes of those that are none.

use super::*;
use axum::{Router, body::Body, middleware, routing::get};
use http::{Request, StatusCode};
use model::TenantId;
use sha2::{Digest, Sha256};
use std::{fs, path::Path};
use tower::ServiceExt;

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn token(tenants: TenantSet, grants: Grants) -> Token {
    Token { name: "t".into(), tenants, grants }
}

const READ: Grants = Grants { read: true, write: false, rules: false, admin: false };

fn auth(open_metrics: bool) -> Auth {
    let one = TenantSet::Only([TenantId::new("a").unwrap()].into());
    let tokens = Tokens::new([
        (hash("reader"), token(TenantSet::All, READ)),
        (hash("of-a"), token(one, READ)),
        (hash("admin"), token(TenantSet::All, Grants { admin: true, ..Grants::default() })),
        (hash("rules"), token(TenantSet::All, Grants { rules: true, ..Grants::default() })),
    ]);
    Auth { tokens: Arc::new(ArcSwap::from_pointee(tokens)), open_metrics }
}

/// A path of each kind, and one that nobody has spoken of.
async fn ask(auth: Auth, path: &str, authorization: &[&str]) -> Response {
    let show = async |headers: HeaderMap| format!("served {headers:?}");
    let routes = Routes::new().open("/open", get(show)).read("/read", get(show)).write("/write", get(show));
    let routes = routes.admin("/admin", get(show)).metrics("/metrics", get(show));
    let routes = routes.rules("/rules", get(show).post(show).delete(show));
    let (router, access) = routes.into_parts();
    let guard = Guard::new(auth, access);
    let router = router.route("/undeclared", get(show));
    let router: Router = router.layer(middleware::from_fn_with_state(guard, check));
    let (method, path) = path.split_once(' ').unwrap_or(("GET", path));
    let request = Request::builder().method(method).uri(path);
    let request = authorization.iter().fold(request, |r, v| r.header("Authorization", *v));
    router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn status(path: &str, authorization: &str) -> u16 {
    ask(auth(false), path, &[authorization]).await.status().as_u16()
}

#[tokio::test]
async fn a_token_may_come_as_a_bearers_or_as_a_password() {
    let basic = |pair: &str| format!("Basic {}", BASE64_STANDARD.encode(pair));
    for good in ["Bearer reader", "bearer reader", "BEARER  reader ", &basic("any:reader"), &basic(":reader")]
    {
        assert_eq!(status("/read", good).await, 200, "{good}");
    }
    let twice = basic("any:reader:");
    for bad in [
        "",
        "reader",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer reader2",
        "Bearer READER",
        "Digest reader",
        "Basic !",
        &basic("reader"),
        &twice,
        &basic("reader:x"),
    ] {
        assert_eq!(status("/read", bad).await, 401, "{bad}");
    }
}

#[tokio::test]
async fn who_has_no_token_is_told_that_one_is_wanted() {
    let refused = ask(auth(false), "/read", &[]).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers()[header::WWW_AUTHENTICATE], "Bearer");
    let two = ask(auth(false), "/read", &["Bearer reader", "Bearer reader"]).await;
    assert_eq!(two.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn each_kind_of_access_is_granted_by_itself() {
    for (path, reader, of_a, admin, rules) in [
        ("/open", 200, 200, 200, 200),
        ("/read", 200, 200, 403, 403),
        ("/write", 403, 403, 403, 403),
        ("/admin", 403, 403, 200, 403),
        ("/rules", 200, 200, 403, 200),
        ("HEAD /rules", 200, 200, 403, 200),
        ("POST /rules", 403, 403, 403, 200),
        ("DELETE /rules", 403, 403, 403, 200),
        // Figures of all tenants are for who may read all tenants.
        ("/metrics", 200, 403, 200, 403),
        ("/undeclared", 403, 403, 403, 403),
        ("/nothing", 404, 404, 404, 404),
    ] {
        let asked = [("reader", reader), ("of-a", of_a), ("admin", admin), ("rules", rules)];
        for (authorization, want) in asked {
            assert_eq!(
                status(path, &format!("Bearer {authorization}")).await,
                want,
                "{path} {authorization}"
            );
        }
    }
}

#[tokio::test]
async fn nobody_without_a_token_learns_which_paths_there_are() {
    for path in ["/read", "/undeclared", "/nothing", "/metrics", "/admin"] {
        assert_eq!(ask(auth(false), path, &[]).await.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(ask(auth(true), "/metrics", &[]).await.status(), StatusCode::OK);
    assert_eq!(ask(auth(true), "/admin", &[]).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn handlers_never_see_a_token() {
    for path in ["/read", "/open"] {
        let served = ask(auth(false), path, &["Bearer reader"]).await;
        let body = axum::body::to_bytes(served.into_body(), usize::MAX).await.unwrap();
        assert_eq!(&body[..], b"served {}");
    }
}

#[tokio::test]
async fn a_token_that_is_taken_away_is_good_no_more() {
    let auth = auth(false);
    let of = async || ask(auth.clone(), "/read", &["Bearer reader"]).await.status();
    assert_eq!(of().await, StatusCode::OK);
    auth.tokens.store(Arc::default());
    assert_eq!(of().await, StatusCode::UNAUTHORIZED);
}

#[test]
#[should_panic(expected = "two kinds of access")]
fn a_route_cannot_ask_for_two_kinds_of_access() {
    let nothing = || get(async || ());
    let _ = Routes::<()>::new().read("/x", nothing()).write("/x", axum::routing::post(async || ()));
}

/// A route that went past `Routes` would be refused to everybody where auth is on, and open where it
/// is off; it is to be found before anybody meets it.
#[test]
fn no_route_is_made_without_saying_who_may_use_it() {
    fn sources(dir: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                sources(&path, found);
            } else if name.ends_with(".rs") && !path.ends_with("auth/routes.rs") && name != "tests.rs" {
                let text = fs::read_to_string(&path).unwrap();
                let raw = [".route(", ".route_service(", ".nest_service(", "Router::new("];
                found.extend(raw.iter().filter(|r| text.contains(**r)).map(|r| format!("{name}: {r}")));
            }
        }
    }
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.is_empty(), "use auth::Routes: {found:?}");
}
