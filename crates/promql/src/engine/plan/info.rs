//! Planning of `info`.

use super::{
    Edges, Info, Vector,
    build::{Planner, Wanted, unexpected},
    call::arg,
};
use crate::{
    ast::{At, Call, Duration, Expr},
    engine::shift::Shift,
};
use model::{METRIC_NAME, MatchOp, Matcher};
use service_api::{Error, Result};
use vectors::Steps;

/// The metric that tells of targets, where no other is named.
const TARGET_INFO: &str = "target_info";

impl Planner<'_> {
    pub(super) fn info(&mut self, call: &Call, steps: &Steps) -> Result<Vector> {
        let input = arg(call, 0)?;
        let given = match call.args.get(1).map(Expr::without_parens) {
            None => Vec::new(),
            Some(Expr::VectorSelector(selector)) => selector.matchers.clone(),
            Some(other) => return Err(unexpected(other, "label matchers")),
        };
        let (names, data): (Vec<_>, Vec<_>) = given.into_iter().partition(|m| m.name == METRIC_NAME);
        let names = effective_names(names)?;
        let matchers: Vec<Matcher> = data.iter().chain(&names).cloned().collect();
        let lookback = self.config.lookback_ms;
        let shift = self.shift_of_first(input)?.unwrap_or_default();
        let (edges, span) = (Edges::Open, call.span);
        let wanted = Wanted { matchers: &matchers, steps, range: lookback, edges, shift, span };
        let selector = self.select(wanted, None);
        let input = Box::new(self.vector(input, steps)?);
        Ok(Vector::Info(Info { input, selector, lookback, data, names }))
    }

    /// The info metrics are looked at when the first selector of the input is: at its `@` and offset, and
    /// those of the subqueries that it is in up to the first `@`.
    fn shift_of_first(&self, expr: &Expr) -> Result<Option<Shift>> {
        let own = |offset: &Duration, at: Option<At>| self.shift(offset, at).map(Some);
        match expr {
            Expr::VectorSelector(e) => own(&e.offset, e.at),
            Expr::MatrixSelector(e) => own(&e.selector.offset, e.selector.at),
            Expr::Subquery(e) => {
                let Some(inner) = self.shift_of_first(&e.expr)? else { return Ok(None) };
                let outer = self.shift(&e.offset, e.at)?;
                Ok(Some(match inner.at {
                    Some(_) => inner,
                    None => Shift { offset: inner.offset.saturating_add(outer.offset), at: outer.at },
                }))
            }
            other => {
                for child in other.children() {
                    if let Some(shift) = self.shift_of_first(child)? {
                        return Ok(Some(shift));
                    }
                }
                Ok(None)
            }
        }
    }
}

/// Where no name is asked for, that of `target_info`; where names are only ruled out, all that end in
/// `_info` but those.
fn effective_names(mut given: Vec<Matcher>) -> Result<Vec<Matcher>> {
    if given.is_empty() {
        return Ok(vec![Matcher::equal(METRIC_NAME, TARGET_INFO)]);
    }
    if !given.iter().any(|m| matches!(m.op, MatchOp::Equal | MatchOp::Regex)) {
        let any = Matcher::new(MatchOp::Regex, METRIC_NAME, ".+_info");
        given.insert(0, any.map_err(|e| Error::internal(e.to_string()))?);
    }
    Ok(given)
}
