//! `count_values`: a row for each value that occurs.

use super::{Aggregate, Evaluator};
use model::{Labels, LabelsBuilder};
use service_api::Result;
use std::collections::HashMap;
use vectors::{Row, Rows, Steps, absent, is_absent, row_bytes};

impl Evaluator<'_> {
    pub(super) fn count_values(&mut self, aggregate: &Aggregate, label: &str, steps: &Steps) -> Result<Rows> {
        let input = self.rows(&aggregate.input, steps)?;
        let mut held = self.reserve(0)?;
        let choice = aggregate.choice(self.config.features);
        let mut row_of: HashMap<Labels, usize> = HashMap::new();
        let mut rows: Vec<Row> = Vec::new();
        for row in &input.rows {
            self.ctx.check()?;
            let mut row_for = |shown: &str| {
                let named = LabelsBuilder::from_labels(&row.labels).set(label, shown).build();
                let labels = choice.of(&named, row.name_dropped);
                let at = *row_of.entry(labels.clone()).or_insert(rows.len());
                if at == rows.len() {
                    held.grow(2 * row_bytes(&labels, steps.count))?;
                    rows.push(Row::floats(labels, vec![absent(); steps.count]));
                }
                Ok(at)
            };
            let mut counted: Vec<(usize, usize)> = Vec::new();
            let mut by_value: HashMap<u64, usize> = HashMap::new();
            for (step, value) in row.values.iter().enumerate().filter(|(_, v)| !is_absent(**v)) {
                let bits = if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() };
                let at = match by_value.get(&bits) {
                    Some(at) => *at,
                    None => *by_value.entry(bits).or_insert(row_for(&decimal(*value))?),
                };
                counted.push((step, at));
            }
            for (step, histogram) in row.histograms.iter() {
                counted.push((step, row_for(&histogram.to_string())?));
            }
            for (step, at) in counted {
                let count = &mut rows[at].values[step];
                *count = if is_absent(*count) { 1.0 } else { *count + 1.0 };
            }
        }
        Ok(Rows { rows, held: vec![held] })
    }
}

/// The shortest decimal form, never with an exponent (Go's `%f`).
fn decimal(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        format!("{value}")
    }
}
