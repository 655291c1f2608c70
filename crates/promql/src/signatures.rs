//! The functions of PromQL: what they take and what they give.

use crate::ast::ValueType::{self, Matrix, Scalar, String, Vector};

/// How a function may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub name: &'static str,
    pub args: &'static [ValueType],
    /// 0: exactly `args`. Above 0: the last of `args` may be absent, or given up to this
    /// many times. Below 0: as above, without an upper bound.
    pub variadic: i32,
    pub returns: ValueType,
    /// Needs the feature `promql-experimental-functions`.
    pub experimental: bool,
}

impl Signature {
    /// The function of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        FUNCTIONS.binary_search_by(|f| f.name.cmp(name)).ok().map(|at| &FUNCTIONS[at])
    }
}

const fn fixed(name: &'static str, args: &'static [ValueType], returns: ValueType) -> Signature {
    Signature { name, args, variadic: 0, returns, experimental: false }
}

const fn variadic(name: &'static str, args: &'static [ValueType], variadic: i32) -> Signature {
    Signature { name, args, variadic, returns: Vector, experimental: false }
}

const fn experimental(signature: Signature) -> Signature {
    Signature { experimental: true, ..signature }
}

/// The functions of Prometheus 3.14, sorted by name.
pub const FUNCTIONS: &[Signature] = &[
    fixed("abs", &[Vector], Vector),
    fixed("absent", &[Vector], Vector),
    fixed("absent_over_time", &[Matrix], Vector),
    fixed("acos", &[Vector], Vector),
    fixed("acosh", &[Vector], Vector),
    fixed("asin", &[Vector], Vector),
    fixed("asinh", &[Vector], Vector),
    fixed("atan", &[Vector], Vector),
    fixed("atanh", &[Vector], Vector),
    fixed("avg_over_time", &[Matrix], Vector),
    fixed("ceil", &[Vector], Vector),
    fixed("changes", &[Matrix], Vector),
    fixed("clamp", &[Vector, Scalar, Scalar], Vector),
    fixed("clamp_max", &[Vector, Scalar], Vector),
    fixed("clamp_min", &[Vector, Scalar], Vector),
    fixed("cos", &[Vector], Vector),
    fixed("cosh", &[Vector], Vector),
    fixed("count_over_time", &[Matrix], Vector),
    variadic("day_of_month", &[Vector], 1),
    variadic("day_of_week", &[Vector], 1),
    variadic("day_of_year", &[Vector], 1),
    variadic("days_in_month", &[Vector], 1),
    fixed("deg", &[Vector], Vector),
    fixed("delta", &[Matrix], Vector),
    fixed("deriv", &[Matrix], Vector),
    experimental(fixed("double_exponential_smoothing", &[Matrix, Scalar, Scalar], Vector)),
    experimental(fixed("end", &[], Scalar)),
    fixed("exp", &[Vector], Vector),
    fixed("first_over_time", &[Matrix], Vector),
    fixed("floor", &[Vector], Vector),
    fixed("histogram_avg", &[Vector], Vector),
    fixed("histogram_count", &[Vector], Vector),
    fixed("histogram_fraction", &[Scalar, Scalar, Vector], Vector),
    fixed("histogram_quantile", &[Scalar, Vector], Vector),
    experimental(variadic("histogram_quantiles", &[Vector, String, Scalar, Scalar], 9)),
    fixed("histogram_stddev", &[Vector], Vector),
    fixed("histogram_stdvar", &[Vector], Vector),
    fixed("histogram_sum", &[Vector], Vector),
    variadic("hour", &[Vector], 1),
    fixed("idelta", &[Matrix], Vector),
    fixed("increase", &[Matrix], Vector),
    experimental(variadic("info", &[Vector, Vector], 1)),
    fixed("irate", &[Matrix], Vector),
    variadic("label_join", &[Vector, String, String, String], -1),
    fixed("label_replace", &[Vector, String, String, String, String], Vector),
    fixed("last_over_time", &[Matrix], Vector),
    fixed("ln", &[Vector], Vector),
    fixed("log10", &[Vector], Vector),
    fixed("log2", &[Vector], Vector),
    experimental(fixed("mad_over_time", &[Matrix], Vector)),
    experimental(fixed("max_of", &[Scalar, Scalar], Scalar)),
    fixed("max_over_time", &[Matrix], Vector),
    experimental(fixed("min_of", &[Scalar, Scalar], Scalar)),
    fixed("min_over_time", &[Matrix], Vector),
    variadic("minute", &[Vector], 1),
    variadic("month", &[Vector], 1),
    fixed("pi", &[], Scalar),
    fixed("predict_linear", &[Matrix, Scalar], Vector),
    fixed("present_over_time", &[Matrix], Vector),
    fixed("quantile_over_time", &[Scalar, Matrix], Vector),
    fixed("rad", &[Vector], Vector),
    experimental(fixed("range", &[], Scalar)),
    fixed("rate", &[Matrix], Vector),
    fixed("resets", &[Matrix], Vector),
    variadic("round", &[Vector, Scalar], 1),
    fixed("scalar", &[Vector], Scalar),
    fixed("sgn", &[Vector], Vector),
    fixed("sin", &[Vector], Vector),
    fixed("sinh", &[Vector], Vector),
    fixed("sort", &[Vector], Vector),
    experimental(variadic("sort_by_label", &[Vector, String], -1)),
    experimental(variadic("sort_by_label_desc", &[Vector, String], -1)),
    fixed("sort_desc", &[Vector], Vector),
    fixed("sqrt", &[Vector], Vector),
    experimental(fixed("start", &[], Scalar)),
    experimental(fixed("start_timestamp", &[Vector], Vector)),
    fixed("stddev_over_time", &[Matrix], Vector),
    fixed("stdvar_over_time", &[Matrix], Vector),
    experimental(fixed("step", &[], Scalar)),
    fixed("sum_over_time", &[Matrix], Vector),
    fixed("tan", &[Vector], Vector),
    fixed("tanh", &[Vector], Vector),
    fixed("time", &[], Scalar),
    fixed("timestamp", &[Vector], Vector),
    experimental(fixed("ts_of_first_over_time", &[Matrix], Vector)),
    experimental(fixed("ts_of_last_over_time", &[Matrix], Vector)),
    experimental(fixed("ts_of_max_over_time", &[Matrix], Vector)),
    experimental(fixed("ts_of_min_over_time", &[Matrix], Vector)),
    fixed("vector", &[Scalar], Vector),
    variadic("year", &[Vector], 1),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_found_by_its_name() {
        assert!(FUNCTIONS.is_sorted_by_key(|f| f.name));
        for function in FUNCTIONS {
            assert_eq!(Signature::find(function.name), Some(function));
        }
        assert_eq!(Signature::find("holt_winters"), None);
    }
}
