//! Questions as they are sent, and answers as they are printed.

use super::*;
use crate::testing::FakeServer;
use runtime::ManualClock;

fn options(expr: &str) -> QueryOptions {
    QueryOptions {
        expr: expr.into(),
        logs: false,
        time: None,
        start: None,
        end: None,
        step: None,
        limit: 100,
        forward: false,
        output: Output::Table,
        clock: Arc::new(ManualClock::at(1_700_000_000_000)),
    }
}

const VECTOR: &str = r#"{"status":"success","data":{"resultType":"vector","result":[
  {"metric":{"__name__":"up","job":"a,\"b\""},"value":[1700000000,"1"]},
  {"metric":{"job":"c"},"histogram":[1700000000.5,{"count":"3","sum":"4.5","buckets":[[0,"1","2","3"]]}]}
]},"warnings":["be careful"]}"#;

const MATRIX: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[
  {"metric":{"__name__":"up"},"values":[[1700000000,"1"],[1700000015,"0"]]},
  {"metric":{"__name__":"up","job":"c"},"values":[[1700000000,"NaN"]]}
]}}"#;

const STREAMS: &str = r#"{"status":"success","data":{"resultType":"streams","result":[
  {"stream":{"app":"x"},"values":[["1700000000000000003","c"],["1700000000000000001","a\u001b[31m"]]},
  {"stream":{"app":"y"},"values":[["1700000000000000002","b"]]}
]}}"#;

/// What is printed of one answer, and the warnings.
fn printed(text: &str, output: Output) -> (String, String) {
    printed_in(text, false, output)
}

fn printed_in(text: &str, forward: bool, output: Output) -> (String, String) {
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    print::answer(&data(text, &mut notes).unwrap(), forward, output, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), String::from_utf8(notes).unwrap())
}

#[test]
fn vectors_are_printed() {
    let (table, notes) = printed(VECTOR, Output::Table);
    assert_eq!(notes, "warning: be careful\n");
    assert_eq!(
        table,
        "series                                   value\n\
         up{job=\"a,\\\"b\\\"\"}                            1\n\
         {job=\"c\"}          {count:3, sum:4.5, (1,2]:3}\n"
    );
    let (csv, _) = printed(VECTOR, Output::Csv);
    assert_eq!(
        csv,
        "time,__name__,job,value\n2023-11-14T22:13:20Z,up,\"a,\"\"b\"\"\",1\n\
         2023-11-14T22:13:20.5Z,,c,\"{count:3, sum:4.5, (1,2]:3}\"\n"
    );
    let (lines, _) = printed(VECTOR, Output::Lines);
    let first = r#"{"labels":{"__name__":"up","job":"a,\"b\""},"time":"2023-11-14T22:13:20Z","value":"1"}"#;
    assert_eq!(lines.lines().next(), Some(first));
    assert_eq!(printed(VECTOR, Output::Raw).0, "1\n{count:3, sum:4.5, (1,2]:3}\n");
    assert!(printed(VECTOR, Output::Json).0.starts_with(r#"{"result":[{"metric""#));
}

#[test]
fn matrices_are_printed() {
    assert_eq!(
        printed(MATRIX, Output::Table).0,
        "up\n  2023-11-14T22:13:20Z  1\n  2023-11-14T22:13:35Z  0\n\nup{job=\"c\"}\n  2023-11-14T22:13:20Z  NaN\n"
    );
    assert_eq!(printed(MATRIX, Output::Raw).0, "1\n0\nNaN\n");
}

#[test]
fn lines_are_printed_by_time_and_cannot_steer_a_terminal() {
    assert_eq!(
        printed(STREAMS, Output::Table).0,
        "2023-11-14T22:13:20.000Z  {app=\"x\"}  c\n2023-11-14T22:13:20.000Z  {app=\"y\"}  b\n\
         2023-11-14T22:13:20.000Z  {app=\"x\"}  a\u{fffd}[31m\n"
    );
    assert_eq!(printed(STREAMS, Output::Raw).0, "c\nb\na\u{1b}[31m\n");
}

#[test]
fn streams_of_one_line_each_are_in_the_order_that_was_asked_for() {
    let text = r#"{"status":"success","data":{"resultType":"streams","result":[
      {"stream":{"app":"x"},"values":[["1700000000000000001","a"]]},
      {"stream":{"app":"y"},"values":[["1700000000000000002","b"]]}
    ]}}"#;
    assert_eq!(printed(text, Output::Raw).0, "b\na\n");
    assert_eq!(printed_in(text, true, Output::Raw).0, "a\nb\n");
}

