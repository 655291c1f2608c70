//! Some of a range query's steps, to be evaluated where their data is.

use crate::{Reach, Rows, Steps};
use async_trait::async_trait;
use model::{NANOS_A_MILLI, Signal, TimeRange};
use service_api::{ReadContext, Result};

/// A range query over steps that depend on no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// In which language it is.
    pub signal: Signal,
    /// As somebody wrote it: what is said of it refers to places in it.
    pub query: String,
    /// Two or more, in the language's unit of time.
    pub steps: Steps,
    /// How old a sample may be that still counts, in milliseconds; zero where the language knows none.
    pub lookback: i64,
}

impl Stretch {
    /// The same query over other steps.
    pub fn over(&self, steps: Steps) -> Self {
        Self { steps, ..self.clone() }
    }

    /// Units of the language's time in a millisecond.
    pub fn units_a_milli(&self) -> i64 {
        match self.signal {
            Signal::Metrics => 1,
            Signal::Logs => NANOS_A_MILLI,
        }
    }

    /// When the data is that the steps depend on.
    pub fn range(&self, reach: Reach) -> TimeRange {
        let start = self.steps.start.saturating_sub(reach.back);
        let end = self.steps.last_time().saturating_add(reach.ahead);
        TimeRange::new(start.div_euclid(self.units_a_milli()), end.div_euclid(self.units_a_milli()))
    }
}

/// What a stretch evaluates to.
#[derive(Debug, Default)]
pub struct Table {
    /// One for each series, with something for each step. All have a value, and none has histograms.
    pub rows: Rows,
    pub warnings: Vec<String>,
    pub infos: Vec<String>,
    /// What the language's engine counted, in its own order. Those of several stretches add up.
    pub counts: Vec<u64>,
}

/// Whoever evaluates stretches: the engines of this process, those of another, or many together.
#[async_trait]
pub trait Evaluate: Send + Sync {
    /// None if the answer is no table, or if it is better evaluated by whoever asks.
    async fn evaluate(&self, ctx: &ReadContext, stretch: &Stretch) -> Result<Option<Table>>;
}
