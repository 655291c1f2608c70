//! Vectors: which kind, and the functions that are not over time.

use super::{Generator, Shape};

const OF_A_FLOAT: [&str; 23] = [
    "abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "sin", "cos", "tan", "asin", "acos",
    "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "deg", "rad", "sgn",
];
const OF_A_DATE: [&str; 8] =
    ["day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year"];

impl Generator<'_> {
    pub(super) fn vector(&mut self, depth: usize, shape: Shape) -> String {
        if depth == 0 {
            return if self.random.chance(75) { self.selector(shape) } else { self.range_function(0, shape) };
        }
        let kind = match shape {
            Shape::Any => self.random.weighted(&[14, 22, 20, 18, 14, 5, 5]),
            Shape::Request => self.random.weighted(&[30, 40, 0, 12, 14]),
            _ => self.random.weighted(&[25, 30, 18, 12, 14]),
        };
        self.vector_of_kind(kind, depth, shape)
    }

    pub(super) fn vector_of_kind(&mut self, kind: usize, depth: usize, shape: Shape) -> String {
        match kind {
            0 => self.selector(shape),
            1 => self.range_function(depth, shape),
            2 => self.aggregation(depth, shape),
            3 => self.binary(depth, shape),
            4 => self.function(depth, shape),
            5 => self.of_histograms(depth),
            _ => self.labels(depth),
        }
    }

    fn function(&mut self, depth: usize, shape: Shape) -> String {
        let below = Self::deeper(depth);
        let any = shape == Shape::Any;
        let misc = if any { 4 } else { 0 };
        match self.random.weighted(&[10, 5, 4, 5, 3, 3, misc, misc, misc, 2]) {
            0 => format!("{}({})", self.one_of(&OF_A_FLOAT), self.vector(below, shape)),
            1 => format!("-({})", self.vector(below, shape)),
            2 => {
                let (function, bound) = (self.one_of(&["clamp_min", "clamp_max"]), self.scalar(below));
                format!("{function}({}, {bound})", self.vector(below, shape))
            }
            3 => match self.random.below(3) {
                0 => format!(
                    "clamp({}, {}, {})",
                    self.vector(below, shape),
                    self.scalar(below),
                    self.scalar(0)
                ),
                1 => format!("round({})", self.vector(below, shape)),
                _ => format!(
                    "round({}, {})",
                    self.vector(below, shape),
                    self.one_of(&["5", "0.5", "0.1", "-2", "0"])
                ),
            },
            4 => format!("timestamp({})", self.vector(below, shape)),
            5 => self.date(below, shape),
            6 => self.sorted(below),
            7 => format!("vector({})", self.scalar(below)),
            8 => format!("absent({})", self.vector(below, shape)),
            _ => format!("+({})", self.vector(below, shape)),
        }
    }

    fn date(&mut self, depth: usize, shape: Shape) -> String {
        let function = self.one_of(&OF_A_DATE);
        match self.random.below(4) {
            0 if shape == Shape::Any => format!("{function}()"),
            1 => format!("{function}({})", self.vector(depth, shape)),
            _ => format!("{function}(timestamp({}))", self.vector(depth, shape)),
        }
    }

    fn sorted(&mut self, depth: usize) -> String {
        let vector = self.vector(depth, Shape::Any);
        match self.random.below(4) {
            0 => format!("sort({vector})"),
            1 => format!("sort_desc({vector})"),
            2 => format!("sort_by_label({vector}, \"instance\", \"code\")"),
            _ => format!("sort_by_label_desc({vector}, \"instance\")"),
        }
    }

    fn of_histograms(&mut self, depth: usize) -> String {
        let below = Self::deeper(depth);
        let buckets = match self.random.below(4) {
            0 => "latency_bucket".to_owned() + &self.modifiers(),
            1 => {
                format!("sum by (le{}) (rate(latency_bucket[5m]))", self.one_of(&["", ", job", ", instance"]))
            }
            2 => format!("rate({})", self.bucket_range()),
            _ => self.vector(below, Shape::Any),
        };
        let natives = [
            "size",
            "wait",
            "mixed",
            "rate(size[5m])",
            "rate(wait[3m])",
            "sum(wait)",
            "sum(size)",
            "increase(mixed[5m])",
            "irate(size[3m])",
            "delta(size[3m])",
            "rate((size)[5m:30s])",
            "size - size offset 1m",
            "size == size offset 30s",
            "-(size)",
        ];
        let native =
            if self.random.chance(70) { self.one_of(&natives) } else { self.vector(below, Shape::Instance) };
        let either = if self.with_natives && self.random.chance(50) { native.clone() } else { buckets };
        match self.random.weighted(&[8, 4, 3, if self.with_natives { 8 } else { 1 }]) {
            0 => format!("histogram_quantile({}, {either})", self.quantile(below)),
            1 => {
                let (low, high) = (self.scalar(0), self.scalar(0));
                format!("histogram_fraction({low}, {high}, {either})")
            }
            2 => format!(
                "histogram_quantiles({either}, \"q\", 0.5, {})",
                self.one_of(&["0.9", "1", "0", "0.25, 0.99"])
            ),
            _ => {
                let what = self.one_of(&["count", "sum", "avg", "stddev", "stdvar"]);
                format!("histogram_{what}({native})")
            }
        }
    }

    fn bucket_range(&mut self) -> String {
        format!("latency_bucket[{}]{}", self.one_of(&["2m", "5m", "10m"]), self.modifiers())
    }

    fn labels(&mut self, depth: usize) -> String {
        let vector = self.vector(Self::deeper(depth), Shape::Any);
        match self.random.below(8) {
            0 => format!("label_replace({vector}, \"code\", \"x$1\", \"instance\", \"i(.*)\")"),
            1 => format!("label_replace({vector}, \"instance\", \"same\", \"job\", \".*\")"),
            2 => {
                format!("label_replace({vector}, \"__name__\", \"${{1}}_new\", \"__name__\", \"(.*)_total\")")
            }
            3 => format!("label_replace({vector}, \"job\", \"\", \"job\", \"web\")"),
            4 => format!("label_join({vector}, \"all\", \"-\", \"instance\", \"job\", \"absent\")"),
            5 => format!("label_join({vector}, \"code\", \"\", \"code\")"),
            6 => format!("info({vector})"),
            _ => {
                let selector = self.one_of(&[
                    "{version=~\".+\"}",
                    "{__name__=~\".*_info\"}",
                    "{version=\"v1\"}",
                    "{__name__=\"build_info\", rev!=\"\"}",
                    "{zone=~\".*\"}",
                ]);
                format!("info({vector}, {selector})")
            }
        }
    }
}
