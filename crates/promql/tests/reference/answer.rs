//! Answers in one form, and whether two of them say the same.

use super::oracle::table::Value;
use histogram::FloatHistogram;
use model::{Labels, Timestamp};
use std::{collections::BTreeMap, fmt};

/// Relative error that a float may have.
const TOLERANCE: f64 = 1e-9;

/// Error that it may have whatever its size: what is left of a difference of equal numbers.
const NOTHING: f64 = 1e-12;

/// A string, or series with their points. A scalar is a series without labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub text: Option<String>,
    /// In the order of the answer.
    pub series: Vec<(Labels, Points)>,
}

pub type Points = Vec<(Timestamp, Point)>;

#[derive(Clone, Debug)]
pub struct Point(pub Value);

impl Answer {
    pub fn of_series(mut series: Vec<(Labels, Points)>) -> Self {
        for (_, points) in &mut series {
            points.sort_by_key(|(time, _)| *time);
        }
        Self { text: None, series }
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_none() && self.series.is_empty()
    }

    /// Where the answers differ, if they do. The order of series is not looked at.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self.text != other.text {
            return Some(format!("{:?} and {:?}", self.text, other.text));
        }
        let by_labels = |answer: &Self| answer.series.iter().cloned().collect::<BTreeMap<_, _>>();
        let (mine, others) = (by_labels(self), by_labels(other));
        if mine.len() != self.series.len() || others.len() != other.series.len() {
            return Some("two series with the same labels".to_owned());
        }
        for (labels, points) in &mine {
            match others.get(labels) {
                None => return Some(format!("{labels} is only in the first")),
                Some(others) => {
                    if let Some(difference) = points_differ(points, others) {
                        return Some(format!("{labels} {difference}"));
                    }
                }
            }
        }
        let added = others.keys().find(|labels| !mine.contains_key(*labels));
        added.map(|labels| format!("{labels} is only in the second"))
    }

    /// Where two sorted vectors differ in their order. Equal values may stand in any order.
    pub fn order_difference(&self, other: &Self, by_labels: bool) -> Option<String> {
        let pairs = self.series.iter().zip(&other.series);
        let first = pairs.into_iter().position(|((mine, a), (others, b))| match by_labels {
            true => mine != others,
            false => points_differ(a, b).is_some(),
        });
        first.map(|place| format!("the order differs from place {place} on"))
    }
}

fn points_differ(a: &Points, b: &Points) -> Option<String> {
    let differ = |((s, a), (t, b)): (&(Timestamp, Point), &(Timestamp, Point))| {
        (s != t || a != b).then(|| format!("at {s} is {a}, in the second at {t} {b}"))
    };
    let first = a.iter().zip(b).find_map(differ);
    let counts = || (a.len() != b.len()).then(|| format!("has {} points and {}", a.len(), b.len()));
    first.or_else(counts)
}

fn near(a: f64, b: f64) -> bool {
    a == b
        || (a.is_nan() && b.is_nan())
        || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()).min(f64::MAX) + NOTHING
}

impl PartialEq for Point {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Value::Float(a), Value::Float(b)) => near(*a, *b),
            (Value::Histogram(a), Value::Histogram(b)) => same_histogram(a, b),
            _ => false,
        }
    }
}

/// By fields. Empty buckets do not count, for how many of them are kept says nothing.
fn same_histogram(a: &FloatHistogram, b: &FloatHistogram) -> bool {
    let numbers = |h: &FloatHistogram| [h.zero_threshold, h.zero_count, h.count, h.sum];
    let bounds = a.custom_values.len() == b.custom_values.len()
        && a.custom_values.iter().zip(b.custom_values.iter()).all(|(a, b)| near(*a, *b));
    let filled = |h: &FloatHistogram| -> Vec<_> {
        h.buckets()
            .map(|bucket| (bucket.lower, bucket.upper, bucket.count))
            .filter(|b| b.2.abs() > NOTHING)
            .collect()
    };
    let (mine, others) = (filled(a), filled(b));
    let same =
        |(a, b): (&(f64, f64, f64), &(f64, f64, f64))| near(a.0, b.0) && near(a.1, b.1) && near(a.2, b.2);
    a.schema == b.schema
        && bounds
        && numbers(a).iter().zip(&numbers(b)).all(|(a, b)| near(*a, *b))
        && mine.len() == others.len()
        && mine.iter().zip(&others).all(same)
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::Float(value) => write!(f, "{value}"),
            Value::Histogram(histogram) => {
                let FloatHistogram { schema, custom_values, zero_threshold, .. } = &**histogram;
                write!(
                    f,
                    "{histogram} (schema {schema}, zero up to {zero_threshold}, bounds {custom_values:?})"
                )
            }
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = &self.text {
            return writeln!(f, "    {text:?}");
        }
        for (labels, points) in self.series.iter().take(8) {
            write!(f, "    {labels}")?;
            for (time, point) in points.iter().take(12) {
                write!(f, " {point} @{time}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
