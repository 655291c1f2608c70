//! Random series to ask about: counters, gauges, histograms of both kinds, and all that goes wrong with them.

mod natives;
mod values;

use super::{answer::Point, oracle::table::Value, random::Random};
use histogram::FloatHistogram;
use model::{Labels, METRIC_NAME, Matcher, Timestamp, stale_nan};
use promql::ast::Expr;
use std::{collections::BTreeMap, sync::Arc};

/// What is stored, sorted by labels.
#[derive(Clone, Debug)]
pub struct Data {
    pub series: Vec<Stored>,
    /// About when the samples are; there may be some shortly before and after.
    pub start: Timestamp,
    pub end: Timestamp,
}

/// One series; its samples in time order, stale markers among them.
#[derive(Clone, Debug)]
pub struct Stored {
    pub labels: Labels,
    pub samples: Vec<(Timestamp, Value)>,
}

/// Length of the time with samples.
const LENGTH: i64 = 30 * 60_000;

/// Around zero, before it, and where real data is.
const STARTS: [Timestamp; 4] = [0, -600_000, 1_700_000_000_000, 1_709_164_000_123];

/// The upper bounds of classic buckets.
const BOUNDS: [&str; 5] = ["0.25", "1", "2.5", "10", "+Inf"];

pub const INSTANCES: [&str; 4] = ["i1", "i2", "i3", "i10"];
pub const JOBS: [&str; 2] = ["api", "web"];

struct Builder<'r> {
    random: &'r mut Random,
    series: BTreeMap<Labels, Vec<(Timestamp, Value)>>,
    start: Timestamp,
}

impl Data {
    pub fn generate(random: &mut Random, with_natives: bool) -> Self {
        let start = STARTS[random.weighted(&[3, 1, 4, 2])];
        let mut builder = Builder { random, series: BTreeMap::new(), start };
        builder.floats();
        builder.histograms();
        if with_natives {
            builder.natives();
        }
        let series = builder.series.into_iter().map(|(labels, samples)| Stored { labels, samples });
        Self { series: series.collect(), start, end: start + LENGTH }
    }
}

impl Data {
    /// Prints the series that the selectors of an expression find, to be put into a script.
    pub fn show(&self, expr: &Expr) {
        let mut matchers = Vec::new();
        collect_matchers(expr, &mut matchers);
        let wanted =
            |stored: &&Stored| matchers.iter().any(|m| m.iter().all(|m| m.matches_labels(&stored.labels)));
        println!("  the data:");
        for stored in self.series.iter().filter(wanted).take(8) {
            let samples =
                stored.samples.iter().map(|(time, value)| format!("{}@{time}", Point(value.clone())));
            println!("    {} {}", stored.labels, samples.collect::<Vec<_>>().join(" "));
        }
    }
}

fn collect_matchers<'e>(expr: &'e Expr, matchers: &mut Vec<&'e [Matcher]>) {
    match expr {
        Expr::VectorSelector(selector) => matchers.push(&selector.matchers),
        Expr::MatrixSelector(matrix) => matchers.push(&matrix.selector.matchers),
        _ => expr.children().into_iter().for_each(|child| collect_matchers(child, matchers)),
    }
}

