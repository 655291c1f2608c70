//! The language of scripts about groups that are run.
//!
//! ```text
//! == a title begins a case, in a world of its own
//! group interval=30s offset=0s limit=0 start=0s
//!   external region=eu
//!   alert A for=1m keep=0s: m > 0
//!     label severity=page
//!     annotation summary={{ $value }}
//!   record r: sum(m)
//! show samples               what is written is told, too
//! at 0s: m{i="a"} 1; m{i="b"} hist:3      those series, and no others of those there were
//! at 30s..2m: m{i="a"} 1     evaluations at every interval
//! restart                    the next evaluation is that of another run
//! change                     followed by rules, as after `group`
//! end 5m                     the group is removed
//! unreadable, full, well     what the store is from here on
//! -> what comes of the line before
//! ```
//! Times are counted from `BASE`. Lines that begin with `->` are made by running the others.

use super::world::{BASE, World};
use crate::{Expression, GroupRun, Rule, RuleGroup, RuleKind, RunConfig, Timing};
use histogram::FloatHistogram;
use model::{Labels, METRIC_NAME, TenantId, Timestamp, is_stale};
use promql::{ParseOptions, parse_metric_selector};
use query_syntax::{format_duration, parse_duration};
use service_api::{Alert, AlertPhase, RuleHealth, RuleKindState, RuleLanguage};
use std::{collections::BTreeMap, fmt::Write, sync::Arc, time::Duration};
use vectors::Sample;

/// Runs a script and returns it with what comes of it.
pub async fn run(script: &str) -> String {
    let mut out = String::new();
    let mut case = Case::new();
    for line in script.lines().filter(|line| !line.starts_with("->")) {
        writeln!(out, "{line}").unwrap();
        if line.starts_with("== ") {
            case = Case::new();
        }
        for told in case.line(line.trim()).await {
            writeln!(out, "-> {told}").unwrap();
        }
    }
    out
}

/// A rule group in the words of scripts.
pub fn group(text: &str) -> RuleGroup {
    let mut case = Case::new();
    for line in text.lines().map(str::trim) {
        case.define(line);
    }
    case.group
}

struct Case {
    world: Arc<World>,
    group: RuleGroup,
    timing: Timing,
    start: i64,
    external: Labels,
    run: Option<GroupRun>,
    /// The next evaluation looks up first what an earlier run has left.
    restores: bool,
    shows_samples: bool,
    /// The next lines that define rules are another definition of the group.
    changed: bool,
    present: BTreeMap<Labels, ()>,
}

impl Case {
    fn new() -> Self {
        let group = RuleGroup { rules: Vec::new(), ..empty_group() };
        let timing = Timing { interval: Duration::from_secs(30), query_offset: Duration::ZERO };
        Self {
            world: World::new(),
            group,
            timing,
            start: 0,
            external: Labels::empty(),
            run: None,
            restores: false,
            shows_samples: false,
            changed: false,
            present: BTreeMap::new(),
        }
    }

