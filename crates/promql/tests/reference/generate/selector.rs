//! Selectors: names, matchers, `offset` and `@`.

use super::{Generator, Shape};

const DURATIONS: [&str; 9] = ["15s", "30s", "1m", "90s", "2m", "2m30s", "5m", "10m", "61500ms"];

impl Generator<'_> {
    pub(super) fn selector(&mut self, shape: Shape) -> String {
        let (name, labels) = self.metric(shape);
        let mut text = self.series(&name, labels);
        if self.random.chance(5) {
            text.push_str(if self.random.chance(70) { " smoothed" } else { " anchored" });
        }
        text + &self.modifiers()
    }

    /// A metric of the shape and labels that it has.
    pub(super) fn metric(&mut self, shape: Shape) -> (String, &'static [&'static str]) {
        match shape {
            Shape::Request => ("requests_total".to_owned(), &["instance", "job", "code"]),
            Shape::Job => ("limit".to_owned(), &["job", "owner"]),
            Shape::Instance if self.with_natives && self.random.chance(15) => {
                (self.one_of(&["size", "wait", "mixed", "size"]), &["instance", "job"])
            }
            Shape::Instance => (self.one_of(&["errors_total", "load", "flag"]), &["instance", "job"]),
            Shape::Any => match self.random.weighted(&[6, 8, 2, 4, 1, 2, 2, 1]) {
                0 => self.metric(Shape::Request),
                1 => self.metric(Shape::Instance),
                2 => self.metric(Shape::Job),
                3 => ("temperature".to_owned(), &["instance", "zone"]),
                4 => ("lonely".to_owned(), &[]),
                5 => (self.one_of(&["target_info", "build_info"]), &["instance", "job", "version"]),
                6 => ("latency_bucket".to_owned(), &["instance", "job", "le"]),
                _ => ("nothing".to_owned(), &["instance", "job"]),
            },
        }
    }

    /// Name and matchers, without modifiers.
    pub(super) fn series(&mut self, name: &str, labels: &[&str]) -> String {
        if self.random.chance(3) {
            let names =
                ["errors_total|load", "flag|load", "re.*", ".*_total", "size|wait|flag", "load|latency_.*"];
            let names = self.one_of(&names);
            return format!("{{__name__=~\"{names}\"}}");
        }
        let mut matchers = Vec::new();
        for label in labels {
            if self.random.chance(12) {
                matchers.push(self.matcher(label));
            }
        }
        if matchers.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", matchers.join(", ")) }
    }

    fn matcher(&mut self, label: &str) -> String {
        let (values, patterns): (&[&str], &[&str]) = match label {
            "instance" => (&["i1", "i2", "i3", "i10"], &["i1|i2", "i.", "i[13].*", ".+", "i3?1?0?"]),
            "job" => (&["api", "web"], &["a.*", "api|web", ".*", "(api|web)"]),
            "code" => (&["200", "404", "500"], &["2..|5..", "4.*", "200", "[^2].*"]),
            "zone" => (&["eu", ""], &["e.", "", "eu|us"]),
            "le" => (&["1", "+Inf"], &["1|2.5|\\\\+Inf", ".*"]),
            _ => (&["v1", "ann"], &["v.", ".*"]),
        };
        let (op, value) = match self.random.weighted(&[4, 2, 4, 2]) {
            0 => ("=", self.random.pick(values)),
            1 => ("!=", self.random.pick(values)),
            2 => ("=~", self.random.pick(patterns)),
            _ => ("!~", self.random.pick(patterns)),
        };
        format!("{label}{op}\"{value}\"")
    }

    /// ` @ 30 offset 1m`, in either order; mostly nothing.
    pub(super) fn modifiers(&mut self) -> String {
        let at =
            if !self.no_at && self.random.chance(8) { format!(" @ {}", self.at()) } else { String::new() };
        let offset =
            if self.random.chance(10) { format!(" offset {}", self.offset()) } else { String::new() };
        if self.random.chance(50) { at + &offset } else { offset + &at }
    }

    fn at(&mut self) -> String {
        match self.random.below(4) {
            0 => "start()".to_owned(),
            1 => "end()".to_owned(),
            _ => format!("{:.3}", self.random.between(self.start, self.end) as f64 / 1000.0),
        }
    }

    fn offset(&mut self) -> String {
        match self.random.below(12) {
            0 => "(1m + 30s)".to_owned(),
            1 => "step()".to_owned(),
            2 => "(2 * step())".to_owned(),
            3 => "-(1m / 2)".to_owned(),
            _ => {
                let sign = if self.random.chance(25) { "-" } else { "" };
                sign.to_owned() + &self.duration()
            }
        }
    }

    pub(super) fn duration(&mut self) -> String {
        self.one_of(&DURATIONS)
    }
}
