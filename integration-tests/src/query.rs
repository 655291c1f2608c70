//! The query API as a client sees it, and the comparison of two servers' answers.

use crate::http::{Answer, Http, form};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub struct Query {
    http: Http,
    base: String,
}

/// Milliseconds and value.
pub type Point = (i64, f64);

/// One series of a result: its labels and its points.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    pub labels: BTreeMap<String, String>,
    pub points: Vec<Point>,
}

impl Query {
    /// Asks the server at `base`, such as `http://127.0.0.1:9090`.
    pub fn new(http: Http, base: &str) -> Self {
        Self { http, base: base.to_owned() }
    }

    /// The `data` of an instant query, or the answer that was no success.
    pub async fn instant(&self, expr: &str, time_ms: i64) -> Result<Value, Answer> {
        let time = seconds(time_ms);
        self.data("query", &[("query", expr), ("time", &time)]).await
    }

    /// The `data` of a range query, or the answer that was no success.
    pub async fn range(&self, expr: &str, from_ms: i64, to_ms: i64, step_ms: i64) -> Result<Value, Answer> {
        let (start, end, step) = (seconds(from_ms), seconds(to_ms), seconds(step_ms));
        self.data("query_range", &[("query", expr), ("start", &start), ("end", &end), ("step", &step)]).await
    }

    /// The series of an instant query that must succeed, such as `up[5m]`.
    pub async fn series(&self, expr: &str, time_ms: i64) -> Vec<Series> {
        match self.instant(expr, time_ms).await {
            Ok(data) => series_of(&data),
            Err(answer) => panic!("{expr}: {} {}", answer.status, answer.body),
        }
    }

    async fn data(&self, endpoint: &str, fields: &[(&str, &str)]) -> Result<Value, Answer> {
        let url = format!("{}/api/v1/{endpoint}?{}", self.base, form(fields));
        let answer = self.http.get(&url).await.unwrap();
        let mut body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        match body.get_mut("data") {
            Some(data) if answer.status == 200 => Ok(data.take()),
            _ => Err(answer),
        }
    }
}

/// The queries of a text, one a line, with `$T` replaced by a time; each with whether it is a range
/// query. Lines that start with `instant ` are asked as instant queries only, the others as both.
pub fn queries(text: &str, time_ms: i64) -> Vec<(String, bool)> {
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    let time = seconds(time_ms);
    let each = lines.flat_map(|line| {
        let expr = line.replace("$T", &time);
        match expr.strip_prefix("instant ") {
            Some(expr) => vec![(expr.to_owned(), false)],
            None => vec![(expr.clone(), false), (expr, true)],
        }
    });
    each.collect()
}

fn seconds(ms: i64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// The series of a `vector`, a `matrix` or (without labels) a `scalar`.
pub fn series_of(data: &Value) -> Vec<Series> {
    let result = &data["result"];
    if data["resultType"] == "scalar" {
        return vec![Series { labels: BTreeMap::new(), points: vec![point(result)] }];
    }
    let one = |series: &Value| {
        let labels = series["metric"].as_object().unwrap().iter();
        let labels = labels.map(|(n, v)| (n.clone(), v.as_str().unwrap().to_owned())).collect();
        let points = match series.get("values") {
            Some(values) => values.as_array().unwrap().iter().map(point).collect(),
            None => vec![point(&series["value"])],
        };
        Series { labels, points }
    };
    result.as_array().unwrap_or_else(|| panic!("not a result: {data}")).iter().map(one).collect()
}

fn point(pair: &Value) -> Point {
    let ms = (pair[0].as_f64().unwrap() * 1000.0).round() as i64;
    (ms, pair[1].as_str().unwrap().replace("Inf", "inf").parse().unwrap())
}

/// What differs between two answers; numbers may differ by a relative 1e-9. The order of
/// series is not compared.
pub fn differences(one: &Value, other: &Value) -> Vec<String> {
    if one["resultType"] != other["resultType"] {
        return vec![format!("result type {} against {}", one["resultType"], other["resultType"])];
    }
    let sorted = |data| {
        let series = series_of(data).into_iter();
        series.map(|s| (s.labels, s.points)).collect::<BTreeMap<_, _>>()
    };
    let (one, other) = (sorted(one), sorted(other));
    let mut found = Vec::new();
    for (labels, points) in &one {
        match other.get(labels) {
            None => found.push(format!("only the first has {labels:?}")),
            Some(others) => {
                found.extend(first_difference(points, others).map(|d| format!("{labels:?}: {d}")))
            }
        }
    }
    found
        .extend(other.keys().filter(|l| !one.contains_key(*l)).map(|l| format!("only the second has {l:?}")));
    found
}

fn first_difference(one: &[Point], other: &[Point]) -> Option<String> {
    if one.len() != other.len() {
        return Some(format!("{} points against {}: {one:?} against {other:?}", one.len(), other.len()));
    }
    let mut pairs = one.iter().zip(other);
    let (a, b) = pairs.find(|(a, b)| a.0 != b.0 || !close(a.1, b.1))?;
    Some(format!("{a:?} against {b:?}"))
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}
