//! When what the entries of a record count began: its last part, which most records do not have.

use super::columns;
use chunk::{Corrupt, Cursor};
use model::Timestamp;
use service_api::StartTimestamps;

const OF_SAMPLES: u8 = 1;
const OF_HISTOGRAMS: u8 = 2;

/// Takes no byte if none is known.
pub fn put_starts(out: &mut Vec<u8>, starts: &StartTimestamps) {
    let columns = [(OF_SAMPLES, &starts.floats), (OF_HISTOGRAMS, &starts.histograms)];
    let known = columns.into_iter().filter(|(_, column)| column.iter().any(|start| *start != 0));
    let which = known.clone().fold(0, |all, (which, _)| all | which);
    if which != 0 {
        out.push(which);
        known.for_each(|(_, column)| columns::put_runs(out, column.iter().copied()));
    }
}

/// Of as many samples and histograms as the record has.
pub fn read(rest: &mut Cursor<'_>, samples: usize, histograms: usize) -> Result<StartTimestamps, Corrupt> {
    let which = if rest.is_empty() { 0 } else { rest.byte()? };
    let mut column = |bit: u8, count: usize| {
        let mut starts: Vec<Timestamp> = Vec::new();
        if which & bit != 0 {
            columns::read_runs(rest, count, |start| {
                starts.push(start);
                Ok(())
            })?;
        }
        Ok(starts)
    };
    Ok(StartTimestamps {
        floats: column(OF_SAMPLES, samples)?,
        histograms: column(OF_HISTOGRAMS, histograms)?,
    })
}