    async fn line(&mut self, line: &str) -> Vec<String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "" | "#" | "==" => {}
            "show" => self.shows_samples = true,
            "restart" => (self.run, self.restores) = (None, true),
            "change" => (self.changed, self.group.rules) = (true, Vec::new()),
            "unreadable" => self.world.set_unreadable(true),
            "full" => self.world.set_full(true),
            "well" => {
                self.world.set_unreadable(false);
                self.world.set_full(false);
            }
            "at" => return self.at(rest).await,
            "end" => {
                let at = BASE + millis(rest) + self.start;
                let over = self.run.take().unwrap().end(at).await;
                let mut told: Vec<_> = over.iter().map(|alert| told_alert(alert, at, self.start)).collect();
                self.tell_samples(&mut told, rest);
                return told;
            }
            _ => self.define(line),
        }
        Vec::new()
    }

    fn define(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rules = &mut self.group.rules;
        match word {
            "" => {}
            "group" => {
                for (name, value) in rest.split(' ').filter_map(|setting| setting.split_once('=')) {
                    match name {
                        "interval" => self.timing.interval = Duration::from_millis(millis(value) as u64),
                        "offset" => self.timing.query_offset = Duration::from_millis(millis(value) as u64),
                        "limit" => self.group.limit = value.parse().unwrap(),
                        "start" => self.start = millis(value),
                        _ => panic!("{name} is no setting of a group"),
                    }
                }
            }
            "external" => self.external = Labels::from_pairs([rest.split_once('=').unwrap()]),
            "alert" | "record" => rules.push(rule(word, rest)),
            "label" => {
                let (name, value) = rest.split_once('=').unwrap();
                rules.last_mut().unwrap().labels.insert(name.to_owned(), value.to_owned());
            }
            "annotation" => {
                let (name, value) = rest.split_once('=').unwrap();
                if let RuleKind::Alert { annotations, .. } = &mut rules.last_mut().unwrap().kind {
                    annotations.insert(name.to_owned(), value.to_owned());
                }
            }
            _ => panic!("a line of a script is not understood: {line}"),
        }
    }

    async fn at(&mut self, rest: &str) -> Vec<String> {
        let (times, input) = rest.split_once(':').unwrap();
        let (first, last) = times.split_once("..").unwrap_or((times, times));
        let input: Vec<_> = input.split(';').map(str::trim).filter(|i| !i.is_empty()).map(sample).collect();
        let mut told = Vec::new();
        let interval = self.timing.interval.as_millis() as i64;
        let mut time = millis(first);
        while time <= millis(last) {
            self.evaluate(time, &input, &mut told).await;
            time += interval;
        }
        self.tell_state(&mut told);
        told
    }

    async fn evaluate(&mut self, time: i64, input: &[(Labels, Sample)], told: &mut Vec<String>) {
        let at = BASE + time + self.start;
        let seen = at - self.timing.query_offset.as_millis() as i64;
        for (labels, value) in input {
            self.world.put(labels, seen, value.clone());
        }
        let present = input.iter().map(|(labels, _)| (labels.clone(), ())).collect();
        for labels in std::mem::replace(&mut self.present, present).into_keys() {
            if !self.present.contains_key(&labels) {
                self.world.put(&labels, seen, Sample::Float(model::stale_nan()));
            }
        }
        let label = format_duration(time);
        if self.run.is_none() {
            let around = self.world.around(self.external.clone());
            let tenant = TenantId::anonymous();
            let config = Arc::new(RunConfig::default());
            let group = self.group.clone();
            self.run = Some(GroupRun::new(tenant, "rules.yml", group, self.timing, config, around));
        }
        let run = self.run.as_mut().unwrap();
        if std::mem::take(&mut self.changed) {
            run.change(self.group.clone(), self.timing);
        }
        if std::mem::take(&mut self.restores)
            && let Err(error) = run.restore(at).await
        {
            told.push(format!("{label} not restored: {error}"));
        }
        let mut sent = Vec::new();
        let evaluation = run.evaluate(at, &mut |alerts| sent.extend(alerts)).await;
        told.extend(sent.iter().map(|alert| format!("{label} {}", told_alert(alert, at, self.start))));
        let state = run.state();
        let failed = state.rules.iter().filter_map(|rule| match &rule.health {
            RuleHealth::Failed(why) => Some(format!("{label} failed {}: {why}", rule.name)),
            RuleHealth::Ok => None,
            RuleHealth::Unknown => Some(format!("{label} {} was not evaluated", rule.name)),
        });
        told.extend(failed);
        if evaluation.refused > 0 {
            told.push(format!("{label} refused {}", evaluation.refused));
        }
        self.tell_samples(told, &label);
    }

    fn tell_samples(&self, told: &mut Vec<String>, label: &str) {
        for written in self.world.take_written().into_iter().filter(|_| self.shows_samples) {
            let value = match &written.value {
                Sample::Float(value) if is_stale(*value) => "stale".to_owned(),
                Sample::Histogram(h) if is_stale(h.sum) => "stale histogram".to_owned(),
                Sample::Histogram(h) => format!("hist:{}", h.count),
                Sample::Float(value) if written.labels.metric_name() == Some("ALERTS_FOR_STATE") => {
                    format_duration(*value as i64 * 1000 - BASE)
                }
                Sample::Float(value) => value.to_string(),
            };
            let (name, labels) = (written.labels.metric_name().unwrap(), written.labels.without_name());
            let time = written.timestamp - BASE - self.start;
            let at = if format_duration(time) == label {
                String::new()
            } else {
                format!(" at {}", format_duration(time))
            };
            told.push(format!("{label} wrote {name}{labels} {value}{at}"));
        }
    }

    fn tell_state(&self, told: &mut Vec<String>) {
        let state = self.run.as_ref().unwrap().state();
        for rule in state.rules {
            let RuleKindState::Alerting { alerts, .. } = rule.kind else { continue };
            for alert in alerts {
                let since = format_duration(alert.active_at - BASE - self.start);
                let mut text = format!("{} {} since {since}", alert.phase.as_str(), alert.labels);
                if let Some(kept) = alert.keep_firing_since {
                    write!(text, " kept since {}", format_duration(kept - BASE - self.start)).unwrap();
                }
                write!(text, " value {}{}", alert.value, annotations(&alert.annotations)).unwrap();
                assert_ne!(alert.phase, AlertPhase::Inactive);
                told.push(text);
            }
        }
    }
}

