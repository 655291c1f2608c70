//! Which expressions have a value at a step that follows from the step and the data around it alone:
//! what was computed of them for one range of steps is right in every other.

use super::Engine;
use crate::ast::{AggregateOp, BinaryOp, Duration, Expr, Subquery, VectorSelector};
use model::{METRIC_NAME, MatchOp};
use vectors::Reach;

impl Engine {
    /// From how far the data of a step comes; none if the value depends on other steps, too, or if an
    /// error does.
    pub fn reach(&self, expr: &Expr) -> Option<Reach> {
        if self.config.features.delayed_name_removal {
            // Whether a group has dropped its name depends on all steps.
            return None;
        }
        let mut walk = Walk { engine: self, found: None, has_subquery: false, unites: false };
        walk.visit(expr, Reach::default())?;
        // Series of different metrics that meet without their names are an error even if they never have
        // a value at one step; below a subquery that is not seen from the selectors.
        let may_meet = walk.has_subquery && walk.unites;
        (!may_meet).then(|| walk.found.unwrap_or_default())
    }
}

struct Walk<'a> {
    engine: &'a Engine,
    found: Option<Reach>,
    has_subquery: bool,
    /// Whether anything puts series of several origins, or with changed labels, into one vector.
    unites: bool,
}

impl Walk<'_> {
    /// `from` is what the expression is evaluated at, seen from the step.
    fn visit(&mut self, expr: &Expr, from: Reach) -> Option<()> {
        match expr {
            Expr::VectorSelector(e) => return self.selector(e, self.engine.config.lookback_ms, from),
            Expr::MatrixSelector(e) => return self.selector(&e.selector, fixed(&e.range)?, from),
            Expr::Subquery(e) => return self.subquery(e, from),
            Expr::Binary(e) => self.unites |= e.op == BinaryOp::Or,
            // Threads put their parts of a variance together; where one ends and the next begins is
            // seen in the last digits, and depends on the series of the whole range.
            Expr::Aggregate(e) if matches!(e.op, AggregateOp::Stddev | AggregateOp::Stdvar) => return None,
            // Its values become names.
            Expr::Aggregate(e) if e.op == AggregateOp::CountValues => self.unites = true,
            Expr::Call(e) => match e.function.name {
                // Of the whole query, and of series that the expression does not name.
                "start" | "end" | "range" | "step" | "info" => return None,
                "label_replace" | "label_join" | "histogram_quantiles" => self.unites = true,
                _ => {}
            },
            Expr::Number(_) | Expr::String(_) | Expr::Unary(_) | Expr::Paren(_) | Expr::Aggregate(_) => {}
        }
        expr.children().into_iter().try_for_each(|child| self.visit(child, from))
    }

    fn selector(&mut self, selector: &VectorSelector, range: i64, from: Reach) -> Option<()> {
        let has_one_name = selector.matchers.iter().any(|m| m.name == METRIC_NAME && m.op == MatchOp::Equal);
        if selector.at.is_some() || !has_one_name {
            return None;
        }
        let lookback = self.engine.config.lookback_ms;
        let edges = match (selector.anchored, selector.smoothed) {
            (true, _) => Reach { back: lookback, ahead: 0 },
            (_, true) => Reach { back: lookback, ahead: lookback },
            _ => Reach::default(),
        };
        let reach = from.then(Reach::of_range(range, fixed(&selector.offset)?)).then(edges);
        self.found = Some(self.found.map_or(reach, |found| found.union(reach)));
        Some(())
    }

    fn subquery(&mut self, subquery: &Subquery, from: Reach) -> Option<()> {
        if subquery.at.is_some() {
            return None;
        }
        // Its steps are multiples of its interval, wherever the query starts.
        if let Some(step) = &subquery.step {
            fixed(step)?;
        }
        self.has_subquery = true;
        let range = Reach::of_range(fixed(&subquery.range)?, fixed(&subquery.offset)?);
        self.visit(&subquery.expr, from.then(range))
    }
}

/// A duration that does not depend on the query's range.
fn fixed(duration: &Duration) -> Option<i64> {
    match duration {
        Duration::Fixed(milliseconds) => Some(*milliseconds),
        Duration::Expr(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ParseOptions, parse};

    fn reach(text: &str) -> Option<(i64, i64)> {
        let expr =
            parse(text, ParseOptions::all_features()).unwrap_or_else(|error| panic!("{text}: {error}"));
        Engine::default().reach(&expr).map(|reach| (reach.back / 1000, reach.ahead / 1000))
    }

    #[test]
    fn the_reach_is_that_of_the_farthest_selectors() {
        for (text, expected) in [
            ("a", (300, 0)),
            ("time() + 1", (0, 0)),
            ("vector(time())", (0, 0)),
            ("rate(a[10m])", (600, 0)),
            ("a offset 1h", (3900, -3600)),
            ("a offset -1m", (240, 60)),
            ("sum by (x) (rate(a[1m] offset 2m)) / on (x) group_left b", (300, 0)),
            ("max_over_time(rate(a[5m] offset 1m)[1h:1m] offset 10m)", (300 + 60 + 3600 + 600, -660)),
            ("topk(3, a) or b unless c offset -30s", (300, 30)),
            ("histogram_quantile(0.9, sum by (le) (rate(a_bucket[2m])))", (120, 0)),
            ("rate(a[1m] anchored)", (360, 0)),
            ("a smoothed", (600, 300)),
            ("label_replace(a, \"x\", \"$1\", \"y\", \"(.*)\")", (300, 0)),
        ] {
            assert_eq!(reach(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_depends_on_other_steps_has_no_reach() {
        for text in [
            "a @ 10",
            "a @ end()",
            "a + rate(a[5m] @ start())",
            "a * end()",
            "info(a)",
            "max_over_time(a[1h:1m] @ 5)",
            "{job=\"x\"}",
            "rate({__name__=~\"a|b\"}[5m])",
            "stddev(a)",
            "1 + stdvar by (x) (a)",
            "max_over_time((a or b)[1h:1m])",
            "max_over_time(count_values(\"__name__\", a)[1h:1m])",
        ] {
            assert_eq!(reach(text), None, "{text}");
        }
    }
}
