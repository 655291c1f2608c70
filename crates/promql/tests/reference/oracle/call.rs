//! Function calls: to whom they go, and those that take a vector and give one at each step.

use super::{
    Oracle, absent, calendar, classic, instant, native, range_call, sort,
    table::{Grid, Matrix, Result, Sample, Value, Vector, fail},
};
use model::{Labels, Timestamp};
use promql::ast::{Call, Expr, ValueType, VectorSelector};

pub fn text(expr: &Expr) -> &str {
    match expr.without_parens() {
        Expr::String(string) => &string.value,
        _ => "",
    }
}

impl Oracle<'_> {
    pub fn call(&self, call: &Call, grid: Grid) -> Result<Matrix> {
        let name = call.function.name;
        match name {
            "label_replace" | "label_join" => return self.change_labels(call, grid),
            "info" => return self.info(call, grid),
            "timestamp" | "start_timestamp" => {
                if let Expr::VectorSelector(selector) = call.args[0].without_parens() {
                    return self.sample_times(name, selector, grid);
                }
            }
            _ => {}
        }
        if let Some(place) = range_call::ranged_argument(call) {
            return self.range_call(call, place, grid);
        }
        let inputs = call.args.iter().map(|arg| match arg.value_type() {
            ValueType::String => Ok(Matrix::new()),
            _ => self.eval(arg, grid),
        });
        let inputs = inputs.collect::<Result<Vec<_>>>()?;
        self.stepwise(grid, &inputs, |time, vectors| self.call_at(call, time, vectors))
    }

    /// The times of the samples that a selector finds, not those at which it looks.
    fn sample_times(&self, name: &str, selector: &VectorSelector, grid: Grid) -> Result<Matrix> {
        let (offset, at) = (self.offset(&selector.offset)?, self.at(selector.at));
        self.stepwise(grid, &[], |time, _| {
            if name == "start_timestamp" {
                // Nobody knows when they started without the feature for it.
                return Ok(Vector::new());
            }
            let mut vector = Vector::new();
            for stored in self.selected(&selector.matchers) {
                if let Some((found, _)) = self.newest(stored, at.unwrap_or(time) - offset) {
                    let sample = Sample::float(stored.labels.clone(), 0.0);
                    vector.push(self.nameless(&sample, Value::Float(*found as f64 / 1000.0)));
                }
            }
            Ok(vector)
        })
    }

    fn call_at(&self, call: &Call, time: Timestamp, vectors: &[Vector]) -> Result<Vector> {
        let scalar = |place: usize| vectors[place][0].value.float().unwrap_or(f64::NAN);
        let number = |value: f64| Ok(vec![Sample::float(Labels::empty(), value)]);
        let grid = self.grid();
        let name = call.function.name;
        match name {
            "time" => number(time as f64 / 1000.0),
            "pi" => number(std::f64::consts::PI),
            "start" => number(grid.start as f64 / 1000.0),
            "end" => number(grid.end as f64 / 1000.0),
            "range" => number((grid.end - grid.start) as f64 / 1000.0),
            "step" if grid.is_single() => number(0.0),
            "step" => number(grid.step as f64 / 1000.0),
            "max_of" => number(instant::larger(scalar(0), scalar(1))),
            "min_of" => number(instant::smaller(scalar(0), scalar(1))),
            "scalar" => number(only_float(&vectors[0])),
            "vector" => number(scalar(0)),
            "absent" => Ok(absent::absent(&vectors[0], &call.args[0])),
            "sort" | "sort_desc" => Ok(sort::by_value(&vectors[0], name == "sort_desc", &self.noise)),
            "sort_by_label" | "sort_by_label_desc" => {
                let names: Vec<_> = call.args[1..].iter().map(text).collect();
                Ok(sort::by_labels(&vectors[0], &names, name == "sort_by_label_desc"))
            }
            "timestamp" => {
                let stamp = |sample| self.nameless(sample, Value::Float(time as f64 / 1000.0));
                Ok(vectors[0].iter().map(stamp).collect())
            }
            "start_timestamp" => Ok(Vector::new()),
            "day_of_month" | "day_of_week" | "day_of_year" | "days_in_month" | "hour" | "minute"
            | "month" | "year" => self.calendar(name, time, vectors.first()),
            "clamp" | "clamp_min" | "clamp_max" => {
                let low = if name == "clamp_max" { f64::NEG_INFINITY } else { scalar(1) };
                let high = match name {
                    "clamp" => scalar(2),
                    "clamp_max" => scalar(1),
                    _ => f64::INFINITY,
                };
                if high < low {
                    return Ok(Vector::new());
                }
                Ok(self.floats(&vectors[0], |v| instant::larger(low, instant::smaller(high, v))))
            }
            "round" => {
                let to = if call.args.len() > 1 { scalar(1) } else { 1.0 };
                Ok(self.floats(&vectors[0], |v| instant::round(v, to)))
            }
            "histogram_quantile" => self.quantiles(&vectors[1], None, &[scalar(0)]),
            "histogram_quantiles" => {
                let quantiles: Vec<f64> = (2..vectors.len()).map(scalar).collect();
                self.quantiles(&vectors[0], Some(text(&call.args[1])), &quantiles)
            }
            "histogram_fraction" => {
                let (low, high) = (scalar(0), scalar(1));
                self.of_histograms(
                    &vectors[2],
                    |buckets| classic::fraction(low, high, buckets),
                    |histogram| native::fraction(low, high, histogram),
                )
            }
            _ if name.starts_with("histogram_") => Ok(self.native_function(name, &vectors[0])),
            _ => match instant::function(name) {
                Some(function) => {
                    let compute = |v| {
                        if instant::is_exact(name) { function(v) } else { self.noise.rounded(function(v)) }
                    };
                    Ok(self.floats(&vectors[0], compute))
                }
                None => fail(format!("the reference has no {name}")),
            },
        }
    }

    /// Applies a function to all floats; histograms are left out.
    fn floats(&self, vector: &Vector, function: impl Fn(f64) -> f64) -> Vector {
        let compute = |sample: &Sample| {
            let value = function(sample.value.float()?);
            Some(self.nameless(sample, Value::Float(value)))
        };
        vector.iter().filter_map(compute).collect()
    }

    fn calendar(&self, name: &str, time: Timestamp, vector: Option<&Vector>) -> Result<Vector> {
        let Some(vector) = vector else {
            // Whole seconds, cut towards zero.
            let value = calendar::of(name, time / 1000);
            return Ok(vec![Sample::float(Labels::empty(), value)]);
        };
        if vector.iter().filter_map(|s| s.value.float()).any(|v| !v.is_finite() || v.abs() > 1e11) {
            // What integer such a float becomes is up to the processor.
            self.open.set(true);
        }
        Ok(self.floats(vector, |v| calendar::of(name, v as i64)))
    }

    /// A function that looks at native histograms only.
    fn native_function(&self, name: &str, vector: &Vector) -> Vector {
        let compute = |sample: &Sample| {
            let value = native::number(name, sample.value.histogram()?);
            let mut labels = sample.labels.clone();
            if !self.settings.delayed_names {
                // Only the name: type and unit stay, other than with all other functions.
                labels = labels.without_name();
            }
            Some(Sample { labels, dropped: true, value: Value::Float(self.noise.summed(value)) })
        };
        vector.iter().filter_map(compute).collect()
    }
}

/// The one float of a vector; histograms do not count.
fn only_float(vector: &Vector) -> f64 {
    let floats: Vec<f64> = vector.iter().filter_map(|sample| sample.value.float()).collect();
    match floats[..] {
        [value] => value,
        _ => f64::NAN,
    }
}
