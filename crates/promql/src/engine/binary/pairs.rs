//! Arithmetic and comparison between the series of two vectors.
//!
//! `many` is the side whose series may share a partner, `one` the other. For one-to-one
//! matching the left side is called `many`.

use super::{MatchGroups, presence};
use crate::{
    ast::{BinaryOp, Cardinality, VectorMatching},
    engine::{
        evaluate::Evaluator,
        labels::{LabelChoice, without_metadata},
        plan::{Binary, ScalarOp, scalar_op},
        steps::Steps,
    },
    row::{Row, Rows, absent, is_absent, row_bytes},
};
use model::{Labels, LabelsBuilder};
use service_api::{Error, Result};
use std::collections::HashMap;

pub(super) fn evaluate(
    evaluator: &Evaluator<'_>,
    binary: &Binary,
    many: Rows,
    one: Rows,
    steps: &Steps,
) -> Result<Rows> {
    let op = scalar_op(binary.op)?;
    let groups = MatchGroups::new(&binary.matching, &many.rows, &one.rows);
    let ones = groups.second_by_group();
    check_one_side(binary, &many.rows, &one.rows, &ones, steps)?;
    check_many_side(binary, &groups, &many.rows, &one.rows, &ones, steps)?;
    let mut held = evaluator.reserve(0)?;
    let mut rows = Vec::new();
    for (row, group) in many.rows.iter().zip(&groups.first) {
        evaluator.ctx.check()?;
        for partner in ones[*group].iter().map(|at| &one.rows[*at]) {
            let values = apply(binary, op, row, partner);
            if !crate::row::has_values(&values) {
                continue;
            }
            let labels = result_labels(binary, &row.labels, &partner.labels);
            held.grow(row_bytes(&labels, steps.count))?;
            rows.push(Row { labels, values });
        }
    }
    Ok(Rows { rows, held: vec![held] })
}

fn apply(binary: &Binary, op: ScalarOp, many: &Row, one: &Row) -> Vec<f64> {
    let swapped = binary.matching.cardinality == Cardinality::OneToMany;
    let (left, right) = if swapped { (one, many) } else { (many, one) };
    let pairs = left.values.iter().copied().zip(right.values.iter().copied());
    let both = |(l, r): (f64, f64), f: &dyn Fn(f64, f64) -> f64| {
        if is_absent(l) || is_absent(r) { absent() } else { f(l, r) }
    };
    match op {
        ScalarOp::Arithmetic(op) => pairs.map(|pair| both(pair, &|l, r| op.apply(l, r))).collect(),
        ScalarOp::Comparison(op) if binary.as_bool => {
            pairs.map(|pair| both(pair, &|l, r| f64::from(u8::from(op.holds(l, r))))).collect()
        }
        ScalarOp::Comparison(op) => {
            pairs.map(|pair| both(pair, &|l, r| if op.holds(l, r) { l } else { absent() })).collect()
        }
    }
}

/// The labels of a result: those of the many side, or of one-to-one those that matched.
fn result_labels(binary: &Binary, many: &Labels, one: &Labels) -> Labels {
    let matching = &binary.matching;
    let mut labels =
        if binary.as_bool || changes_meaning(binary.op) { without_metadata(many) } else { many.clone() };
    if matching.cardinality == Cardinality::OneToOne {
        labels = labels.without(|name| matching.labels.iter().any(|l| l == name) != matching.on);
    }
    if matching.include.is_empty() {
        return labels;
    }
    let mut builder = LabelsBuilder::from_labels(&labels);
    for name in &matching.include {
        builder.set(name, one.get(name).unwrap_or(""));
    }
    builder.build()
}

fn changes_meaning(op: BinaryOp) -> bool {
    !op.is_comparison() && !op.is_set()
}

/// An error if two series of the one side share a group at a step at which there are
/// values on both sides.
fn check_one_side(
    binary: &Binary,
    many: &[Row],
    one: &[Row],
    ones: &[Vec<usize>],
    steps: &Steps,
) -> Result<()> {
    if ones.iter().all(|members| members.len() < 2) {
        return Ok(());
    }
    let needed = presence(many.iter(), steps);
    for members in ones.iter().filter(|members| members.len() > 1) {
        let mut holder: Vec<Option<usize>> = vec![None; steps.count];
        for at in members {
            let present = one[*at].values.iter().enumerate().filter(|(_, v)| !is_absent(**v));
            for (step, _) in present.filter(|(step, _)| needed[*step]) {
                if let Some(other) = holder[step].replace(*at) {
                    return Err(duplicate_on_one_side(
                        &binary.matching,
                        &one[*at].labels,
                        &one[other].labels,
                    ));
                }
            }
        }
    }
    Ok(())
}

fn duplicate_on_one_side(matching: &VectorMatching, a: &Labels, b: &Labels) -> Error {
    let side = if matching.cardinality == Cardinality::OneToMany { "left" } else { "right" };
    let group = LabelChoice { names: &matching.labels, without: !matching.on }.of(a, false);
    let (mut first, mut second) = (a.to_string(), b.to_string());
    if first > second {
        std::mem::swap(&mut first, &mut second);
    }
    Error::unprocessable(format!(
        "found duplicate series for the match group {group} on the {side} hand-side of the operation: \
         [{first}, {second}];many-to-many matching not allowed: matching labels must be unique on one side"
    ))
}

/// An error if two series of the many side would give one result at one step. What a
/// comparison filters out afterwards counts, too.
fn check_many_side(
    binary: &Binary,
    groups: &MatchGroups,
    many: &[Row],
    one: &[Row],
    ones: &[Vec<usize>],
    steps: &Steps,
) -> Result<()> {
    let mut manies = vec![Vec::new(); groups.count];
    groups.first.iter().enumerate().for_each(|(row, group)| manies[*group].push(row));
    let shared = manies.iter().zip(ones).filter(|(manies, ones)| manies.len() > 1 && !ones.is_empty());
    for (manies, ones) in shared {
        let mut taken: HashMap<Labels, Vec<bool>> = HashMap::new();
        for (many, one) in manies.iter().flat_map(|m| ones.iter().map(|o| (&many[*m], &one[*o]))) {
            let key = match binary.matching.cardinality {
                Cardinality::OneToOne => Labels::empty(),
                _ => result_labels(binary, &many.labels, &one.labels),
            };
            let taken = taken.entry(key).or_insert_with(|| vec![false; steps.count]);
            for (taken, (m, o)) in taken.iter_mut().zip(many.values.iter().zip(&one.values)) {
                let matched = !is_absent(*m) && !is_absent(*o);
                if *taken && matched {
                    return Err(Error::unprocessable(match binary.matching.cardinality {
                        Cardinality::OneToOne => {
                            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                        }
                        _ => "multiple matches for labels: grouping labels must ensure unique matches",
                    }));
                }
                *taken |= matched;
            }
        }
    }
    Ok(())
}
