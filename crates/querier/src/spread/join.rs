//! The tables of pieces as one.

use crate::merge;
use model::Labels;
use service_api::{MemoryBudget, Result};
use std::{collections::HashMap, sync::Arc};
use vectors::{Row, Steps, Table, absent, row_bytes};

/// Of pieces that have all the steps between them.
pub fn join(budget: &Arc<MemoryBudget>, steps: Steps, pieces: Vec<(Steps, Table)>) -> Result<Table> {
    let (mut held, mut joined) = (budget.reserve(0)?, Table::default());
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let rows = &mut joined.rows.rows;
    for (piece, table) in pieces {
        merge::add_warnings(&mut joined.warnings, table.warnings);
        merge::add_warnings(&mut joined.infos, table.infos);
        joined.counts.resize(joined.counts.len().max(table.counts.len()), 0);
        joined.counts.iter_mut().zip(table.counts).for_each(|(sum, count)| *sum += count);
        let first = ((piece.start - steps.start) / steps.interval) as usize;
        for Row { labels, values, .. } in table.rows.rows {
            let place = match places.get(&labels) {
                Some(place) => *place,
                None => {
                    held.grow(row_bytes(&labels, steps.count))?;
                    rows.push(Row::floats(labels.clone(), vec![absent(); steps.count]));
                    places.insert(labels, rows.len() - 1);
                    rows.len() - 1
                }
            };
            rows[place].values[first..first + piece.count].copy_from_slice(&values);
        }
    }
    joined.rows.held = vec![held];
    Ok(joined)
}
