//! `and`, `or` and `unless`.

use super::{MatchGroups, presence};
use crate::{
    labels::LabelChoice,
    row::{Row, Rows, absent},
};
use service_api::{ReadContext, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOp {
    And,
    Or,
    Unless,
}

/// Keeps values by whether there is one on the other side whose labels in `choice` agree.
/// What `or` keeps of the right side stands behind the left one.
pub fn set_operation(
    op: SetOp,
    choice: LabelChoice<'_>,
    mut left: Rows,
    mut right: Rows,
    steps: usize,
    ctx: &ReadContext,
) -> Result<Rows> {
    let groups = MatchGroups::new(ctx, choice, &left.rows, &right.rows)?;
    let _presence = ctx.budget.reserve(groups.count * steps)?;
    match op {
        SetOp::Or => {
            let taken = present_by_group(&left.rows, &groups.first_by_group(), steps);
            keep_where(&mut right.rows, &groups.second, &taken, false);
            left.rows.append(&mut right.rows);
        }
        SetOp::And | SetOp::Unless => {
            let partners = present_by_group(&right.rows, &groups.second_by_group(), steps);
            keep_where(&mut left.rows, &groups.first, &partners, op == SetOp::And);
        }
    }
    left.rows.retain(Row::has_values);
    left.held.append(&mut right.held);
    Ok(left)
}

/// For each group at which steps it has a value; empty for a group without rows.
fn present_by_group(rows: &[Row], members: &[Vec<usize>], steps: usize) -> Vec<Vec<bool>> {
    let present = |members: &Vec<usize>| {
        if members.is_empty() { Vec::new() } else { presence(members.iter().map(|at| &rows[*at]), steps) }
    };
    members.iter().map(present).collect()
}

/// Keeps values at the steps where their group is (or is not) among `present`.
fn keep_where(rows: &mut [Row], group_of: &[usize], present: &[Vec<bool>], wanted: bool) {
    for (row, group) in rows.iter_mut().zip(group_of) {
        let present = &present[*group];
        let is_kept = |step: usize| present.get(step).copied().unwrap_or(false) == wanted;
        for (step, value) in row.values.iter_mut().enumerate() {
            if !is_kept(step) {
                *value = absent();
            }
        }
        row.histograms.retain(|step, _| is_kept(step));
    }
}
