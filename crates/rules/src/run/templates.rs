//! Templates of a rule's labels and annotations, and the queries that they make.
//!
//! Templates are expanded off the async threads. One that needs the answer to a query is given up there, the query is
//! evaluated here, and the template begun again with what is known by then: so nothing blocks on anything, and an
//! answer serves all alerts of the rule.

use super::{Around, alerting::ALERT_NAME, alerts::Found, rule::Turn};
use crate::{AlertTemplate, Expansion, Expression, Rule, TemplateQuerier};
use model::{Labels, LabelsBuilder, METRIC_NAME, Timestamp};
use service_api::{Error, Result, RuleLanguage};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};
use vectors::Sample;

/// Queries of the templates of one alert.
const QUERIES_OF_ALERT: usize = 100;
/// Queries of the templates of all alerts of a rule, in one evaluation.
const QUERIES_OF_RULE: usize = 10_000;
/// Samples in the answer to one query.
const ANSWER_SAMPLES: usize = 10_000;
/// Samples of answers that are known at once: as many as one alert may have asked for.
const KNOWN_SAMPLES: usize = QUERIES_OF_ALERT * ANSWER_SAMPLES;

/// Templates of one alerting rule, parsed once.
pub struct Templates {
    alert: String,
    labels: Vec<(String, Text)>,
    annotations: Vec<(String, Text)>,
}

/// A template, or why it cannot be one.
type Text = Result<AlertTemplate, String>;

type Vector = Vec<(Labels, f64)>;

impl Templates {
    pub fn new(
        alert: &str,
        labels: &BTreeMap<String, String>,
        annotations: &BTreeMap<String, String>,
    ) -> Self {
        let name = format!("__alert_{alert}");
        let parse = |text: &str| {
            AlertTemplate::parse(&name, text)
                .map_err(|error| format!("error parsing template {name}: {error}"))
        };
        let parse_all = |texts: &BTreeMap<String, String>| {
            texts.iter().map(|(key, text)| (key.clone(), parse(text))).collect()
        };
        Self { alert: alert.to_owned(), labels: parse_all(labels), annotations: parse_all(annotations) }
    }

    fn expand(&self, expansion: &Expansion<'_>, failure: &mut Option<String>) -> (Labels, Found) {
        let execute = |template: &AlertTemplate| {
            let executed = template.expand(expansion);
            executed.map_err(|error| format!("error executing template __alert_{}: {error}", self.alert))
        };
        // Prometheus's words: people look for them in what they are sent.
        let mut text = |template: &Text| {
            template.as_ref().map_err(Clone::clone).and_then(execute).unwrap_or_else(|error| {
                let told = format!("<error expanding template: {error}>");
                failure.get_or_insert(error);
                told
            })
        };
        let mut labels = LabelsBuilder::from_labels(expansion.labels);
        labels.remove(METRIC_NAME);
        for (name, template) in &self.labels {
            labels.set(name, &text(template));
        }
        labels.set(ALERT_NAME, &self.alert);
        let annotations = self.annotations.iter().map(|(name, template)| (name.clone(), text(template)));
        let annotations = annotations.collect();
        (labels.build(), Found { annotations, value: expansion.value })
    }
}

/// Makes alerts of samples, in their order.
pub async fn expand(
    templates: &Arc<Templates>,
    turn: &Turn<'_>,
    rule: &Rule,
    samples: Vector,
) -> Result<Vec<(Labels, Found)>> {
    let mut work = Work {
        templates: Arc::clone(templates),
        around: Arc::clone(turn.around),
        at: turn.at,
        done: Vec::with_capacity(samples.len()),
        samples,
        known: HashMap::new(),
        failure: None,
    };
    let mut queries = 0;
    loop {
        let going_on = runtime::blocking(move || {
            let query = work.go_on();
            (work, query)
        });
        let (back, query) =
            going_on.await.map_err(|e| Error::internal(format!("templates could not be expanded: {e}")))?;
        work = back;
        let Some(query) = query else { break };
        queries += 1;
        let answer = match queries <= QUERIES_OF_RULE {
            true => answer(turn, rule.expr.lang(), &query).await,
            false => Err(format!("templates of a rule may run {QUERIES_OF_RULE} queries in one evaluation")),
        };
        work.learn(query, answer);
    }
    if let Some(error) = work.failure {
        tracing::warn!(tenant = %turn.tenant, rule = rule.name(), error, "an alert's template failed");
    }
    Ok(work.done)
}

/// What a template asks for, as of the evaluation's own time.
async fn answer(turn: &Turn<'_>, lang: RuleLanguage, query: &str) -> Result<Vector, String> {
    let expr = Expression::parse(lang, query, turn.around.promql)?;
    let answer = turn.around.queries.instant(turn.tenant, &expr, turn.at).await.map_err(|e| e.to_string())?;
    if answer.samples.len() > ANSWER_SAMPLES {
        return Err(format!("a template's query may give {ANSWER_SAMPLES} samples, but gives more"));
    }
    let number = |value| match value {
        Sample::Float(value) => value,
        Sample::Histogram(_) => 0.0,
    };
    Ok(answer.samples.into_iter().map(|(labels, value)| (labels, number(value))).collect())
}

/// Samples on their way to be alerts.
struct Work {
    templates: Arc<Templates>,
    around: Arc<Around>,
    at: Timestamp,
    samples: Vector,
    done: Vec<(Labels, Found)>,
    known: HashMap<String, Result<Vector, String>>,
    /// The first one.
    failure: Option<String>,
}

impl Work {
    /// Goes on until all is done, or until a query that it returns has to be answered.
    fn go_on(&mut self) -> Option<String> {
        while let Some((labels, value)) = self.samples.get(self.done.len()) {
            let asking =
                Asking { known: &self.known, unknown: OnceLock::new(), queries: AtomicUsize::new(0) };
            let expansion = Expansion {
                labels,
                value: *value,
                external_labels: &self.around.external_labels,
                external_url: &self.around.external_url,
                at: self.at,
                querier: Some(&asking),
            };
            let mut failure = None;
            let expanded = self.templates.expand(&expansion, &mut failure);
            if let Some(query) = asking.unknown.into_inner() {
                return Some(query);
            }
            self.failure = self.failure.take().or(failure);
            self.done.push(expanded);
        }
        None
    }

    fn learn(&mut self, query: String, answer: Result<Vector, String>) {
        let samples = |answer: &Result<Vector, String>| answer.as_ref().map_or(1, |a| a.len().max(1));
        if self.known.values().map(samples).sum::<usize>() >= KNOWN_SAMPLES {
            self.known.clear();
        }
        self.known.insert(query, answer);
    }
}

/// Answers what is known, and notes the first query that is not.
struct Asking<'a> {
    known: &'a HashMap<String, Result<Vector, String>>,
    unknown: OnceLock<String>,
    queries: AtomicUsize,
}

impl TemplateQuerier for Asking<'_> {
    fn query(&self, expr: &str) -> Result<Vector, String> {
        if self.queries.fetch_add(1, Ordering::Relaxed) >= QUERIES_OF_ALERT {
            return Err(format!("templates of an alert may run {QUERIES_OF_ALERT} queries"));
        }
        match self.known.get(expr) {
            Some(answer) => answer.clone(),
            None => {
                self.unknown.get_or_init(|| expr.to_owned());
                Err("its answer is not known yet".to_owned())
            }
        }
    }
}
