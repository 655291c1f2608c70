//! Requests to delete, from asking to cancelling, over a bucket in memory.

use super::fixture::{self, Answer, Api, Fixture, NOW};
use crate::{Deps, Multitenancy, router};
use axum::{Router, body::Body};
use block_store::{Bucket, Manifests, Ulid};
use http::Request;
use object_store::memory::InMemory;
use removal::Requests;
use runtime::{Clock, ManualClock};
use serde_json::{Value, json};
use service_api::{Limits, LimitsSource};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// With a bucket of their own; ids count from 1.
pub fn requests(clock: Arc<ManualClock>, limits: Arc<dyn LimitsSource>) -> Requests {
    let bucket = Bucket::new(Arc::new(InMemory::new()), "");
    let manifests = Manifests::new(bucket, clock.clone(), Duration::from_secs(10));
    let last = AtomicU64::new(0);
    let new_id = move || {
        let number = last.fetch_add(1, Ordering::Relaxed) + 1;
        Ulid::from_parts(clock.now_ms() as u64, number.into())
    };
    Requests::new(Arc::new(manifests), limits, Arc::new(new_id))
}

const SERIES: &str = "/prometheus/api/v1/admin/tsdb/delete_series";
const CANCEL_SERIES: &str = "/prometheus/api/v1/admin/tsdb/cancel_delete_request";
const LINES: &str = "/loki/api/v1/delete";
/// `{app="web"}`.
const QUERY: &str = "query=%7Bapp%3D%22web%22%7D";

struct World {
    clock: Arc<ManualClock>,
    router: Router,
}

impl World {
    fn new(limits: Limits) -> Self {
        let multitenancy = Multitenancy { enabled: true, federation: false };
        let fixture = Fixture { multitenancy, limits: limits.clone(), ..Fixture::default() };
        let clock = Arc::new(ManualClock::at(NOW));
        let deletions = requests(clock.clone(), Arc::new(Arc::new(limits)));
        let reader = Api::new(fixture.clone()).reader;
        let deps =
            Deps { clock: clock.clone(), deletions: Arc::new(deletions), ..Api::deps(fixture, reader) };
        Self { clock, router: router(deps) }
    }

    async fn send(&self, method: &str, tenant: &str, path: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header("X-Scope-OrgID", tenant);
        fixture::send(&self.router, request.body(Body::empty()).unwrap()).await
    }

    /// The id of a request that must be taken.
    async fn ask(&self, tenant: &str, path: &str) -> String {
        let answer = self.send("POST", tenant, path).await;
        assert_eq!((answer.status.as_u16(), answer.text()), (204, ""));
        answer.headers["x-delete-request-id"].to_str().unwrap().to_owned()
    }

    async fn json(&self, tenant: &str, path: &str) -> Value {
        let answer = self.send("GET", tenant, path).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    async fn status(&self, method: &str, tenant: &str, path: &str) -> u16 {
        self.send(method, tenant, path).await.status.as_u16()
    }
}

#[tokio::test]
async fn series_are_listed_as_cortex_lists_them() {
    let world = World::new(Limits { deletion_delay: 60, ..Limits::default() });
    let all = world.ask("a", &format!("{SERIES}?match[]=up&match[]=down")).await;
    let some = world.ask("a", "/api/v1/admin/tsdb/delete_series?match[]=up&start=1.5&end=2").await;
    let listed = world.json("a", SERIES).await;
    let of = |id: &str, start: f64, end: f64, selectors: &[&str], status: &str| {
        json!({
            "request_id": id, "start_time": start, "end_time": end, "selectors": selectors, "status": status,
            "created_at": 600, "due_at": 660,
        })
    };
    // Prometheus's earliest time.
    let start = -9_223_309_901_257_974.0;
    let expected = |status| {
        let data = [of(&all, start, 600.0, &["up", "down"], status), of(&some, 1.5, 2.0, &["up"], status)];
        numbers(&json!({"status": "success", "data": data}))
    };
    assert_eq!(numbers(&listed), expected("received"));
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(numbers(&world.json("a", "/api/v1/admin/tsdb/delete_series").await), expected("processing"));
    world.clock.advance(Duration::from_secs(86_400));
    assert_eq!(numbers(&world.json("a", SERIES).await), expected("processed"));
}

/// With all numbers as floats, so that it does not matter how whole ones were written.
fn numbers(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(numbers).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), numbers(value))).collect(),
        other => other.clone(),
    }
}

