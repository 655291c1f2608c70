//! Data that is written once and whose answers are known from then on.

use crate::{
    http::{Http, form},
    loki::{LogStream, PROTOBUF, PUSH, push_protobuf},
    query::differences,
    remote_write::{TimeSeries, Version, now_ms},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SERIES: i64 = 12;
const ENTRIES: i64 = 30;
/// Milliseconds from entry to entry.
const STEP: i64 = 10_000;

/// A question with a known answer: a path with its fields, and what is wrong with the `data` of an
/// answer, if anything.
pub struct Question {
    pub path: String,
    pub check: Check,
}

pub type Check = Box<dyn Fn(&Value) -> Option<String> + Send + Sync>;

/// Writes the data, with `run` among the labels, and gives the questions.
pub async fn write_known(http: &Http, base: &str, run: &str) -> Vec<Question> {
    // In whole seconds, and long enough ago that it is not mixed with what is written now.
    let start = now_ms() / 1000 * 1000 - 900_000;
    let (mut series, mut streams) = (Vec::new(), Vec::new());
    for s in 0..SERIES {
        let (name, side) = (s.to_string(), side(s));
        let samples: Vec<(i64, f64)> = (0..ENTRIES).map(|k| (start + k * STEP, value(s, k))).collect();
        series.push(TimeSeries::new(
            &[("__name__", "known"), ("run", run), ("series", &name), ("side", side)],
            &samples,
        ));
        let lines: Vec<(i64, String)> =
            (0..ENTRIES).map(|k| ((start + k * STEP + s) * 1_000_000, line(s, k))).collect();
        let lines: Vec<(i64, &str)> = lines.iter().map(|(t, text)| (*t, text.as_str())).collect();
        streams.push(LogStream::new(
            &[("app", "known"), ("run", run), ("series", &name), ("side", side)],
            &lines,
        ));
    }
    for (path, headers, body) in [
        ("/api/v1/write", Version::V2.headers(), Version::V2.body(&series)),
        (PUSH, PROTOBUF, push_protobuf(&streams)),
    ] {
        let answer = http.send("POST", &format!("{base}{path}"), headers, body).await.unwrap();
        assert_eq!(answer.status / 100, 2, "{path}: {}", answer.body);
    }
    questions(start, run)
}

fn side(series: i64) -> &'static str {
    if series % 2 == 0 { "left" } else { "right" }
}

fn value(series: i64, entry: i64) -> f64 {
    (series * 1000 + entry) as f64
}

fn line(series: i64, entry: i64) -> String {
    format!("level=info entry={entry} of={series} msg=\"known to all\"")
}

fn questions(start: i64, run: &str) -> Vec<Question> {
    let end = start + (ENTRIES - 1) * STEP;
    // After all of it, so that no window's edge falls on an entry.
    let time = (end + 5000) / 1000;
    let sum =
        |side_is: &str, k: i64| (0..SERIES).filter(|s| side(*s) == side_is).map(|s| value(s, k)).sum::<f64>();
    let vector = |result: &[(Value, f64)]| {
        let result: Vec<Value> = result
            .iter()
            .map(|(labels, value)| json!({"metric": labels, "value": [time, value.to_string()]}))
            .collect();
        json!({"resultType": "vector", "result": result})
    };
    let instant = |api: &str, query: &str, expected: Value| Question {
        path: format!("{api}/query?{}", form(&[("query", query), ("time", &time.to_string())])),
        check: like(expected),
    };
    let sides = [
        (json!({"side": "left"}), sum("left", ENTRIES - 1)),
        (json!({"side": "right"}), sum("right", ENTRIES - 1)),
    ];
    let all = [(json!({}), (SERIES * ENTRIES) as f64)];
    let half = [(json!({"side": "left"}), (SERIES / 2 * ENTRIES) as f64)];
    let values: Vec<Value> = (0..ENTRIES)
        .map(|k| json!([(start + k * STEP) / 1000, (sum("left", k) + sum("right", k)).to_string()]))
        .collect();
    let range = |start: i64, end: i64, more: &[(&str, &str)]| {
        let (start, end) = (start.to_string(), end.to_string());
        form(&[&[("start", start.as_str()), ("end", &end)], more].concat())
    };
    let series = format!("known{{run=\"{run}\"}}");
    let streams = format!("app=\"known\", run=\"{run}\"");
    let total = format!("sum({series})");
    let steps = range(start / 1000, end / 1000, &[("query", &total), ("step", "10")]);
    let grid = json!({"resultType": "matrix", "result": [{"metric": {}, "values": values}]});
    let lines = format!("{{{streams}, side=\"left\"}} |= \"entry=7 \"");
    let lines =
        range(start * 1_000_000, time * 1_000_000_000, &[("query", lines.as_str()), ("limit", "100")]);
    let counted = format!("sum(count_over_time({{{streams}}}[10m]))");
    let filtered = "|= \"known to all\" [10m]";
    let by_side = format!("sum by (side) (count_over_time({{{streams}, side=\"left\"}} {filtered}))");
    vec![
        instant("/api/v1", &format!("sum by (side) ({series})"), vector(&sides)),
        instant("/api/v1", &format!("sum(count_over_time({series}[10m]))"), vector(&all)),
        Question { path: format!("/api/v1/query_range?{steps}"), check: like(grid) },
        instant("/loki/api/v1", &counted, vector(&all)),
        instant("/loki/api/v1", &by_side, vector(&half)),
        Question { path: format!("/loki/api/v1/query_range?{lines}"), check: Box::new(the_lines) },
    ]
}

fn like(expected: Value) -> Check {
    Box::new(move |data| {
        // `differences` is for results; whatever else comes is wrong too.
        let shape = data["resultType"] == expected["resultType"] && data["result"].is_array();
        match shape {
            false => Some(format!("not such a result: {data}")),
            true => differences(&expected, data).into_iter().next(),
        }
    })
}

fn the_lines(data: &Value) -> Option<String> {
    let streams = data["result"].as_array().into_iter().flatten();
    let entries = streams.flat_map(|stream| stream["values"].as_array().into_iter().flatten());
    let mut found = Vec::from_iter(entries.map(|entry| entry[1].as_str().unwrap_or_default().to_owned()));
    found.sort();
    let wanted = (0..SERIES).filter(|s| side(*s) == "left").map(|s| line(s, 7));
    let wanted = Vec::from_iter(BTreeSet::from_iter(wanted));
    (found != wanted).then(|| format!("lines {found:?}, wanted {wanted:?}"))
}
