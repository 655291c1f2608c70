//! Scalars.

use super::{Generator, Shape};

impl Generator<'_> {
    pub(super) fn scalar(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.chance(30) {
            return self.simple_scalar();
        }
        let below = Self::deeper(depth);
        match self.random.weighted(&[4, 2, 4, 1, 2, 1, 1]) {
            0 => {
                let op = self.one_of(&["+", "-", "*", "/", "%", "^", "atan2"]);
                format!("({} {op} {})", self.scalar(below), self.scalar(below))
            }
            1 => {
                let op = self.one_of(&["==", "!=", "<", "<=", ">", ">="]);
                format!("({} {op} bool {})", self.scalar(below), self.scalar(below))
            }
            2 => format!("scalar({})", self.one_series(below)),
            3 => format!("-{}", self.scalar(below)),
            4 => {
                let function = self.one_of(&["max_of", "min_of"]);
                format!("{function}({}, {})", self.scalar(below), self.scalar(below))
            }
            5 => format!("scalar({})", self.vector(below, Shape::Any)),
            _ => format!("({})", self.scalar(below)),
        }
    }

    fn simple_scalar(&mut self) -> String {
        match self.random.weighted(&[14, 2, 1, 1, 1, 1, 1]) {
            0 => self.number(),
            1 => "time()".to_owned(),
            2 => "pi()".to_owned(),
            3 => "start()".to_owned(),
            4 => "end()".to_owned(),
            5 => "range()".to_owned(),
            _ => "step()".to_owned(),
        }
    }

    pub(super) fn number(&mut self) -> String {
        self.one_of(&[
            "0", "1", "2", "3", "0.5", "-1", "10", "100", "0.25", "1e3", "-2.5", "Inf", "-Inf", "NaN", "1m",
            "0x1F", "1", "2", "0.1", "5", "7",
        ])
    }

    /// A vector with one series, if data allows.
    fn one_series(&mut self, depth: usize) -> String {
        match self.random.below(4) {
            0 => "lonely".to_owned() + &self.modifiers(),
            1 => "limit{job=\"api\"}".to_owned() + &self.modifiers(),
            2 => format!("sum({})", self.vector(depth, Shape::Any)),
            _ => format!("count({})", self.vector(depth, Shape::Any)),
        }
    }
}