impl Builder<'_> {
    fn floats(&mut self) {
        for instance in INSTANCES {
            let job = if instance == "i3" { "web" } else { "api" };
            for code in ["200", "404", "500"] {
                if self.random.chance(80) {
                    let labels = [("instance", instance), ("job", job), ("code", code)];
                    let values = values::counter(self.random);
                    self.add("requests_total", &labels, values);
                }
            }
            if self.random.chance(75) {
                let values = values::counter(self.random);
                self.add("errors_total", &[("instance", instance), ("job", job)], values);
            }
            let values = values::gauge(self.random);
            let zone = if instance == "i10" { "" } else { "eu" };
            let labels =
                [("instance", instance), ("zone", zone), ("__unit__", "celsius"), ("__type__", "gauge")];
            self.add("temperature", &labels, values);
            let values = values::gauge(self.random);
            self.add("load", &[("instance", instance), ("job", job)], values);
            let values = values::small(self.random);
            self.add("flag", &[("instance", instance), ("job", job)], values);
            // Sometimes two versions, of which the newer sample counts.
            for version in ["v1", "v2"] {
                if self.random.chance(65) {
                    let labels = [("instance", instance), ("job", job), ("version", version)];
                    self.add("target_info", &labels, vec![1.0]);
                }
            }
            if self.random.chance(50) {
                let labels = [("instance", instance), ("job", job), ("rev", "abc"), ("arch", "x86")];
                self.add("build_info", &labels, vec![1.0]);
            }
        }
        for job in JOBS {
            let values = values::small(self.random);
            self.add("limit", &[("job", job), ("owner", if job == "api" { "ann" } else { "bob" })], values);
        }
        let values = values::gauge(self.random);
        self.add("lonely", &[], values);
    }

    fn histograms(&mut self) {
        for instance in &INSTANCES[..2] {
            let buckets = values::buckets(self.random, BOUNDS.len());
            for (bound, values) in BOUNDS.iter().zip(buckets) {
                // Now and then a bucket is missing.
                if self.random.chance(95) {
                    self.add(
                        "latency_bucket",
                        &[("instance", instance), ("job", "api"), ("le", bound)],
                        values,
                    );
                }
            }
            // A bound that is written in two ways, and one that is none.
            for bound in ["1.0", "many"] {
                if self.random.chance(8) {
                    let values = values::counter(self.random);
                    self.add(
                        "latency_bucket",
                        &[("instance", instance), ("job", "api"), ("le", bound)],
                        values,
                    );
                }
            }
            let values = values::counter(self.random);
            self.add("latency_sum", &[("instance", instance), ("job", "api")], values);
        }
    }

    fn natives(&mut self) {
        for instance in &INSTANCES[..3] {
            let job = if *instance == "i3" { "web" } else { "api" };
            let counter = natives::exponential(self.random);
            self.add_values("size", &[("instance", instance), ("job", job)], counter);
            if *instance == "i2" && self.random.chance(30) {
                // The same histogram in both kinds.
                let both = natives::exponential(self.random);
                self.add_values("latency_bucket", &[("instance", instance), ("job", job)], both);
            }
            let custom = natives::custom(self.random);
            self.add_values("wait", &[("instance", instance), ("job", job)], custom);
            let mixed = natives::mixed(self.random);
            self.add_values("mixed", &[("instance", instance), ("job", job)], mixed);
        }
    }

    /// Histograms may end with either kind.
    fn stale_marker(&mut self, last: Option<&Value>) -> Value {
        let sum = stale_nan();
        match last {
            Some(Value::Histogram(_)) if self.random.chance(50) => {
                Value::Histogram(Arc::new(FloatHistogram { sum, ..FloatHistogram::default() }))
            }
            _ => Value::Float(sum),
        }
    }

    fn add(&mut self, name: &str, labels: &[(&str, &str)], values: Vec<f64>) {
        self.add_values(name, labels, values.into_iter().map(Value::Float).collect());
    }

    /// Gives each value a time, more or less regular; when there are no more values, the last one stays.
    fn add_values(&mut self, name: &str, labels: &[(&str, &str)], values: Vec<Value>) {
        let named = Labels::from_pairs(labels.iter().copied().chain([(METRIC_NAME, name)]));
        let interval = [15_000, 30_000, 30_000, 60_000][self.random.below(4)];
        let jitter = [0, 0, 1, 5_000][self.random.below(4)];
        let mut time = self.start + self.random.between(-60_000, 60_000) / 1000 * 1000;
        if self.random.chance(15) {
            time += self.random.between(0, LENGTH / 2);
        }
        let end = self.start + LENGTH - if self.random.chance(15) { LENGTH / 3 } else { 0 };
        let mut samples = Vec::new();
        let mut values = values.into_iter();
        let mut last = values.next();
        while let Some(value) = last.clone().filter(|_| time < end) {
            samples.push((time, value));
            last = values.next().or(last);
            time += interval + self.random.between(-jitter, jitter);
            match self.random.below(60) {
                // The series ends and begins anew, with or without a gap.
                0 => {
                    let marker = self.stale_marker(last.as_ref());
                    samples.push((time, marker));
                    time += interval + self.random.between(0, 2) * 120_000;
                }
                // Scrapes fail, for a while or for longer than anybody looks back.
                1 | 2 => time += self.random.between(1, 4) * interval,
                3 => time += self.random.between(300_000, 420_000),
                _ => {}
            }
        }
        if !samples.is_empty() {
            self.series.insert(named, samples);
        }
    }
}
