//! Remembers lines that may come again: pages of one stream may overlap, and hold the same lines.

use super::pages::PageTask;
use model::Nanos;
use service_api::{MemoryBudget, Reservation, Result};
use std::{collections::HashSet, sync::Arc};

/// Lines that may come again in another page of their stream.
pub(crate) struct Seen {
    lines: HashSet<(Nanos, u128)>,
    /// Once there are so many, those are forgotten that cannot come again.
    crowded: usize,
    budget: Arc<MemoryBudget>,
    held: Reservation,
}

impl Seen {
    pub fn new(budget: &Arc<MemoryBudget>) -> Result<Self> {
        let (budget, held) = (Arc::clone(budget), budget.reserve(0)?);
        Ok(Self { lines: HashSet::new(), crowded: 1024, budget, held })
    }

    /// Whether the line has come before. Pages must come in the order of their first lines.
    pub fn is_repeat(&mut self, task: PageTask, time: Nanos, line: &[u8]) -> Result<bool> {
        let Some(identity) = task.identity(time, line) else { return Ok(false) };
        let is_new = self.lines.insert((time, identity));
        if is_new {
            // A set holds some room besides.
            self.held.grow(2 * size_of::<(Nanos, u128)>())?;
        }
        Ok(!is_new)
    }

    /// The pages that follow have no line before `start`.
    pub fn forget_before(&mut self, start: Nanos) -> Result<()> {
        if self.lines.len() < self.crowded {
            return Ok(());
        }
        self.lines.retain(|(time, _)| *time >= start);
        self.crowded = (2 * self.lines.len()).max(1024);
        self.held = self.budget.reserve(0)?;
        self.held.grow(self.lines.capacity() * size_of::<(Nanos, u128)>())
    }

    /// Another stream's pages follow.
    pub fn clear(&mut self) -> Result<()> {
        self.crowded = 0;
        self.forget_before(Nanos::MAX)
    }
}
