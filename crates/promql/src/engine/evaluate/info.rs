//! `info`: series with the labels of info metrics of the same target.

use super::Evaluator;
use crate::engine::{instant, labels::merge_same_labels, plan::Info, window::WindowSpec};
use model::{Labels, LabelsBuilder, METRIC_NAME, Timestamp};
use service_api::{Error, Result, SampleBuffer};
use std::collections::{BTreeSet, HashMap, HashSet, hash_map::Entry};
use vectors::{Histograms, Row, Rows, Steps, absent, is_absent, row_bytes};

/// The labels by which Prometheus says which target a series is of.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// What tells of one target: by metric, the info series that counts.
type Told<'a> = HashMap<Labels, HashMap<&'a str, &'a InfoSeries>>;

/// An info series: at each step when its newest sample was taken, in seconds.
struct InfoSeries {
    labels: Labels,
    times: Vec<f64>,
}

impl Evaluator<'_> {
    pub(super) fn info(&mut self, info: &Info, steps: &Steps) -> Result<Rows> {
        let input = self.rows(&info.input, steps)?;
        let is_info = |row: &Row| {
            info.names.iter().all(|matcher| matcher.matches(row.labels.get(METRIC_NAME).unwrap_or("")))
        };
        let targets = Targets::of(input.rows.iter().filter(|row| !is_info(row)));
        let series = self.info_series(info, &targets, steps)?;
        let mut held = self.reserve(0)?;
        let mut output: Vec<Row> = Vec::new();
        let mut row_of: HashMap<(usize, Labels), usize> = HashMap::new();
        let wanted: HashSet<&str> = info.data.iter().map(|matcher| matcher.name.as_str()).collect();
        let must_have_some = info.data.iter().any(|matcher| !matcher.matches(""));
        for step in 0..steps.count {
            let told = told_at(&series, step)?;
            for (position, row) in input.rows.iter().enumerate().filter(|(_, row)| row.has(step)) {
                self.ctx.check()?;
                let told = told.get(&target(&row.labels));
                let labels = match is_info(row) {
                    true => Some(row.labels.clone()),
                    false if must_have_some && told.is_none_or(HashMap::is_empty) => None,
                    false => Some(enriched(row, told, &wanted)?),
                };
                let (Some(labels), Some(sample)) = (labels, row.sample(step)) else { continue };
                let at = match row_of.entry((position, labels)) {
                    Entry::Occupied(entry) => *entry.get(),
                    Entry::Vacant(entry) => {
                        held.grow(row_bytes(&entry.key().1, steps.count))?;
                        let floats = Row::floats(entry.key().1.clone(), vec![absent(); steps.count]);
                        output.push(Row { name_dropped: row.name_dropped, ..floats });
                        *entry.insert(output.len() - 1)
                    }
                };
                output[at].set(step, sample);
            }
        }
        let held_too: usize = output.iter().map(|row| row.histograms.heap_bytes()).sum();
        held.grow(held_too)?;
        merge_same_labels(Rows { rows: output, held: vec![held] })
    }

    /// The info series of the wanted targets.
    fn info_series(&mut self, info: &Info, targets: &Targets, steps: &Steps) -> Result<Vec<InfoSeries>> {
        let selected = self.selected(info.selector.input);
        let spec = WindowSpec { steps: *steps, shift: info.selector.shift, range: info.lookback, rate: None };
        let mut found = Vec::new();
        let mut samples = SampleBuffer::default();
        for series in selected.iter().filter(|series| targets.have(&series.labels)) {
            self.ctx.check()?;
            samples.clear();
            series.data.read(info.selector.read, &mut samples)?;
            if !samples.histograms.is_empty() {
                return Err(Error::unprocessable(format!(
                    "this should be an info metric, with float samples: {}",
                    series.labels
                )));
            }
            let (mut times, mut none) = (Vec::with_capacity(steps.count), Histograms::default());
            instant::newest_time(&spec, &samples, (&mut times, &mut none));
            found.push(InfoSeries { labels: series.labels.clone(), times });
        }
        Ok(found)
    }
}

/// The values of identifying labels that occur.
struct Targets {
    values: [BTreeSet<String>; 2],
}

impl Targets {
    fn of<'a>(rows: impl Iterator<Item = &'a Row>) -> Self {
        let mut values = [BTreeSet::new(), BTreeSet::new()];
        for row in rows {
            for (name, values) in IDENTIFYING.iter().zip(&mut values) {
                if let Some(value) = row.labels.get(name) {
                    values.insert(value.to_owned());
                }
            }
        }
        Self { values }
    }

    /// Whether an info series may be of one of the targets.
    fn have(&self, labels: &Labels) -> bool {
        let mut wanted =
            IDENTIFYING.iter().zip(&self.values).filter(|(_, values)| !values.is_empty()).peekable();
        wanted.peek().is_some()
            && wanted.all(|(name, values)| labels.get(name).is_some_and(|value| values.contains(value)))
    }
}

/// The target that a series is of.
fn target(labels: &Labels) -> Labels {
    labels.without(|name| !IDENTIFYING.contains(&name))
}

/// Who tells of which target at a step: of several series of one metric the newest.
fn told_at(series: &[InfoSeries], step: usize) -> Result<Told<'_>> {
    let mut told: Told<'_> = HashMap::new();
    for one in series.iter().filter(|one| !is_absent(one.times[step])) {
        let of_target = told.entry(target(&one.labels)).or_default();
        match of_target.entry(one.labels.metric_name().unwrap_or("")) {
            Entry::Vacant(entry) => {
                entry.insert(one);
            }
            Entry::Occupied(mut entry) => {
                let (known, new) = (entry.get().times[step], one.times[step]);
                if known == new {
                    return Err(conflict(&entry.get().labels, &one.labels, milliseconds(new)));
                }
                if new > known {
                    entry.insert(one);
                }
            }
        }
    }
    Ok(told)
}

fn milliseconds(seconds: f64) -> Timestamp {
    (seconds * 1000.0).round() as Timestamp
}

fn conflict(known: &Labels, new: &Labels, time: Timestamp) -> Error {
    Error::unprocessable(format!(
        "found duplicate series for info metric: existing {known} @ {time}, new {new} @ {time}"
    ))
}

/// The labels of a series with those that are told of its target, all of them if none is `wanted`.
fn enriched(row: &Row, told: Option<&HashMap<&str, &InfoSeries>>, wanted: &HashSet<&str>) -> Result<Labels> {
    let mut added: HashMap<&str, &str> = HashMap::new();
    for one in told.into_iter().flat_map(HashMap::values) {
        for (name, value) in one.labels.iter() {
            if name == METRIC_NAME || !(wanted.is_empty() || wanted.contains(name)) {
                continue;
            }
            if added.get(name).is_some_and(|known| *known != value) {
                return Err(Error::unprocessable(format!("conflicting label: {name}")));
            }
            if row.labels.get(name).is_none() {
                added.insert(name, value);
            }
        }
    }
    let mut builder = LabelsBuilder::from_labels(&row.labels);
    for (name, value) in added {
        builder.set(name, value);
    }
    Ok(builder.build())
}
