//! `and`, `or` and `unless`.

use super::{MatchGroups, presence};
use crate::{
    ast::BinaryOp,
    engine::{evaluate::Evaluator, plan::Binary, steps::Steps},
    row::{Row, Rows, absent},
};
use service_api::Result;

pub(super) fn evaluate(
    evaluator: &Evaluator<'_>,
    binary: &Binary,
    mut left: Rows,
    mut right: Rows,
    steps: &Steps,
) -> Result<Rows> {
    let groups = MatchGroups::new(&binary.matching, &left.rows, &right.rows);
    let _presence = evaluator.reserve(groups.count * steps.count)?;
    match binary.op {
        BinaryOp::Or => {
            let taken = by_group(&left.rows, &groups.first, groups.count, steps);
            keep_where(&mut right.rows, &groups.second, &taken, false);
            left.rows.append(&mut right.rows);
        }
        op => {
            let partners = by_group(&right.rows, &groups.second, groups.count, steps);
            keep_where(&mut left.rows, &groups.first, &partners, op == BinaryOp::And);
        }
    }
    left.rows.retain(Row::has_values);
    left.held.append(&mut right.held);
    Ok(left)
}

/// For each group at which steps it has a value; empty for a group without rows.
fn by_group(rows: &[Row], group_of: &[usize], count: usize, steps: &Steps) -> Vec<Vec<bool>> {
    let mut members = vec![Vec::new(); count];
    rows.iter().zip(group_of).for_each(|(row, group)| members[*group].push(row));
    let present =
        |rows: Vec<&Row>| if rows.is_empty() { Vec::new() } else { presence(rows.into_iter(), steps) };
    members.into_iter().map(present).collect()
}

/// Keeps values at the steps where their group is (or is not) among `present`.
fn keep_where(rows: &mut [Row], group_of: &[usize], present: &[Vec<bool>], wanted: bool) {
    for (row, group) in rows.iter_mut().zip(group_of) {
        let present = &present[*group];
        for (step, value) in row.values.iter_mut().enumerate() {
            if present.get(step).copied().unwrap_or(false) != wanted {
                *value = absent();
            }
        }
    }
}
