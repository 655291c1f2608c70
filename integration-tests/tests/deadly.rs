//! Queries that were made to kill: each is refused, stopped or answered in time, in the memory that it may
//! have, and nobody else notices. `make deadly` runs it: it takes minutes.

mod data;

use data::{BYSTANDERS, Bystander};
use integration_tests::{Deadly, Settings, Yagura, deadly_queries, form, tell};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

const MIB: u64 = 1 << 20;

const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
const QUERY_MEMORY: u64 = 64 * MIB;

/// Queries at once in the second round.
const AT_ONCE: usize = 8;

const FEATURES: &str = "query.features=promql-experimental-functions,promql-extended-range-selectors,\
    promql-binop-fill-modifiers,promql-delayed-name-removal,type-and-unit-labels,use-start-timestamps";

/// What became of one query.
struct Outcome {
    name: String,
    took: Duration,
    /// What was wrong with it.
    wrong: Option<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_of_death_harm_nobody() {
    let settings = Settings::new(&[
        "multitenancy.enabled=true",
        &format!("limits.query_timeout={}s", QUERY_TIMEOUT.as_secs()),
        &format!("limits.query_memory={QUERY_MEMORY}"),
        FEATURES,
    ]);
    let mut yagura = settings.start().await;
    let end = data::load(&yagura).await;
    let before = yagura.process.resident_bytes();
    tell(&format!("queries of death: {} MiB with the data loaded", before / MIB));
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/queries-of-death.txt")).unwrap();
    let mut all = deadly_queries(&text, end);
    if let Ok(filter) = std::env::var("DEATH") {
        all.retain(|q| q.name.contains(&filter));
    }
    if let Ok(filter) = std::env::var("NOT_DEATH") {
        all.retain(|q| !filter.split('|').any(|f| q.name.contains(f)));
    }
    let all = Arc::new(all);

    let mut report = Vec::new();
    for (round, at_once) in [("one by one", 1), ("many at once", AT_ONCE)]
        .into_iter()
        .take(std::env::var("ROUNDS").map_or(2, |r| r.parse().unwrap()))
    {
        let bystanders = BYSTANDERS.map(|tenant| Bystander::start(&yagura, tenant, end));
        yagura.process.forget_peak();
        let started = now();
        let outcomes = fire(&yagura, &all, at_once).await;
        let took = started.elapsed();
        assert_eq!(yagura.process.has_ended(), None, "it died {round}:\n{}", yagura.process.log());
        let peak = yagura.process.peak_bytes();
        let slowest = outcomes.iter().max_by_key(|outcome| outcome.took).unwrap();
        tell(&format!(
            "queries of death, {round}: {} in {took:.1?}, slowest {:.2?} ({}), peak {} MiB",
            outcomes.len(),
            slowest.took,
            slowest.name,
            peak / MIB
        ));
        report.extend(
            outcomes.iter().filter_map(|o| Some(format!("{round}: {}: {}", o.name, o.wrong.as_ref()?))),
        );
        for bystander in bystanders {
            let tally = bystander.finish().await;
            tell(&format!("    a bystander of {}: {tally}", tally.tenant));
            report.extend(tally.complaint());
        }
    }
    assert!(report.is_empty(), "{} complaints:\n{}", report.len(), report.join("\n"));
}

#[allow(clippy::disallowed_methods, reason = "real processes live in real time")]
fn now() -> Instant {
    Instant::now()
}

/// Asks all of them, so many at a time.
async fn fire(yagura: &Yagura, all: &Arc<Vec<Deadly>>, at_once: usize) -> Vec<Outcome> {
    let next = Arc::new(AtomicUsize::new(0));
    let askers = (0..at_once).map(|_| {
        let (next, all, http, base) =
            (Arc::clone(&next), Arc::clone(all), yagura.http.clone(), yagura.base().to_owned());
        tokio::spawn(async move {
            let mut outcomes = Vec::new();
            while let Some(query) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                outcomes.push(ask(&http, &base, query).await);
            }
            outcomes
        })
    });
    let mut outcomes = Vec::new();
    for asker in Vec::from_iter(askers) {
        outcomes.extend(asker.await.unwrap());
    }
    outcomes
}

async fn ask(http: &integration_tests::Http, base: &str, query: &Deadly) -> Outcome {
    let fields: Vec<_> = query.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-scope-orgid", BYSTANDERS[0]),
        // A body that is not read to its end leaves a connection that is of no more use.
        ("connection", "close"),
    ];
    let (url, fields) = (format!("{base}{}", query.path), form(&fields));
    let started = now();
    let answer = match query.takes_form() {
        true => http.send("POST", &url, &headers, fields.into_bytes()).await,
        false => http.send("GET", &format!("{url}?{fields}"), &headers, Vec::new()).await,
    };
    let took = started.elapsed();
    let wrong = match answer {
        Ok(answer) => wrong(query, answer.status, &answer.body, took),
        Err(error) => Some(format!("no answer: {error:?}")),
    };
    Outcome { name: query.name.clone(), took, wrong }
}

/// What is wrong with an answer.
fn wrong(query: &Deadly, status: u16, body: &str, took: Duration) -> Option<String> {
    let shown: String = body.chars().take(200).collect();
    if !query.allowed.contains(&status) {
        return Some(format!("{status} and not {:?}: {shown}", query.allowed));
    }
    if took > QUERY_TIMEOUT + MARGIN {
        return Some(format!("{status} after {took:.1?}"));
    }
    if status == 200 || query.path == "/federate" {
        return None;
    }
    let said: BTreeMap<String, Value> = serde_json::from_str(body).unwrap_or_default();
    let said: Vec<_> =
        ["status", "errorType", "error"].iter().map(|key| said.get(*key).and_then(Value::as_str)).collect();
    let kind = match status {
        400 | 413 => "bad_data",
        422 => "execution",
        _ => "timeout",
    };
    let is_shaped = matches!(said[..], [Some("error"), Some(error_type), Some(error)] if error_type == kind && !error.is_empty());
    (!is_shaped).then(|| format!("{status} with a body of another shape: {shown}"))
}

const MARGIN: Duration = Duration::from_millis(1500);