fn empty_group() -> RuleGroup {
    RuleGroup {
        name: "group".to_owned(),
        interval: None,
        query_offset: None,
        limit: 0,
        labels: BTreeMap::new(),
        lang: None,
        rules: Vec::new(),
        ignored: Vec::new(),
    }
}

fn rule(word: &str, rest: &str) -> Rule {
    let (head, expr) = rest.split_once(": ").unwrap();
    let mut head = head.split(' ');
    let name = head.next().unwrap().to_owned();
    let settings: BTreeMap<_, _> = head.map(|setting| setting.split_once('=').unwrap()).collect();
    let duration = |name| Duration::from_millis(settings.get(name).map_or(0, |value| millis(value)) as u64);
    let lang = if settings.contains_key("lang") { RuleLanguage::Logql } else { RuleLanguage::Promql };
    let kind = match word {
        "record" => RuleKind::Record(name),
        _ => RuleKind::Alert {
            name,
            hold: duration("for"),
            keep_firing_for: duration("keep"),
            annotations: BTreeMap::new(),
        },
    };
    let expr = Expression::parse(lang, expr, ParseOptions::default()).unwrap();
    Rule { kind, expr, labels: BTreeMap::new(), lang: None }
}

fn sample(text: &str) -> (Labels, Sample) {
    let (series, value) = text.rsplit_once(' ').unwrap();
    let matchers = parse_metric_selector(series).unwrap();
    let labels = Labels::from_pairs(matchers.iter().map(|m| (&m.name, &m.value)));
    assert!(labels.get(METRIC_NAME).is_some());
    let value = match value.strip_prefix("hist:") {
        Some(count) => {
            let count: f64 = count.parse().unwrap();
            Sample::Histogram(Arc::new(FloatHistogram {
                count,
                zero_count: count,
                sum: 1.0,
                ..Default::default()
            }))
        }
        None => Sample::Float(value.parse().unwrap()),
    };
    (labels, value)
}

fn told_alert(alert: &Alert, at: Timestamp, start: i64) -> String {
    let what = if alert.ends_at <= at { "resolved" } else { "firing" };
    let time = |at: Timestamp| format_duration(at - BASE - start);
    let (starts, ends) = (time(alert.starts_at), time(alert.ends_at));
    format!("sent {what} {} starts {starts} ends {ends}{}", alert.labels, annotations(&alert.annotations))
}

fn annotations(all: &[(String, String)]) -> String {
    all.iter().map(|(name, value)| format!(" {name}={value:?}")).collect()
}

fn millis(text: &str) -> i64 {
    parse_duration(text.trim()).unwrap_or_else(|_| panic!("{text} is no duration"))
}
