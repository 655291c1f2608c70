//! Queries that were made to kill: each is refused, stopped or answered in time, in the memory that it may
//! have, and nobody else notices.

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

const QUERY_TIMEOUT: Duration = Duration::from_secs(1);
const QUERY_MEMORY: u64 = 64 * MIB;

/// One way to ask them all.
#[derive(Clone, Copy)]
struct Round {
    name: &'static str,
    at_once: usize,
    /// What the machine may take beyond the time that a query has: answers are made and read after it.
    margin: Duration,
}

const ROUNDS: [Round; 2] = [
    Round { name: "one by one", at_once: 1, margin: Duration::from_millis(1500) },
    Round { name: "many at once", at_once: 8, margin: Duration::from_secs(9) },
];

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
    let all = Arc::new(deadly_queries(&text, end));

    let mut report = Vec::new();
    for round in ROUNDS {
        let bystanders = Bystander::start_all(&yagura, end);
        yagura.process.forget_peak();
        let started = now();
        let outcomes = fire(&yagura, &all, round).await;
        let (took, name) = (started.elapsed(), round.name);
        assert_eq!(yagura.process.has_ended(), None, "it died {name}:\n{}", yagura.process.log());
        let peak = yagura.process.peak_bytes();
        let slowest = outcomes.iter().max_by_key(|outcome| outcome.took).unwrap();
        tell(&format!(
            "queries of death, {name}: {} in {took:.1?}, slowest {:.2?} ({}), peak {} MiB",
            outcomes.len(),
            slowest.took,
            slowest.name,
            peak / MIB
        ));
        report.extend(
            outcomes.iter().filter_map(|o| Some(format!("{name}: {}: {}", o.name, o.wrong.as_ref()?))),
        );
        for bystander in bystanders {
            let tally = bystander.finish().await;
            tell(&format!("    {tally}"));
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
async fn fire(yagura: &Yagura, all: &Arc<Vec<Deadly>>, round: Round) -> Vec<Outcome> {
    let next = Arc::new(AtomicUsize::new(0));
    let askers = (0..round.at_once).map(|_| {
        let (next, all, http, base) =
            (Arc::clone(&next), Arc::clone(all), yagura.http.clone(), yagura.base().to_owned());
        tokio::spawn(async move {
            let mut outcomes = Vec::new();
            while let Some(query) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                outcomes.push(ask(&http, &base, query, round).await);
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

async fn ask(http: &integration_tests::Http, base: &str, query: &Deadly, round: Round) -> Outcome {
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
        Ok(answer) => wrong(query, answer.status, &answer.body, (took, round)),
        Err(error) => Some(format!("no answer: {error:?}")),
    };
    Outcome { name: query.name.clone(), took, wrong }
}

/// What is wrong with an answer.
fn wrong(query: &Deadly, status: u16, body: &str, (took, round): (Duration, Round)) -> Option<String> {
    let shown: String = body.chars().take(200).collect();
    let is_late = status == 503 && round.at_once > 1;
    if !query.allowed.contains(&status) && !is_late {
        return Some(format!("{status} and not {:?}: {shown}", query.allowed));
    }
    if took > QUERY_TIMEOUT + round.margin {
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
