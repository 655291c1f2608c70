//! Ranges and the functions over them.

use super::{Generator, Shape};

const OVER_TIME: [&str; 21] = [
    "avg_over_time",
    "count_over_time",
    "first_over_time",
    "last_over_time",
    "max_over_time",
    "min_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
    "mad_over_time",
    "ts_of_first_over_time",
    "ts_of_last_over_time",
    "ts_of_max_over_time",
    "ts_of_min_over_time",
    "changes",
    "resets",
    "deriv",
    "idelta",
    "delta",
    "avg_over_time",
];

impl Generator<'_> {
    pub(super) fn range_function(&mut self, depth: usize, shape: Shape) -> String {
        match self.random.weighted(&[24, 36, 5, 5, 3, 2, 5]) {
            0 => {
                let function = self.one_of(&["rate", "rate", "increase", "irate", "delta"]);
                let counters =
                    if shape == Shape::Any && self.random.chance(60) { Shape::Request } else { shape };
                format!("{function}({})", self.matrix(depth, counters))
            }
            1 => {
                let function = self.one_of(&OVER_TIME);
                format!("{function}({})", self.matrix(depth, shape))
            }
            2 => {
                let quantile = self.quantile(depth);
                format!("quantile_over_time({quantile}, {})", self.matrix(depth, shape))
            }
            3 => {
                let ahead = self.scalar(Self::deeper(depth));
                format!("predict_linear({}, {ahead})", self.matrix(depth, shape))
            }
            4 => {
                let level = self.one_of(&["0.5", "0.1", "0.9", "0.5", "1"]);
                format!("double_exponential_smoothing({}, {level}, 0.3)", self.matrix(depth, shape))
            }
            5 => format!("absent_over_time({})", self.matrix(depth, shape)),
            _ => {
                let modifier = self.one_of(&["anchored", "smoothed"]);
                let function = match self.random.below(8) {
                    0 => self.one_of(&["resets", "changes"]),
                    1 => self.one_of(&["sum_over_time", "irate"]),
                    _ => self.one_of(&["rate", "increase", "delta"]),
                };
                let (name, labels) = self.metric(shape);
                let (series, range) = (self.series(&name, labels), self.duration());
                format!("{function}({series}[{range}] {modifier}{})", self.modifiers())
            }
        }
    }

    pub(super) fn matrix(&mut self, depth: usize, shape: Shape) -> String {
        if depth > 0 && self.random.chance(25) {
            return self.subquery(depth, shape);
        }
        let (name, labels) = self.metric(shape);
        let (series, range) = (self.series(&name, labels), self.range());
        format!("{series}[{range}]{}", self.modifiers())
    }

    fn range(&mut self) -> String {
        match self.random.below(30) {
            0 => "1m + 30s".to_owned(),
            1 => "max_of(step(), 2m)".to_owned(),
            2 => "range() + 1m".to_owned(),
            3 => "3 * step()".to_owned(),
            4 => "90".to_owned(),
            _ => self.one_of(&["45s", "1m", "90s", "2m", "3m", "5m", "5m", "10m", "2m", "3m", "61500ms"]),
        }
    }

    fn subquery(&mut self, depth: usize, shape: Shape) -> String {
        let inner = self.vector(Self::deeper(depth), shape);
        let range = self.one_of(&["1m", "2m", "3m", "5m", "5m", "10m", "90s", "150"]);
        let step = self.one_of(&["", "30s", "1m", "45s", "17s", "2m", "30s", "1m", "max_of(step(), 30s)"]);
        format!("({inner})[{range}:{step}]{}", self.modifiers())
    }

    pub(super) fn quantile(&mut self, depth: usize) -> String {
        if self.random.chance(12) {
            return self.scalar(Self::deeper(depth));
        }
        self.one_of(&["0", "0.5", "0.9", "1", "0.25", "-1", "2", "0.99", "NaN", "0.5", "0.75"])
    }
}
