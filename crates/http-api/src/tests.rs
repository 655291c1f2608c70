//! The API as its clients see it: scripts of requests and answers, and requests at random.

mod deletions;
mod documentation;
pub mod fixture;
mod fuzz;
mod isolation;
mod log_fixture;
mod results;
mod rule_fixture;
mod rules;
mod script;

use crate::tests::fixture::{Api, Fixture};
use http::{Request, StatusCode, header};
use service_api::Limits;
use std::time::Duration;

macro_rules! scripts {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            script::run(include_str!(concat!("tests/scripts/", stringify!($name), ".txt"))).await;
        }
    )*};
}

scripts!(
    deletions,
    federate,
    labels,
    loki,
    loki_errors,
    numbers,
    operations,
    query,
    query_errors,
    query_range,
    rules,
    rules_management,
    status,
    tenants
);

fn get(path: &str) -> Request<axum::body::Body> {
    Request::get(path).body(axum::body::Body::empty()).unwrap()
}

#[tokio::test]
async fn a_large_answer_is_sent_in_pieces_and_compressed_when_asked() {
    let api = Api::new(Fixture { many_series: 20_000, ..Fixture::default() });
    let plain = api.send(get("/api/v1/series?match[]=many")).await;
    assert_eq!(plain.status, StatusCode::OK);
    assert!(!plain.headers.contains_key(header::CONTENT_LENGTH), "streamed");
    let parsed: serde_json::Value = serde_json::from_slice(&plain.body).unwrap();
    assert_eq!(parsed["data"].as_array().unwrap().len(), 20_000);
    assert_eq!(parsed["data"][19_999]["n"], "019999");

    let request = Request::get("/api/v1/series?match[]=many").header("Accept-Encoding", "gzip");
    let zipped = api.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(zipped.headers[header::CONTENT_ENCODING], "gzip");
    assert!(zipped.body.len() * 4 < plain.body.len(), "{} of {}", zipped.body.len(), plain.body.len());
}

#[tokio::test]
async fn a_form_over_the_bound_is_too_large() {
    let api = Api::new(Fixture::default());
    let request = Request::post("/api/v1/query").header("Content-Type", "application/x-www-form-urlencoded");
    let answer = api.send(request.body("query=".repeat(2 << 20).into()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        answer.text(),
        r#"{"status":"error","errorType":"bad_data","error":"the request has more than 1048576 bytes"}"#
    );
}

#[tokio::test]
async fn requests_that_ask_for_too_much_at_once_are_refused() {
    let api = Api::new(Fixture::default());
    for (path, param, many) in [
        ("/api/v1/series", "match[]=up", 1001),
        ("/federate", "match[]=up", 1001),
        ("/api/v1/cardinality/label_values", "label_names[]=job", 101),
    ] {
        let of = |n| get(&format!("{path}?{}", vec![param; n].join("&")));
        assert_eq!(api.send(of(many - 1)).await.status, StatusCode::OK, "{path}");
        let refused = api.send(of(many)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(refused.text().contains(&format!("more than {}", many - 1)), "{}", refused.text());
    }
}

#[tokio::test]
async fn a_query_over_its_memory_fails_alone() {
    let limits = Limits { query_memory: 100, ..Limits::default() };
    let api = Api::new(Fixture { limits, ..Fixture::default() });
    let answer = api.send(get("/api/v1/series?match[]=up")).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text().contains("limits.query_memory"), "{}", answer.text());
}

#[tokio::test(start_paused = true)]
async fn a_query_ends_at_its_timeout() {
    let api = Api::new(Fixture { delay: Duration::from_secs(600), ..Fixture::default() });
    let answer = api.send(get("/api/v1/series?match[]=up")).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        answer.text(),
        r#"{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}"#
    );
}

