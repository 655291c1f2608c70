//! Matching many values within a query's time.

use crate::{Error, ReadContext, Result};
use model::Matcher;

/// Matches values, and looks now and then whether its query is to go on.
pub struct Matching<'a> {
    ctx: &'a ReadContext,
    /// Since the last look, in the worst of what each value may have cost.
    spent: usize,
}

/// Some milliseconds if the worst comes true, which is a large regular expression over long values.
const SPENT_A_LOOK: usize = 1 << 20;

/// What a value costs beside its regular expression.
const A_VALUE: usize = 64;

impl<'a> Matching<'a> {
    pub fn new(ctx: &'a ReadContext) -> Self {
        Self { ctx, spent: 0 }
    }

    /// It is an error of the query if this value alone may take too long.
    pub fn matches(&mut self, matcher: &Matcher, value: &str) -> Result<bool> {
        matcher.check_value(value).map_err(Error::unprocessable)?;
        let worst = matcher.regex_cost().saturating_mul(value.len()).saturating_add(A_VALUE);
        self.spent = self.spent.saturating_add(worst);
        if self.spent > SPENT_A_LOOK {
            self.spent = 0;
            self.ctx.check()?;
        }
        Ok(matcher.matches(value))
    }
}
