//! Binary operators with all that can be said of how their sides match.

use super::{Generator, Shape};

impl Generator<'_> {
    pub(super) fn binary(&mut self, depth: usize, shape: Shape) -> String {
        let below = Self::deeper(depth);
        match self.random.weighted(&[30, 40, 22, 8]) {
            0 => {
                let (op, scalar) = (self.operator_and_bool(), self.scalar(below));
                let vector = self.operand(below, shape);
                if self.random.chance(70) {
                    format!("{vector} {op} {scalar}")
                } else {
                    format!("{scalar} {op} {vector}")
                }
            }
            1 => self.matched(below, shape),
            2 => self.set(below, shape),
            _ => self.unmatched(below),
        }
    }

    fn operand(&mut self, depth: usize, shape: Shape) -> String {
        let text = self.vector(depth, shape);
        format!("({text})")
    }

    fn operator_and_bool(&mut self) -> String {
        if self.random.chance(65) {
            if self.with_natives && self.random.chance(8) {
                return self.one_of(&["</", ">/"]);
            }
            return self.one_of(&["+", "-", "*", "/", "%", "^", "atan2", "+", "-", "*", "/"]);
        }
        let op = self.one_of(&["==", "!=", "<", "<=", ">", ">="]);
        if self.random.chance(35) { format!("{op} bool") } else { op }
    }

    /// Sides that find each other.
    fn matched(&mut self, depth: usize, shape: Shape) -> String {
        let op = self.operator_and_bool();
        let one_to_one = match shape {
            Shape::Any => self.random.chance(55),
            _ => true,
        };
        if one_to_one {
            let shape = match shape {
                Shape::Any => {
                    [Shape::Instance, Shape::Instance, Shape::Request, Shape::Job][self.random.below(4)]
                }
                shape => shape,
            };
            let matching = match shape {
                Shape::Instance => {
                    self.one_of(&["", "", "on (instance)", "ignoring (zone)", "on (instance, job)"])
                }
                Shape::Request => self.one_of(&["", "on (instance, code)", "ignoring (job)"]),
                _ => self.one_of(&["", "on (job)", "ignoring (owner)"]),
            };
            let (fill, left) = (self.fill(), self.operand(depth, shape));
            return format!("{left} {op} {matching} {fill} {}", self.operand(depth, shape));
        }
        self.many_to_one(depth, &op)
    }

    fn many_to_one(&mut self, depth: usize, op: &str) -> String {
        let (many, one, matching, include): (_, String, &str, &[&str]) = match self.random.below(4) {
            0 => {
                (Shape::Request, self.operand(depth, Shape::Instance), "on (instance)", &["", "job", "zone"])
            }
            1 => (Shape::Request, self.operand(depth, Shape::Instance), "ignoring (code)", &[""]),
            2 => (Shape::Instance, self.operand(depth, Shape::Job), "on (job)", &["", "owner"]),
            _ => (
                Shape::Request,
                self.one_of(&["target_info{version=\"v1\"}", "target_info", "build_info"]),
                "on (instance, job)",
                &["version", "", "version, arch"],
            ),
        };
        let (many, include, fill) = (self.operand(depth, many), self.one_of(include), self.fill());
        match self.random.chance(65) {
            true => format!("{many} {op} {matching} group_left ({include}) {fill} {one}"),
            false => format!("{one} {op} {matching} group_right ({include}) {fill} {many}"),
        }
    }

    fn fill(&mut self) -> String {
        if !self.random.chance(12) {
            return String::new();
        }
        self.one_of(&[
            "fill (0)",
            "fill_left (1)",
            "fill_right (2.5)",
            "fill_left (1) fill_right (NaN)",
            "fill (-1)",
        ])
    }

    fn set(&mut self, depth: usize, shape: Shape) -> String {
        let op = self.one_of(&["and", "or", "unless", "or"]);
        let matching = self.one_of(&[
            "",
            "",
            "on (instance)",
            "on (job)",
            "ignoring (code)",
            "on ()",
            "on (instance, job)",
            "ignoring (job, le)",
        ]);
        let (left, right) = (self.operand(depth, shape), self.operand(depth, shape));
        format!("{left} {op} {matching} {right}")
    }

    /// Sides that may have nothing to do with each other.
    fn unmatched(&mut self, depth: usize) -> String {
        let op = self.operator_and_bool();
        let matching =
            self.one_of(&["", "on (job)", "ignoring (instance)", "on (code)", "ignoring (code)", "on ()"]);
        let (left, right) = (self.operand(depth, Shape::Any), self.operand(depth, Shape::Any));
        format!("{left} {op} {matching} {right}")
    }
}
