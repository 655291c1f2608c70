//! Exemplars: samples that point at the trace they come from.

use crate::{Labels, Timestamp};

#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    pub labels: Labels,
    pub timestamp: Timestamp,
    pub value: f64,
}