#[tokio::test(start_paused = true)]
async fn a_shorter_timeout_can_be_asked_for_and_a_longer_one_not() {
    let limits = Limits { query_timeout: 20, ..Limits::default() };
    for (delay, timeout, status) in [(5, "1s", 503), (5, "10", 200), (30, "1h", 503), (5, "-1", 503)] {
        let delay = Duration::from_secs(delay);
        let api = Api::new(Fixture { delay, limits: limits.clone(), ..Fixture::default() });
        let answer = api.send(get(&format!("/api/v1/query?query=up&timeout={timeout}"))).await;
        assert_eq!(answer.status.as_u16(), status, "{timeout}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_range_longer_than_the_tenant_may_ask_is_refused() {
    let limits = Limits { max_query_range: 3600, ..Limits::default() };
    let api = Api::new(Fixture { limits, ..Fixture::default() });
    let query = |end: u32| get(&format!("/api/v1/query_range?query=up&start=0&end={end}&step=60"));
    assert_eq!(api.send(query(3600)).await.status, StatusCode::OK);
    let refused = api.send(query(3601)).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text().contains("limits.max_query_range"), "{}", refused.text());
}

#[tokio::test]
async fn a_large_matrix_is_streamed_whole() {
    let api = Api::new(Fixture { many_series: 2_000, ..Fixture::default() });
    let answer = api.send(get("/api/v1/query_range?query=many&start=0&end=250&step=1")).await;
    assert!(!answer.headers.contains_key(header::CONTENT_LENGTH), "streamed");
    let parsed: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let series = parsed["data"]["result"].as_array().unwrap();
    assert_eq!(series.len(), 2_000);
    assert_eq!(series[1_999]["values"].as_array().unwrap().len(), 251);
    assert_eq!(series[1_999]["values"][250], serde_json::json!([250, "1999"]));
}

#[tokio::test]
async fn one_series_of_many_points_is_sent_in_pieces() {
    let api = Api::new(Fixture::default());
    let query = "(vector(time())<5%20or%20vector(time())>7)[10s:1ms]".replace('<', "%3C").replace('>', "%3E");
    let answer = api.send(get(&format!("/api/v1/query?query={query}&time=10"))).await;
    assert!(!answer.headers.contains_key(header::CONTENT_LENGTH), "streamed");
    let parsed: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let points = parsed["data"]["result"][0]["values"].as_array().unwrap();
    let expected = (1..5000).chain(7001..=10_000).map(|ms| serde_json::json!(f64::from(ms) / 1000.0));
    assert!(points.iter().map(|point| point[0].as_f64()).eq(expected.map(|time| time.as_f64())));
}

#[tokio::test]
async fn regular_expressions_of_one_request_are_bounded_together() {
    let api = Api::new(Fixture::default());
    let large = |n: usize| format!("%7Ba=~%22%5C%5CpL%7B9%7D{n}%22%7D");
    let selectors = |count| (0..count).map(|n| format!("match[]={}", large(n))).collect::<Vec<_>>().join("&");
    let query = (0..100).map(large).collect::<Vec<_>>().join("%20or%20");
    for (path, status) in [
        (format!("/api/v1/series?{}", selectors(5)), StatusCode::OK),
        (format!("/api/v1/series?{}", selectors(100)), StatusCode::BAD_REQUEST),
        (format!("/api/v1/labels?{}", selectors(100)), StatusCode::BAD_REQUEST),
        (format!("/api/v1/query?query={query}"), StatusCode::BAD_REQUEST),
    ] {
        let answer = api.send(get(&path)).await;
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(
            answer.text().contains("too large together"),
            status != StatusCode::OK,
            "{}",
            answer.text()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn queries_wait_for_a_place_and_too_many_are_refused() {
    let mut fixture = Fixture { delay: Duration::from_secs(10), ..Fixture::default() };
    fixture.read.max_concurrent_queries = 1;
    fixture.read.max_queued_queries = 1;
    let api = Api::new(fixture);
    let request = || api.send(get("/api/v1/labels"));
    let (first, second, third) = tokio::join!(request(), request(), request());
    assert_eq!((first.status, second.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(third.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(third.headers[header::RETRY_AFTER], "1");
    // The queue is empty again.
    assert_eq!(request().await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_result_keeps_its_place_until_it_is_read() {
    let mut fixture = Fixture { many_series: 2_000, ..Fixture::default() };
    fixture.read.max_concurrent_queries = 1;
    fixture.read.max_queued_queries = 0;
    let api = Api::new(fixture);
    let unread = api.begin(get("/api/v1/query_range?query=many&start=0&end=250&step=1")).await;
    assert_eq!(api.send(get("/api/v1/query?query=up")).await.status, StatusCode::SERVICE_UNAVAILABLE);
    drop(unread);
    assert_eq!(api.send(get("/api/v1/query?query=up")).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_cancels_its_query() {
    let api = Api::new(Fixture { delay: Duration::from_secs(60), ..Fixture::default() });
    let gone = tokio::time::timeout(Duration::from_secs(1), api.send(get("/api/v1/labels"))).await;
    assert!(gone.is_err());
    assert!(api.reader.last_context().unwrap().cancel.is_cancelled());
}

#[tokio::test]
async fn a_panic_is_one_requests_error() {
    let api = Api::new(Fixture { panics: true, ..Fixture::default() });
    let answer = api.send(get("/api/v1/metadata")).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::INTERNAL_SERVER_ERROR, "internal error\n"));
    assert_eq!(api.send(get("/-/healthy")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn requests_are_counted_by_route() {
    let api = Api::new(Fixture::default());
    for path in
        ["/api/v1/label/job/values", "/api/v1/label/code/values", "/nothing/here", "/api/v1/query?query=("]
    {
        api.send(get(path)).await;
    }
    let text = api.send(get("/metrics")).await;
    for line in [
        "yagura_http_requests_total{route=\"/api/v1/label/{name}/values\",status=\"200\"} 2",
        "yagura_http_requests_total{route=\"unknown\",status=\"404\"} 1",
        "yagura_http_requests_total{route=\"/api/v1/query\",status=\"400\"} 1",
        "yagura_http_request_duration_seconds_count{route=\"/api/v1/query\"} 1",
    ] {
        assert!(text.text().contains(line), "no {line} in\n{}", text.text());
    }
}
