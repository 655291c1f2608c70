//! What is computed once for several uses.

use super::Evaluator;
use crate::engine::plan::Definition;
use service_api::{Error, Result};
use vectors::{Row, Rows};

/// The rows of the plan's definitions, from their first use to the last.
pub(super) struct SharedRows<'a> {
    definitions: &'a [Definition],
    kept: Vec<Kept>,
}

#[derive(Default)]
struct Kept {
    rows: Option<Rows>,
    used: usize,
}

impl<'a> SharedRows<'a> {
    pub fn new(definitions: &'a [Definition]) -> Self {
        Self { definitions, kept: definitions.iter().map(|_| Kept::default()).collect() }
    }
}

impl Evaluator<'_> {
    pub(super) fn shared_rows(&mut self, index: usize) -> Result<Rows> {
        let definition = self.shared.definitions.get(index).ok_or_else(unknown)?;
        if self.shared.kept[index].rows.is_none() {
            let rows = self.rows(&definition.vector, &definition.steps)?;
            self.shared.kept[index].rows = Some(rows);
        }
        let kept = &mut self.shared.kept[index];
        kept.used += 1;
        if kept.used >= definition.uses {
            return kept.rows.take().ok_or_else(unknown);
        }
        let bytes = kept.rows.iter().flat_map(|rows| &rows.rows).map(Row::bytes).sum();
        let held = vec![self.ctx.budget.reserve(bytes)?];
        let rows = kept.rows.as_ref().map(|rows| rows.rows.clone()).ok_or_else(unknown)?;
        Ok(Rows { rows, held })
    }
}

fn unknown() -> Error {
    Error::internal("the plan names what it does not define")
}
