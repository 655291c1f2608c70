//! Of what time there are rollups: storage is asked for all of it, and where it has not all, for halves.

use super::{Source, resets};
use crate::engine::plan::Candidate;
use model::{TimeRange, Timestamp};
use service_api::{MetricsReader, ReadContext, Result, RollupRequest, SeriesSet};
use std::sync::Arc;

/// Samples are rolled up day by day (UTC), so that rollups are there of all of a day or of nothing.
const DAY: i64 = 86_400_000;

/// Of what is younger there are no rollups: it is not asked for.
const MIN_AGE: i64 = 2 * DAY;

/// When storage has no figures of a stretch, parts of it that are shorter are not worth another question.
const MIN_PART: i64 = DAY / 2;

/// How often storage may have no figures of what one selector wants before samples are read of all that is left.
/// A year that lacks one day takes ten questions to find out.
const MAX_REFUSALS: usize = 32;

/// What is behind one time, up to another; both are ends of buckets.
#[derive(Clone, Copy)]
pub(super) struct Stretch {
    pub after: Timestamp,
    pub to: Timestamp,
    /// An index into the candidate's resolutions.
    resolution: usize,
}

impl Stretch {
    /// The ends of its buckets.
    pub fn ends(&self, candidate: &Candidate) -> TimeRange {
        TimeRange::new(self.after + candidate.resolutions[self.resolution], self.to)
    }
}

/// What was found of a stretch; where it is nothing, samples have to be read.
pub(super) type Found = (Stretch, Option<Source>);

/// Of what time there are rollups. All in order, without gaps.
pub(super) async fn cover(
    ctx: &ReadContext,
    reader: &dyn MetricsReader,
    candidate: &Candidate,
    now: Option<Timestamp>,
) -> Result<Vec<Found>> {
    let (after, to) = candidate.extent;
    let asked = now.map_or(to, |now| to.min(day_of(now.saturating_sub(MIN_AGE)))).max(after);
    let mut search = Search { candidate, found: Vec::new(), open: Vec::new(), refusals: 0 };
    search.push([Stretch { after, to: asked, resolution: 0 }]);
    while let Some(stretch) = search.open.pop() {
        ctx.check()?;
        let Some(sets) = ask(ctx, reader, candidate, &stretch).await? else {
            search.refused(stretch);
            continue;
        };
        let inexact = match candidate.is_exact && candidate.figures.adds_drops() {
            true => resets::days_with_several(ctx, candidate.figures, &sets, stretch.ends(candidate)).await?,
            false => Vec::new(),
        };
        search.answered(stretch, sets, &inexact);
    }
    let mut found = search.found;
    found.push((Stretch { after: asked, to, resolution: 0 }, None));
    found.retain(|(stretch, _)| stretch.after < stretch.to);
    found.sort_by_key(|(stretch, _)| stretch.after);
    Ok(join_samples(found))
}

/// What is known of a candidate's time, and what is to be asked for.
struct Search<'a> {
    candidate: &'a Candidate,
    found: Vec<Found>,
    /// The earliest is the last.
    open: Vec<Stretch>,
    refusals: usize,
}

impl Search<'_> {
    /// To be asked for, if it is worth it. The latest is the first.
    fn push(&mut self, stretches: impl IntoIterator<Item = Stretch>) {
        for stretch in stretches {
            match stretch.to - stretch.after >= MIN_PART && self.refusals < MAX_REFUSALS {
                true => self.open.push(stretch),
                false => self.found.push((stretch, None)),
            }
        }
    }

    /// There is nothing of some of it: its halves are asked for, down to days.
    fn refused(&mut self, stretch: Stretch) {
        self.refusals += 1;
        match halves(stretch) {
            Some((early, late)) => self.push([late, early]),
            None => self.found.push((stretch, None)),
        }
        if self.refusals >= MAX_REFUSALS {
            self.found.extend(self.open.drain(..).map(|stretch| (stretch, None)));
        }
    }

    /// All of it is there, but on `inexact` days it gives other digits than samples do.
    fn answered(&mut self, stretch: Stretch, sets: Arc<[SeriesSet]>, inexact: &[Timestamp]) {
        let resolution = self.candidate.resolutions[stretch.resolution];
        let mut again = Vec::new();
        for (part, is_inexact) in split(stretch, inexact) {
            // In shorter buckets there are fewer resets.
            let shorter = Stretch { resolution: part.resolution + 1, ..part };
            match is_inexact {
                true if shorter.resolution < self.candidate.resolutions.len() => again.push(shorter),
                true => self.found.push((part, None)),
                false => {
                    let source = Source::Rollups { resolution, sets: Arc::clone(&sets) };
                    self.found.push((part, Some(source)));
                }
            }
        }
        self.push(again.into_iter().rev());
    }
}

