//! Which queries have a value at a step that follows from the step and the lines around it alone:
//! what was computed of them for one range of steps is right in every other.

use super::Engine;
use crate::ast::{Expr, LabelFormat, MetricExpr, RangeAggregation, Stage};
use vectors::{Cardinality, Reach};

impl Engine {
    /// From how far the lines of a step come; none for a query for lines, and if the value depends on
    /// other steps, too.
    pub fn reach(expr: &Expr) -> Option<Reach> {
        let Expr::Metric(expr) = expr else { return None };
        let mut found = None;
        visit(expr, &mut found)?;
        Some(found.unwrap_or_default())
    }
}

fn visit(expr: &MetricExpr, found: &mut Option<Reach>) -> Option<()> {
    match expr {
        MetricExpr::Range(range) => {
            let reach = of_range(range)?;
            *found = Some(found.map_or(reach, |found| found.union(reach)));
        }
        // Elements with the same labels become one where they never meet, which depends on all steps.
        MetricExpr::LabelReplace(_) => return None,
        MetricExpr::Binary(binary) if binary.matching.cardinality != Cardinality::OneToOne => return None,
        MetricExpr::Binary(_)
        | MetricExpr::Aggregate(_)
        | MetricExpr::Vector { .. }
        | MetricExpr::Literal { .. } => {}
    }
    expr.children().into_iter().try_for_each(|child| visit(child, found))
}

fn of_range(range: &RangeAggregation) -> Option<Reach> {
    let logs = &range.logs;
    (!logs.query.stages.iter().any(may_tell_the_time)).then(|| Reach::of_range(logs.range, logs.offset))
}

/// Whether a template may have the function `now`, which is the end of the query.
fn may_tell_the_time(stage: &Stage) -> bool {
    let may = |template: &str| template.contains("now");
    match stage {
        Stage::LineFormat(template) => may(template),
        Stage::LabelFormat(formats) => formats
            .iter()
            .any(|format| matches!(format, LabelFormat::Template { template, .. } if may(template))),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(text: &str) -> Option<(i64, i64)> {
        let expr = crate::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        Engine::reach(&expr).map(|reach| (reach.back / 1_000_000_000, reach.ahead / 1_000_000_000))
    }

    #[test]
    fn the_reach_is_that_of_the_farthest_range() {
        for (text, expected) in [
            ("vector(1)", (0, 0)),
            (r#"rate({a="b"}[5m])"#, (300, 0)),
            (r#"sum by (x) (count_over_time({a="b"} | json [1m] offset 1h)) > 2"#, (3660, -3600)),
            (r#"rate({a="b"}[1m]) / rate({a="c"}[1m] offset -1m)"#, (60, 60)),
            (r#"count_over_time({a="b"} | line_format "{{.x}}" [1m])"#, (60, 0)),
        ] {
            assert_eq!(reach(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_depends_on_other_steps_has_no_reach() {
        for text in [
            r#"{a="b"}"#,
            r#"count_over_time({a="b"} | line_format "{{now}}" [1m])"#,
            r#"sum(count_over_time({a="b"} | label_format x="{{ unixEpoch now }}" [1m]))"#,
            r#"label_replace(rate({a="b"}[1m]), "x", "$1", "y", "(.*)")"#,
            r#"sum by (x) (rate({a="b"}[1m])) / on (x) group_left sum by (x) (rate({a="c"}[1m]))"#,
        ] {
            assert_eq!(reach(text), None, "{text}");
        }
    }
}
