//! What of a query is read from rollups: storage is asked for figures of as much time as it has them of, and for
//! samples of the rest.

mod resets;
mod search;

use super::{
    SELECTS_AT_ONCE,
    plan::{Figures, Plan},
};
use futures::future::try_join_all;
use model::{TimeRange, Timestamp};
use search::{Stretch, cover};
use service_api::{MetricsReader, ReadContext, Result, SeriesSet};
use std::sync::Arc;
use vectors::Steps;

/// Where a candidate's series are.
pub(crate) enum Leaf {
    /// In samples, after all: an index into the plan's selects.
    Samples(usize),
    Covered(Cover),
}

/// Pieces of time, one behind the other.
pub(crate) struct Cover {
    pub steps: Steps,
    pub figures: Figures,
    pub is_exact: bool,
    pub pieces: Vec<Piece>,
}

pub(crate) struct Piece {
    /// Of the samples, or of the ends of the buckets that hold them.
    pub range: TimeRange,
    pub source: Source,
}

#[derive(Clone)]
pub(crate) enum Source {
    /// An index into the plan's selects.
    Samples(usize),
    Rollups {
        resolution: i64,
        /// One for each of the candidate's figures.
        sets: Arc<[SeriesSet]>,
    },
}

/// Asks for rollups of all that may be read from them, and has the plan select samples of the rest. `now` is
/// the time of day, if it is known.
pub(crate) async fn find(
    ctx: &ReadContext,
    reader: &dyn MetricsReader,
    plan: &mut Plan,
    now: Option<Timestamp>,
) -> Result<Vec<Leaf>> {
    let mut leaves = Vec::with_capacity(plan.candidates.len());
    for some in plan.candidates.chunks(SELECTS_AT_ONCE) {
        ctx.check()?;
        let found = try_join_all(some.iter().map(|candidate| cover(ctx, reader, candidate, now))).await?;
        for (candidate, found) in some.iter().zip(found) {
            let mut select = |stretch: &Stretch| {
                let range = TimeRange::new(stretch.after.saturating_add(1), stretch.to);
                (range, plan.selects.add(&candidate.matchers, range))
            };
            if let [(stretch, None)] = &found[..] {
                leaves.push(Leaf::Samples(select(stretch).1));
                continue;
            }
            let pieces = found.iter().map(|(stretch, source)| match source {
                Some(source) => Piece { range: stretch.ends(candidate), source: source.clone() },
                None => {
                    let (range, index) = select(stretch);
                    Piece { range, source: Source::Samples(index) }
                }
            });
            leaves.push(Leaf::Covered(Cover {
                steps: candidate.steps,
                figures: candidate.figures,
                is_exact: candidate.is_exact,
                pieces: pieces.collect(),
            }));
        }
    }
    Ok(leaves)
}

impl Leaf {
    /// The figures that it is read from.
    pub fn sets(&self) -> impl Iterator<Item = &SeriesSet> {
        let pieces = match self {
            Self::Samples(_) => &[][..],
            Self::Covered(cover) => &cover.pieces[..],
        };
        pieces.iter().flat_map(|piece| match &piece.source {
            Source::Samples(_) => &[][..],
            Source::Rollups { sets, .. } => sets,
        })
    }
}

impl Cover {
    /// What is read of which time, for people.
    pub fn describe(&self) -> String {
        let mut parts: Vec<(Option<i64>, TimeRange)> = Vec::new();
        for piece in &self.pieces {
            let resolution = match piece.source {
                Source::Samples(_) => None,
                Source::Rollups { resolution, .. } => Some(resolution),
            };
            match parts.last_mut() {
                Some((last, range)) if *last == resolution => range.end = piece.range.end,
                _ => parts.push((resolution, piece.range)),
            }
        }
        let part = |(resolution, range): &(Option<i64>, TimeRange)| match resolution {
            None => format!("samples from {} to {} ms", range.start, range.end),
            Some(length) => {
                format!("rollups of {length} ms that end from {} to {} ms", range.start, range.end)
            }
        };
        parts.iter().map(part).collect::<Vec<_>>().join(", ")
    }
}
