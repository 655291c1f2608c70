//! What one line costs: a template of fields, and one with functions.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's way to fail")]

use divan::{Bencher, black_box};
use std::borrow::Cow;
use template::{Data, Env, Functions, Template, Value};

fn main() {
    divan::main();
}

struct Labels(Vec<(&'static str, &'static str)>);

impl Data for Labels {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| Value::str(*value))
    }

    fn entries(&self) -> Vec<(Cow<'_, str>, Value<'_>)> {
        self.0.iter().map(|(name, value)| (Cow::Borrowed(*name), Value::str(*value))).collect()
    }
}

#[divan::bench(args = ["{{.msg}} {{.status}}", "{{ .a | upper | trunc 3 }}"])]
fn execute(bencher: Bencher<'_, '_>, text: &str) {
    let template = Template::parse(text, &Functions::for_logs()).unwrap();
    let labels = Labels(vec![("a", "warning"), ("msg", "request served"), ("status", "200")]);
    let env = Env::default();
    let mut out = String::new();
    bencher.bench_local(|| {
        out.clear();
        template.execute(black_box(&labels), &env, &mut out).unwrap();
        black_box(out.len())
    });
}
