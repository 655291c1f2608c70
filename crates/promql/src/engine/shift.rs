//! How evaluation times are moved.

use model::Timestamp;

/// How a selector's `offset` and `@` move its evaluation times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shift {
    /// Milliseconds; positive looks back.
    pub offset: i64,
    pub at: Option<Timestamp>,
}

impl Shift {
    /// The time in the data that belongs to an evaluation time.
    pub fn apply(&self, time: Timestamp) -> Timestamp {
        self.at.unwrap_or(time).saturating_sub(self.offset)
    }
}
