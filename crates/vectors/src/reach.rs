//! From how far around a step the data comes that its value depends on.

/// A step depends on data from `back` before it to `ahead` after it, both included, in the language's
/// unit of time. Below zero, `ahead` says that the newest data does not count yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    pub back: i64,
    pub ahead: i64,
}

impl Reach {
    /// Of data in a range of time that ends `offset` before the step.
    pub fn of_range(range: i64, offset: i64) -> Self {
        Self { back: range.saturating_add(offset), ahead: offset.saturating_neg() }
    }

    /// Of what reaches `inner` from each time that this reaches.
    pub fn then(self, inner: Self) -> Self {
        Self { back: self.back.saturating_add(inner.back), ahead: self.ahead.saturating_add(inner.ahead) }
    }

    /// Of what depends on both.
    pub fn union(self, other: Self) -> Self {
        Self { back: self.back.max(other.back), ahead: self.ahead.max(other.ahead) }
    }
}
