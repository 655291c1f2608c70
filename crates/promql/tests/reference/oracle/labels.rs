//! `label_replace` and `label_join`, which change series as a whole.

use super::{
    Oracle,
    call::text,
    table::{Grid, Matrix, Result, fail, with_label},
};
use model::METRIC_NAME;
use promql::ast::Call;
use regex::Regex;

impl Oracle<'_> {
    pub fn change_labels(&self, call: &Call, grid: Grid) -> Result<Matrix> {
        let target = text(&call.args[1]);
        if target.is_empty() {
            return fail("a label needs a name");
        }
        let rewrite = match call.function.name {
            "label_join" => None,
            _ => Some(pattern(text(&call.args[4]))?),
        };
        let mut matrix = self.eval(&call.args[0], grid)?;
        for series in &mut matrix {
            let value = |name: &str| series.labels.get(name).unwrap_or("").to_owned();
            let written = match &rewrite {
                None => {
                    let sources = call.args[3..].iter().map(|arg| value(text(arg)));
                    Some(sources.collect::<Vec<_>>().join(text(&call.args[2])))
                }
                Some(pattern) => {
                    let source = value(text(&call.args[3]));
                    pattern.captures(&source).map(|captures| {
                        let mut written = String::new();
                        captures.expand(text(&call.args[2]), &mut written);
                        written
                    })
                }
            };
            if let Some(written) = written {
                series.labels = with_label(&series.labels, target, &written);
                series.dropped &= target != METRIC_NAME;
            }
        }
        self.merge(matrix)
    }
}

/// The pattern has to match all of a value.
fn pattern(text: &str) -> Result<Regex> {
    match Regex::new(&format!("^(?s:{text})$")) {
        Ok(pattern) => Ok(pattern),
        Err(e) => fail(e.to_string()),
    }
}
