//! Where in time a figure lies: each figure of each resolution has an era of its own.

use service_api::{Aggregate, RESOLUTIONS, RollupRequest, SelectRequest, SeriesSet};

use super::read::unshifted;
use model::TimeRange;

/// So long is an era, in milliseconds: 8,919 years. Part of the format of blocks.
pub(crate) const ERA: i64 = 1 << 48;

/// There is room for so many figures of a resolution. Part of the format of blocks.
const FIGURES: i64 = 16;

/// How far behind the end of its bucket a figure lies, in milliseconds. `resolution`: its number.
pub(super) fn shift(resolution: usize, aggregate: Aggregate) -> i64 {
    (resolution as i64 * FIGURES + aggregate as i64) * ERA
}

/// How one figure is asked for where blocks of figures are read.
#[derive(Clone, Debug)]
pub struct EraRequest {
    pub select: SelectRequest,
    shift: i64,
}

/// How a request's figures are asked for, in their order. None if there are no such in any block.
pub fn eras(request: &RollupRequest) -> Option<Vec<EraRequest>> {
    let RollupRequest { matchers, ends, resolution, aggregates } = request;
    let number = RESOLUTIONS.iter().position(|known| known == resolution)?;
    // Times that are in no era have no figures.
    let ends = TimeRange::new(ends.start.max(0), ends.end.min(ERA - 1));
    let one = |aggregate: &Aggregate| {
        let shift = shift(number, *aggregate);
        let range = TimeRange::new(ends.start + shift, ends.end.max(-1) + shift);
        EraRequest { select: SelectRequest { matchers: matchers.clone(), range }, shift }
    };
    (ends.start < ERA).then(|| aggregates.iter().map(one).collect())
}

impl EraRequest {
    /// What was found, at the ends of the buckets.
    pub fn found(&self, set: SeriesSet) -> SeriesSet {
        unshifted(set, self.shift)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What version 1 wrote, written down: it must be readable for ever.
    #[test]
    fn golden_eras() {
        let of = |resolution: usize| Aggregate::ALL.map(|aggregate| shift(resolution, aggregate) >> 48);
        assert_eq!(of(0), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(of(1), [16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26]);
        assert_eq!(RESOLUTIONS, [300_000, 3_600_000]);
        assert_eq!(1_700_000_100_000 + shift(0, Aggregate::Max), 846_124_930_231_968);
        assert_eq!(1_700_002_800_000 + shift(1, Aggregate::Sum), 4_786_774_606_881_152);
    }

    #[test]
    fn what_is_asked_for_lies_in_its_era() {
        let request = |ends: TimeRange, resolution: i64| RollupRequest {
            matchers: Vec::new(),
            ends,
            resolution,
            aggregates: vec![Aggregate::Latest, Aggregate::Count],
        };
        let ranges = |start: i64, end: i64| {
            let eras = eras(&request(TimeRange::new(start, end), 3_600_000)).unwrap();
            eras.iter().map(|era| era.select.range).collect::<Vec<_>>()
        };
        let (latest, count) = (26 << 48, 16 << 48);
        assert_eq!(
            ranges(7, 9),
            [TimeRange::new(latest + 7, latest + 9), TimeRange::new(count + 7, count + 9)]
        );
        let all = |era: i64| TimeRange::new(era, era + ERA - 1);
        assert_eq!(ranges(i64::MIN, i64::MAX), [all(latest), all(count)]);
        assert!(ranges(i64::MIN, -5).iter().all(TimeRange::is_empty));
        assert!(eras(&request(TimeRange::new(0, 9), 60_000)).is_none());
    }
}