#[test]
fn the_language_is_found_out() {
    for (expr, logs) in [
        ("up", false),
        ("{a=\"b\"}", true),
        ("{__name__=\"up\", a=\"b\"}", false),
        ("{\"up\"}", false),
        ("{a=\"b\"} |= \"x\"", true),
        ("sum(rate({a=\"b\"}[5m]))", false),
        ("sum(rate({a=\"b\"} |= \"x\" [5m]))", true),
        ("rate(a[5m])", false),
    ] {
        assert_eq!(is_logql(expr, false).unwrap(), logs, "{expr}");
    }
    assert!(is_logql("{a=\"b\"}", true).unwrap());
    let error = |expr| is_logql(expr, false).unwrap_err().to_string();
    assert!(error("sum(").starts_with("this is no PromQL"), "{}", error("sum("));
    assert!(error("{a=\"b\"} |= ").starts_with("this is no LogQL"), "{}", error("{a=\"b\"} |= "));
}

#[tokio::test]
async fn questions_go_where_their_language_is_answered() {
    let fake = FakeServer::start(vec![
        ("POST /api/v1/query", 200, VECTOR.into()),
        ("POST /api/v1/query_range", 200, MATRIX.into()),
        ("POST /loki/api/v1/query_range", 200, STREAMS.into()),
        (
            "GET /api/v1/label/a%2Fb/values?match%5B%5D=up",
            200,
            r#"{"status":"success","data":["x","y"]}"#.into(),
        ),
    ])
    .await;
    let server = fake.server();
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let instant = options("up");
    query(&server, &instant, &mut out, &mut notes).await.unwrap();
    let range = QueryOptions { start: Some("-1h".into()), step: Some("15s".into()), ..options("up") };
    query(&server, &range, &mut out, &mut notes).await.unwrap();
    query(&server, &options("{app=\"x\"} |= \"a\""), &mut out, &mut notes).await.unwrap();
    names(&server, &Names::LabelValues("a/b".into()), &options("up"), &mut out, &mut notes).await.unwrap();
    let received = fake.received();
    let bodies: Vec<_> = received.iter().map(|r| String::from_utf8(r.body.to_vec()).unwrap()).collect();
    assert_eq!(bodies[0], "query=up&time=1700000000");
    assert_eq!(bodies[1], "query=up&start=1699996400&end=1700000000&step=15s");
    assert_eq!(
        bodies[2],
        "query=%7Bapp%3D%22x%22%7D+%7C%3D+%22a%22&start=1699996400000000000&end=1700000000000000000&step=14s\
         &limit=100&direction=backward"
    );
    assert_eq!(received[0].headers["x-scope-orgid"], "team");
    assert_eq!(received[0].headers["authorization"], "Bearer hush");
    assert!(String::from_utf8(out).unwrap().ends_with("x\ny\n"));
}

#[tokio::test]
async fn what_the_server_says_against_a_query_is_told() {
    let refusal = r#"{"status":"error","errorType":"bad_data","error":"too much"}"#;
    let fake = FakeServer::start(vec![
        ("POST /api/v1/query", 422, refusal.into()),
        ("POST /api/v1/query", 401, "no".into()),
        ("POST /api/v1/query", 200, "<html>".into()),
    ])
    .await;
    let server = fake.server();
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    for said in ["too much (422", "--token", "is that a Yagura server?"] {
        let error = query(&server, &options("up"), &mut out, &mut notes).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert!(!error.contains("hush"));
    }
    let both = QueryOptions { time: Some("now".into()), end: Some("now".into()), ..options("up") };
    assert!(
        query(&server, &both, &mut out, &mut notes).await.unwrap_err().to_string().contains("take either")
    );
}
