//! Calls of functions over time: each series on its own, each step on its own.

use super::{
    Oracle, extended, native, over_time, rate,
    selector::{Edges, Ranged, Window, edges},
    table::{Grid, Matrix, Result, SAME_LABELS, Series, Value, fail, has_repeated_labels},
};
use promql::ast::{Call, Expr};

/// Windows with edges that are not plain hold samples from beyond them; only these can do with that.
const ANCHORED: [&str; 5] = ["resets", "changes", "rate", "increase", "delta"];
const SMOOTHED: [&str; 3] = ["rate", "increase", "delta"];

/// Where a call has its range, if it has one.
pub fn ranged_argument(call: &Call) -> Option<usize> {
    let is_range = |arg: &Expr| matches!(arg.without_parens(), Expr::MatrixSelector(_) | Expr::Subquery(_));
    call.args.iter().position(is_range)
}

impl Oracle<'_> {
    pub fn range_call(&self, call: &Call, place: usize, grid: Grid) -> Result<Matrix> {
        let name = call.function.name;
        let ranged = match call.args[place].without_parens() {
            Expr::MatrixSelector(matrix) => self.ranged_selector(matrix)?,
            Expr::Subquery(subquery) => self.ranged_subquery(subquery, grid)?,
            _ => return fail("no range"),
        };
        let others = call.args.iter().enumerate().filter(|(i, _)| *i != place);
        let scalars = others.map(|(_, arg)| self.eval(arg, grid)).collect::<Result<Vec<_>>>()?;
        check_edges(name, ranged.edges)?;
        let matrix = self.over_series(name, &ranged, &scalars, grid)?;
        if name == "absent_over_time" {
            return Ok(super::absent::over_time(&matrix, &call.args[place], grid));
        }
        // Also where they never are at the same step.
        if !self.settings.delayed_names && has_repeated_labels(matrix.iter().map(|series| &series.labels)) {
            return fail(SAME_LABELS);
        }
        Ok(matrix)
    }

    fn over_series(&self, name: &str, ranged: &Ranged, scalars: &[Matrix], grid: Grid) -> Result<Matrix> {
        let keeps_name = matches!(name, "last_over_time" | "first_over_time");
        let mut matrix = Matrix::new();
        for source in &ranged.series {
            let mut result = Series::new(source.labels.clone(), source.dropped || !keeps_name);
            if result.dropped {
                self.drop_name(&mut result.labels);
            }
            for time in grid.times() {
                let window = ranged.window(source, time, self.settings.lookback);
                let scalar = |series: &Matrix| series[0].at(time).and_then(|value| value.float());
                let scalars: Vec<f64> = scalars.iter().filter_map(scalar).collect();
                if window.is_empty() {
                    continue;
                }
                if let Some(value) = self.over_window(name, &window, &scalars)? {
                    result.push(time, value);
                }
            }
            if !result.is_empty() {
                matrix.push(result);
            }
        }
        Ok(matrix)
    }

    fn over_window(&self, name: &str, window: &Window, scalars: &[f64]) -> Result<Option<Value>> {
        let is_extended = window.edges != Edges::Plain;
        Ok(match name {
            "rate" | "increase" | "delta" if is_extended => {
                extended::rate(name, window).map(|v| self.rough(v))
            }
            "rate" | "increase" | "delta" => rate::rate(name, window).map(|v| self.rough(v)),
            "irate" | "idelta" => rate::of_last_two(name, window).map(|v| self.rough(v)),
            "double_exponential_smoothing" => {
                over_time::smoothing(window, scalars[0], scalars[1])?.map(|v| self.rough(Value::Float(v)))
            }
            _ => over_time::compute(name, window, scalars, &self.noise),
        })
    }

    /// A value that may differ in its last bits.
    pub fn rough(&self, value: Value) -> Value {
        match value {
            Value::Float(value) => Value::Float(self.noise.rounded(value)),
            Value::Histogram(histogram) => Value::Histogram(native::shaken(&histogram, &self.noise)),
        }
    }
}

fn check_edges(name: &str, edges: Edges) -> Result<()> {
    match edges {
        Edges::Anchored if !ANCHORED.contains(&name) => fail(format!("{name} over an anchored window")),
        Edges::Smoothed if !SMOOTHED.contains(&name) => fail(format!("{name} over a smoothed window")),
        _ => Ok(()),
    }
}

/// Whether a function is called over a window that it cannot do with.
pub fn has_wrong_edges(expr: &Expr) -> bool {
    let wrong = match expr {
        Expr::Call(call) => call.args.iter().any(|arg| match arg.without_parens() {
            Expr::MatrixSelector(matrix) => check_edges(call.function.name, edges(matrix)).is_err(),
            _ => false,
        }),
        _ => false,
    };
    wrong || expr.children().into_iter().any(has_wrong_edges)
}
