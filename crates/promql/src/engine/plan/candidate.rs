//! Which selectors may be read from rollups: those whose windows are whole buckets, below functions that can be
//! computed of figures.

use super::{Edges, RangeFunction, ScanFunction, build::Wanted};
use crate::{
    Downsampling,
    engine::EngineConfig,
    functions::{over_time::OverTime, rate::RateKind},
};
use model::{Matcher, Timestamp};
use service_api::{Aggregate, RESOLUTIONS};
use vectors::Steps;

/// Less is read of samples, which are there in any case.
const MIN_EXTENT: i64 = 86_400_000;

const ALL: &[Aggregate] = &Aggregate::ALL;

/// A selector that may be read from rollups.
pub(crate) struct Candidate {
    pub matchers: Vec<Matcher>,
    pub steps: Steps,
    /// All windows together: what is behind the first of these times, up to the second.
    pub extent: (Timestamp, Timestamp),
    /// Lengths of buckets that all windows are made of, the longest first.
    pub resolutions: Vec<i64>,
    pub figures: Figures,
    /// No digit may differ.
    pub is_exact: bool,
}

/// What a function is computed of, if not of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figures {
    /// Of one figure as it is of samples: the least one is that of the least of each bucket.
    Same(Aggregate),
    Counts,
    Mean,
    Resets,
    Change(RateKind),
}

impl Figures {
    /// None if there are no figures for the function, or none that do as far as the query allows.
    pub fn of(function: &ScanFunction, config: &EngineConfig) -> Option<Self> {
        let is_allowed = match config.downsampling {
            Downsampling::Off => return None,
            Downsampling::Exact => false,
            Downsampling::Allowed => true,
        };
        // Buckets know nothing of when their samples' counting began.
        let knows_resets = !config.features.use_start_timestamps;
        match function {
            ScanFunction::Newest { .. } => Some(Self::Same(Aggregate::Latest)),
            ScanFunction::Range { function, .. } => match function {
                RangeFunction::Extrapolated(RateKind::Delta) => Some(Self::Change(RateKind::Delta)),
                RangeFunction::Extrapolated(kind) if knows_resets => Some(Self::Change(*kind)),
                RangeFunction::Resets if knows_resets => Some(Self::Resets),
                RangeFunction::OverTime(OverTime::Sum) if is_allowed => Some(Self::Same(Aggregate::Sum)),
                RangeFunction::OverTime(OverTime::Avg) if is_allowed => Some(Self::Mean),
                RangeFunction::OverTime(function) => Some(match function {
                    OverTime::Count => Self::Counts,
                    OverTime::Present => Self::Same(Aggregate::Count),
                    OverTime::Min => Self::Same(Aggregate::Min),
                    OverTime::Max => Self::Same(Aggregate::Max),
                    OverTime::First => Self::Same(Aggregate::First),
                    OverTime::Last => Self::Same(Aggregate::Last),
                    _ => return None,
                }),
                _ => None,
            },
            _ => None,
        }
    }

    pub fn aggregates(self) -> &'static [Aggregate] {
        use Aggregate as A;
        match self {
            Self::Same(aggregate) => ALL.get(aggregate as usize).map_or(&[], std::slice::from_ref),
            Self::Counts => &[A::Count],
            Self::Mean => &[A::Sum, A::Count],
            Self::Resets => &[A::First, A::Last, A::Resets],
            Self::Change(RateKind::Delta) => &[A::First, A::Last, A::FirstTime, A::LastTime, A::Count],
            Self::Change(_) => {
                &[A::First, A::Last, A::FirstTime, A::LastTime, A::Count, A::Resets, A::Dropped]
            }
        }
    }

    /// Whether what counters lost within a bucket is added up, so that of several falls the order is lost.
    pub fn adds_drops(self) -> bool {
        matches!(self, Self::Change(RateKind::Rate | RateKind::Increase))
    }

    /// Whether values are added in another order than those of samples, always.
    pub fn adds_values(self) -> bool {
        matches!(self, Self::Same(Aggregate::Sum) | Self::Mean)
    }
}

/// None if some window is no row of whole buckets, or if there is too little to be read.
pub(super) fn candidate(wanted: &Wanted<'_>, figures: Figures, mode: Downsampling) -> Option<Candidate> {
    let Wanted { matchers, steps, range, edges, shift, .. } = *wanted;
    if edges != Edges::Open || shift.at.is_some() || steps.count == 0 {
        return None;
    }
    let (first, last) = (shift.apply(steps.start), shift.apply(steps.last_time()));
    let after = first.checked_sub(range)?;
    if last.checked_sub(after)? < MIN_EXTENT {
        return None;
    }
    let fits = |resolution: &i64| {
        let is_whole = |time: i64| time.rem_euclid(*resolution) == 0;
        is_whole(first) && is_whole(last) && is_whole(range) && (steps.count == 1 || is_whole(steps.interval))
    };
    let mut resolutions: Vec<i64> = RESOLUTIONS.into_iter().filter(fits).collect();
    resolutions.sort_unstable_by(|a, b| b.cmp(a));
    (!resolutions.is_empty()).then(|| Candidate {
        matchers: matchers.to_vec(),
        steps: *steps,
        extent: (after, last),
        resolutions,
        figures,
        is_exact: mode == Downsampling::Exact,
    })
}