async fn ask(
    ctx: &ReadContext,
    reader: &dyn MetricsReader,
    candidate: &Candidate,
    stretch: &Stretch,
) -> Result<Option<Arc<[SeriesSet]>>> {
    let aggregates = candidate.figures.aggregates();
    let request = RollupRequest {
        matchers: candidate.matchers.clone(),
        ends: stretch.ends(candidate),
        resolution: candidate.resolutions[stretch.resolution],
        aggregates: aggregates.to_vec(),
    };
    let sets = reader.rollups(ctx, &request).await?;
    Ok(sets.filter(|sets| sets.len() == aggregates.len()).map(Arc::from))
}

/// The start of the day (UTC) that a time is in.
pub(super) fn day_of(time: Timestamp) -> Timestamp {
    time.saturating_sub(time.rem_euclid(DAY))
}

/// The days before and after the midnight that is nearest to the middle.
fn halves(stretch: Stretch) -> Option<(Stretch, Stretch)> {
    let Stretch { after, to, .. } = stretch;
    let middle = day_of(after.midpoint(to).saturating_add(DAY / 2));
    let between = [middle, middle.saturating_sub(DAY), middle.saturating_add(DAY)];
    let middle = between.into_iter().find(|time| after < *time && *time < to)?;
    Some((Stretch { to: middle, ..stretch }, Stretch { after: middle, ..stretch }))
}

/// Parts of which all days are among the given ones, or none. `days` are starts of days, ascending.
fn split(stretch: Stretch, days: &[Timestamp]) -> Vec<(Stretch, bool)> {
    let mut parts: Vec<(Stretch, bool)> = Vec::new();
    let mut add = |after: Timestamp, to: Timestamp, is_given: bool| match parts.last_mut() {
        _ if after >= to => {}
        Some((last, kind)) if *kind == is_given => last.to = to,
        _ => parts.push((Stretch { after, to, ..stretch }, is_given)),
    };
    let mut done = stretch.after;
    for day in days {
        let (from, to) = ((*day).max(done), day.saturating_add(DAY).min(stretch.to));
        add(done, from, false);
        add(from, to, true);
        done = to;
    }
    add(done, stretch.to, false);
    parts
}

/// Makes one of neighbours that both have to be read as samples.
fn join_samples(found: Vec<Found>) -> Vec<Found> {
    let mut joined: Vec<Found> = Vec::with_capacity(found.len());
    for (stretch, source) in found {
        match joined.last_mut() {
            Some((last, None)) if source.is_none() => last.to = stretch.to,
            _ => joined.push((stretch, source)),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(after: i64, to: i64) -> Stretch {
        Stretch { after, to, resolution: 0 }
    }

    #[test]
    fn stretches_are_halved_at_midnight() {
        let halved = |after, to| halves(stretch(after, to)).map(|(early, late)| (early.to, late.after));
        assert_eq!(halved(0, DAY), None);
        assert_eq!(halved(0, 2 * DAY), Some((DAY, DAY)));
        assert_eq!(halved(0, 9 * DAY), Some((5 * DAY, 5 * DAY)));
        assert_eq!(halved(DAY - 1, DAY + 1), Some((DAY, DAY)));
        assert_eq!(halved(DAY - 100, 2 * DAY), Some((DAY, DAY)));
        assert_eq!(halved(DAY + 1, 2 * DAY - 1), None);
        assert_eq!(halved(-DAY, DAY), Some((0, 0)));
    }

    #[test]
    fn days_are_cut_out() {
        let parts = |after, to, days: &[i64]| -> Vec<_> {
            split(stretch(after, to), days).iter().map(|(s, given)| (s.after, s.to, *given)).collect()
        };
        assert_eq!(parts(5, 3 * DAY, &[]), [(5, 3 * DAY, false)]);
        assert_eq!(parts(5, 3 * DAY, &[0]), [(5, DAY, true), (DAY, 3 * DAY, false)]);
        assert_eq!(
            parts(5, 4 * DAY - 5, &[DAY, 3 * DAY]),
            [(5, DAY, false), (DAY, 2 * DAY, true), (2 * DAY, 3 * DAY, false), (3 * DAY, 4 * DAY - 5, true)]
        );
        assert_eq!(parts(0, 3 * DAY, &[0, DAY]), [(0, 2 * DAY, true), (2 * DAY, 3 * DAY, false)]);
    }
}