#[tokio::test]
async fn lines_are_listed_as_loki_lists_them() {
    let world = World::new(Limits::default());
    let id = world.ask("a", &format!("{LINES}?{QUERY}&start=100&end=200.25")).await;
    let answer = world.send("GET", "a", LINES).await;
    assert_eq!(
        answer.text(),
        format!(
            r#"[{{"request_id":"{id}","start_time":100,"end_time":200.25,"query":"{{app=\"web\"}}","status":"received","created_at":600,"due_at":87000}}]"#
        )
    );
    for (range, found) in [("start=200&end=300", 1), ("start=201&end=300", 0), ("start=201", 1)] {
        let listed = world.json("a", &format!("{LINES}?{range}")).await;
        assert_eq!(listed.as_array().unwrap().len(), found, "{range}");
    }
    // Until now, if no end is given.
    world.ask("a", &format!("{LINES}?{QUERY}&start=100")).await;
    assert_eq!(world.json("a", LINES).await[1]["end_time"], 600);
}

#[tokio::test]
async fn the_same_again_is_the_same_request() {
    let world = World::new(Limits::default());
    let path = format!("{LINES}?{QUERY}&start=100&end=200");
    assert_eq!(world.ask("a", &path).await, world.ask("a", &path).await);
    assert_eq!(world.json("a", LINES).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_request_is_cancelled_by_its_tenant_and_signal_alone() {
    let world = World::new(Limits::default());
    let series = world.ask("a", &format!("{SERIES}?match[]=up")).await;
    let lines = world.ask("a", &format!("{LINES}?{QUERY}&start=100")).await;
    let of_series = |id: &str| format!("{CANCEL_SERIES}?request_id={id}&force=true");
    let of_lines = |id: &str| format!("{LINES}?request_id={id}&force=true");
    for path in [SERIES, LINES] {
        let others = world.json("b", path).await;
        assert!(!others.to_string().contains("request_id"), "{others}");
    }
    for (tenant, series, lines) in [("b", &series, &lines), ("a", &lines, &series)] {
        assert_eq!(world.status("POST", tenant, &of_series(series)).await, 404);
        assert_eq!(world.status("DELETE", tenant, &of_lines(lines)).await, 404);
    }
    assert_eq!(world.status("PUT", "a", &of_series(&series)).await, 204);
    assert_eq!(world.status("DELETE", "a", &of_lines(&lines)).await, 204);
    assert_eq!(world.json("a", SERIES).await["data"], json!([]));
    assert_eq!(world.json("a", LINES).await, json!([]));
}

#[tokio::test]
async fn what_is_due_is_cancelled_by_force_alone() {
    let world = World::new(Limits { deletion_delay: 0, ..Limits::default() });
    let series = world.ask("a", &format!("{SERIES}?match[]=up")).await;
    let lines = world.ask("a", &format!("{LINES}?{QUERY}&start=100")).await;
    for (method, path) in [
        ("POST", format!("{CANCEL_SERIES}?request_id={series}")),
        ("DELETE", format!("{LINES}?request_id={lines}")),
    ] {
        for path in [path.clone(), format!("{path}&force=false")] {
            let answer = world.send(method, "a", &path).await;
            assert_eq!(answer.status, 400);
            assert!(answer.text().contains("since 1970-01-01T00:10:00Z"), "{}", answer.text());
        }
        assert_eq!(world.status(method, "a", &format!("{path}&force=true")).await, 204);
    }
}

#[tokio::test]
async fn too_many_and_forbidden_ones_are_told_in_the_form_of_each_api() {
    let forbidden = World::new(Limits { deletions: false, ..Limits::default() });
    let (of_series, of_lines) = (format!("{SERIES}?match[]=up"), format!("{LINES}?{QUERY}&start=100"));
    let why = "tenant a may not delete (limits.deletions)";
    let answer = forbidden.send("POST", "a", &of_series).await;
    let body = format!(r#"{{"status":"error","errorType":"bad_data","error":"{why}"}}"#);
    assert_eq!((answer.status.as_u16(), answer.text()), (403, body.as_str()));
    let answer = forbidden.send("POST", "a", &of_lines).await;
    assert_eq!((answer.status.as_u16(), answer.text().trim_end()), (403, why));

    let world = World::new(Limits::default());
    for start in 0..1_000 {
        world.ask("a", &format!("{SERIES}?match[]=up&start={start}e-3")).await;
    }
    let refused = world.send("POST", "a", &of_series).await;
    assert_eq!(refused.status, 429);
    assert!(refused.text().starts_with(r#"{"status":"error","errorType":"too_many_requests""#));
    assert!(refused.text().contains("a tenant may have 1000 requests to delete"), "{}", refused.text());
    // Others are not concerned, nor is the other signal.
    world.ask("b", &of_series).await;
    world.ask("a", &of_lines).await;
}
