//! Aggregations.

use super::{Generator, Shape};

impl Generator<'_> {
    pub(super) fn aggregation(&mut self, depth: usize, shape: Shape) -> String {
        let inner_shape = match shape {
            Shape::Any => [Shape::Any, Shape::Request, Shape::Instance][self.random.below(3)],
            _ => Shape::Request,
        };
        let inner = self.vector(Self::deeper(depth), inner_shape);
        if shape == Shape::Any && self.random.chance(4) {
            return self.limited(&inner);
        }
        let (op, param) = self.operator(depth);
        let grouping = match shape {
            Shape::Any => self.grouping(),
            Shape::Job => "by (job)".to_owned(),
            _ => self.one_of(&["by (instance, job)", "without (code)", "without (code, le)"]),
        };
        let arguments = match param {
            Some(param) => format!("({param}, {inner})"),
            None => format!("({inner})"),
        };
        if self.random.chance(50) {
            format!("{op} {grouping} {arguments}")
        } else {
            format!("{op}{arguments} {grouping}")
        }
    }

    /// Which series `limitk` picks is left open, but not how many.
    fn limited(&mut self, inner: &str) -> String {
        let grouping = self.grouping();
        if self.random.chance(70) {
            return format!(
                "count(limitk {grouping} ({}, {inner})) {grouping}",
                self.one_of(&["1", "2", "3", "0", "1e9"])
            );
        }
        format!("limit_ratio({}, {inner})", self.one_of(&["1", "-1", "0", "2", "NaN"]))
    }

    fn operator(&mut self, depth: usize) -> (String, Option<String>) {
        let with_param = self.random.weighted(&[66, 16, 10, 8]);
        self.no_at = true;
        let result = match with_param {
            0 => {
                let ops = ["sum", "avg", "min", "max", "count", "stddev", "stdvar", "group", "sum", "avg"];
                (self.one_of(&ops), None)
            }
            1 => {
                let k = match self.random.below(6) {
                    0 => self.scalar(Self::deeper(depth)),
                    _ => self.one_of(&["1", "2", "3", "5", "100", "0", "1.9"]),
                };
                (self.one_of(&["topk", "bottomk"]), Some(k))
            }
            2 => ("quantile".to_owned(), Some(self.quantile(depth))),
            _ => {
                let label = self.one_of(&["value", "code", "version", "__name__"]);
                ("count_values".to_owned(), Some(format!("\"{label}\"")))
            }
        };
        self.no_at = false;
        result
    }

    fn grouping(&mut self) -> String {
        let labels = ["instance", "job", "code", "zone", "le", "__name__", "absent", "version", "__unit__"];
        let how = match self.random.weighted(&[3, 5, 4]) {
            0 => return String::new(),
            1 => "by",
            _ => "without",
        };
        let count = self.random.weighted(&[1, 5, 4, 1]);
        let names: Vec<String> = (0..count)
            .map(|_| labels[self.random.weighted(&[6, 6, 5, 2, 2, 1, 1, 1, 1])].to_owned())
            .collect();
        format!("{how} ({})", names.join(", "))
    }
}
