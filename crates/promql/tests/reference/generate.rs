//! Random questions: valid expressions of every kind that fit the random data, and times to ask them at.

mod aggregate;
mod binary;
mod range;
mod scalar;
mod selector;
mod vector;

use super::{data::Data, oracle::When, random::Random};
use model::Timestamp;
use std::fmt;

/// What is asked of the engine and of the reference.
#[derive(Clone, Debug)]
pub struct Question {
    pub text: String,
    pub when: When,
    pub delayed_names: bool,
    /// How far to look back for a sample, in milliseconds.
    pub lookback: i64,
    /// For the count of what was asked.
    pub kind: &'static str,
}

/// Which labels the series of a vector have, so that operators find partners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `instance` and `job`, one series for each instance.
    Instance,
    /// As above, several times with another `code`.
    Request,
    /// `job`.
    Job,
    /// Whatever.
    Any,
}

pub struct Generator<'r> {
    random: &'r mut Random,
    start: Timestamp,
    end: Timestamp,
    with_natives: bool,
    /// Inside the parameter of an aggregation, where Prometheus gets `@` wrong in range queries.
    no_at: bool,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, lookback {} ms", self.when, self.lookback)?;
        f.write_str(if self.delayed_names { ", names go late" } else { "" })
    }
}

impl<'r> Generator<'r> {
    pub fn new(random: &'r mut Random, data: &Data, with_natives: bool) -> Self {
        Self { random, start: data.start, end: data.end, with_natives, no_at: false }
    }

    pub fn question(&mut self) -> Question {
        let when = self.when();
        let depth = self.random.weighted(&[2, 4, 4, 2]);
        let is_range = matches!(when, When::Range { .. });
        let (kind, text) = match self.random.weighted(&[84, 8, 6, 1]) {
            1 => ("scalar", self.scalar(depth)),
            2 if !is_range => ("matrix", self.matrix(depth, Shape::Any)),
            3 if !is_range => ("string", "\"a string\"".to_owned()),
            _ => self.top_vector(depth),
        };
        let lookback = [300_000, 300_000, 300_000, 45_000][self.random.below(4)];
        Question { text, when, delayed_names: self.random.chance(8), lookback, kind }
    }

    fn top_vector(&mut self, depth: usize) -> (&'static str, String) {
        let kinds =
            ["selector", "range function", "aggregation", "binary", "function", "histogram", "labels"];
        let place = self.random.weighted(&[6, 20, 22, 28, 14, 7, 6]);
        (kinds[place], self.vector_of_kind(place, depth, Shape::Any))
    }

    fn when(&mut self) -> When {
        let time = self.time();
        if self.random.chance(45) {
            return When::At(time);
        }
        let steps = self.random.between(0, 14);
        let step = [1_000, 15_000, 30_000, 60_000, 60_000, 97_000, 300_000][self.random.below(7)];
        let mut end = (time + steps * step).min(self.end + 300_000).max(time);
        if self.random.chance(20) {
            end += step / 2;
        }
        When::Range { start: time, end, step }
    }

    /// Mostly when there is data, and mostly at a full second.
    fn time(&mut self) -> Timestamp {
        let (from, to) = match self.random.below(12) {
            0 => (self.start - 120_000, self.start + 120_000),
            1 => (self.end - 60_000, self.end + 420_000),
            _ => (self.start + 180_000, self.end - 180_000),
        };
        let time = self.random.between(from, to);
        if self.random.chance(80) { time.div_euclid(1000) * 1000 } else { time }
    }

    fn deeper(depth: usize) -> usize {
        depth.saturating_sub(1)
    }

    fn one_of(&mut self, words: &[&str]) -> String {
        self.random.pick(words).to_owned()
    }
}
