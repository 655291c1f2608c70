//! Binary operators between two vectors: which samples of the two sides find each other.

use super::{
    Oracle, arithmetic, binary,
    table::{Result, Sample, Value, Vector, fail, without_metadata},
};
use model::{Labels, LabelsBuilder, METRIC_NAME};
use promql::ast::{Binary, BinaryOp, Cardinality, VectorMatching};

/// The labels that have to agree for two samples to meet.
fn signature(labels: &Labels, matching: &VectorMatching) -> Labels {
    let named = |name: &str| matching.labels.iter().any(|label| label == name);
    match matching.on {
        true => labels.without(|name| !named(name)),
        false => labels.without(|name| name == METRIC_NAME || named(name)),
    }
}

impl Oracle<'_> {
    pub fn match_vectors(&self, binary: &Binary, lhs: &Vector, rhs: &Vector) -> Result<Vector> {
        let default = VectorMatching::default();
        let matching = binary.matching.as_ref().unwrap_or(&default);
        let has = |side: &Vector, sample: &Sample| {
            let wanted = signature(&sample.labels, matching);
            side.iter().any(|other| signature(&other.labels, matching) == wanted)
        };
        match binary.op {
            BinaryOp::And => Ok(lhs.iter().filter(|sample| has(rhs, sample)).cloned().collect()),
            BinaryOp::Unless => Ok(lhs.iter().filter(|sample| !has(rhs, sample)).cloned().collect()),
            BinaryOp::Or => {
                let added = rhs.iter().filter(|sample| !has(lhs, sample));
                Ok(lhs.iter().chain(added).cloned().collect())
            }
            _ => self.pair_up(binary, matching, lhs, rhs),
        }
    }

    fn pair_up(
        &self,
        binary: &Binary,
        matching: &VectorMatching,
        lhs: &Vector,
        rhs: &Vector,
    ) -> Result<Vector> {
        let (fill_left, fill_right) = (binary.fill.left, binary.fill.right);
        let no_fill = fill_left.is_none() && fill_right.is_none();
        if (lhs.is_empty() || rhs.is_empty()) && (no_fill || lhs.is_empty() && rhs.is_empty()) {
            return Ok(Vector::new());
        }
        // From here on, each sample of `many` meets at most one of `one`.
        let swapped = matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if swapped { (rhs, lhs) } else { (lhs, rhs) };
        let signature = |sample: &Sample| signature(&sample.labels, matching);
        for (i, sample) in one.iter().enumerate() {
            if one[..i].iter().any(|other| signature(other) == signature(sample)) {
                return fail("many-to-many matching not allowed: matching labels must be unique on one side");
            }
        }
        let mut pairs =
            Pairs { oracle: self, binary, matching, swapped, met: Vec::new(), result: Vector::new() };
        // With `group_right` the sides are swapped, but not the fill values: `fill_left` stands for what is
        // missing of the many, `fill_right` for what is missing of the one.
        for sample in many {
            match (one.iter().find(|other| signature(other) == signature(sample)), fill_right) {
                (Some(other), _) => pairs.add(sample, other)?,
                (None, Some(fill)) => pairs.add(sample, &Sample::float(signature(sample), fill))?,
                (None, None) => {}
            }
        }
        if let Some(fill) = fill_left {
            for sample in one {
                let met = pairs.met.iter().any(|(met, _)| *met == signature(sample));
                if !met {
                    pairs.add(&Sample::float(signature(sample), fill), sample)?;
                }
            }
        }
        Ok(pairs.result)
    }
}

struct Pairs<'p> {
    oracle: &'p Oracle<'p>,
    binary: &'p Binary,
    matching: &'p VectorMatching,
    swapped: bool,
    /// Signatures that had a result, and its labels.
    met: Vec<(Labels, Labels)>,
    result: Vector,
}

impl Pairs<'_> {
    fn add(&mut self, many: &Sample, one: &Sample) -> Result<()> {
        let (a, b) = if self.swapped { (one, many) } else { (many, one) };
        let noise = &self.oracle.noise;
        let Some(outcome) = arithmetic::of_values(self.binary.op, &a.value, &b.value, noise) else {
            return Ok(());
        };
        let labels = self.labels(&many.labels, &one.labels);
        let signature = signature(&many.labels, self.matching);
        let one_to_one = self.matching.cardinality == Cardinality::OneToOne;
        if self.met.iter().any(|(met, of)| *met == signature && (one_to_one || *of == labels)) {
            return fail("multiple matches for labels");
        }
        self.met.push((signature, labels.clone()));
        let Binary { return_bool, .. } = *self.binary;
        if outcome.keep || return_bool {
            let value: Value = if return_bool { binary::holds(outcome.keep) } else { outcome.value };
            self.result.push(Sample { labels, dropped: return_bool, value });
        }
        Ok(())
    }

    fn labels(&self, many: &Labels, one: &Labels) -> Labels {
        let drop_name = self.binary.return_bool && !self.oracle.settings.delayed_names;
        let mut labels = match drop_name || binary::changes_meaning(self.binary.op) {
            true => without_metadata(many),
            false => many.clone(),
        };
        if self.matching.cardinality == Cardinality::OneToOne {
            let named = |name: &str| self.matching.labels.iter().any(|label| label == name);
            labels = labels.without(|name| named(name) != self.matching.on);
        }
        let mut builder = LabelsBuilder::from_labels(&labels);
        for name in &self.matching.include {
            builder.set(name, one.get(name).unwrap_or(""));
        }
        builder.build()
    }
}
