//! Which steps of a query are evaluated together, and by whom.

use block_store::BlockMeta;
use model::TimeRange;
use vectors::Steps;

/// Steps, and the member of the ring that is to evaluate them; none is us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub steps: Steps,
    pub owner: Option<u16>,
}

/// Steps of one piece: a row of them has to fit into a message.
pub const MAX_STEPS: usize = 1 << 20;

/// More pieces than this are no use to anybody.
const MAX_PIECES: i64 = 1000;

/// Cuts steps at multiples of `every`, or of a multiple of it where there would be too many. Each piece has
/// two steps at least: one alone would be no range query.
pub fn cut(steps: Steps, every: u64) -> Vec<Steps> {
    let length = steps.last_time().saturating_sub(steps.start);
    let every = i64::try_from(every).unwrap_or(i64::MAX);
    if every == 0 || every / 2 < steps.interval || length < every {
        return vec![steps];
    }
    let every = every.saturating_mul(length / every / MAX_PIECES + 1);
    let mut pieces: Vec<Steps> = Vec::new();
    let mut first = 0;
    while first < steps.count {
        let start = steps.time(first);
        let left = every - start.rem_euclid(every);
        let count = (((left - 1) / steps.interval) as usize + 1).min(steps.count - first);
        match pieces.last_mut() {
            Some(last) if count < 2 || last.count < 2 => last.count += count,
            _ => pieces.push(Steps { start, count, ..steps }),
        }
        first += count;
    }
    pieces
}

/// Gives each piece to whoever owns most of the blocks that it reads. Neighbours with one owner become one.
pub fn assign(
    pieces: Vec<Steps>,
    range: impl Fn(Steps) -> TimeRange,
    blocks: &[BlockMeta],
    owner: impl Fn(&[&BlockMeta]) -> Option<u16>,
) -> Vec<Piece> {
    let ranges: Vec<TimeRange> = pieces.iter().map(|steps| range(*steps)).collect();
    let mut read: Vec<Vec<&BlockMeta>> = vec![Vec::new(); pieces.len()];
    for block in blocks {
        // Both ends of the ranges ascend.
        let first = ranges.partition_point(|range| range.end < block.min_time);
        let of_block = read.iter_mut().zip(&ranges).skip(first);
        of_block
            .take_while(|(_, range)| range.start <= block.max_time)
            .for_each(|(read, _)| read.push(block));
    }
    let mut assigned: Vec<Piece> = Vec::new();
    for (steps, read) in pieces.into_iter().zip(read) {
        let owner = owner(&read);
        match assigned.last_mut() {
            Some(last) if last.owner == owner && last.steps.count + steps.count <= MAX_STEPS => {
                last.steps.count += steps.count;
            }
            _ => assigned.push(Piece { steps, owner }),
        }
    }
    assigned
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts(start: i64, interval: i64, count: usize, every: u64) -> Vec<usize> {
        cut(Steps { start, interval, count }, every).iter().map(|steps| steps.count).collect()
    }

    #[test]
    fn pieces_end_where_the_days_do() {
        assert_eq!(counts(0, 10, 30, 100), [10, 10, 10]);
        assert_eq!(counts(55, 10, 20, 100), [5, 10, 5]);
        assert_eq!(counts(-100, 10, 20, 100), [10, 10]);
        // A step on the border begins the next piece; one that would be alone goes with its neighbours.
        assert_eq!(counts(0, 50, 6, 100), [2, 2, 2]);
        assert_eq!(counts(50, 50, 6, 100), [3, 3]);
    }

    #[test]
    fn few_steps_stay_together() {
        assert_eq!(counts(0, 10, 9, 100), [9]);
        assert_eq!(counts(0, 51, 100, 100), [100]);
        assert_eq!(counts(0, 10, 1000, 0), [1000]);
        assert_eq!(counts(i64::MIN, 1 << 40, 100, u64::MAX), [100]);
    }

    proptest! {
        #[test]
        fn every_step_is_in_one_piece(
            start in any::<i32>(), interval in 1i64..1000, count in 2usize..5000, every in 0u64..100_000,
        ) {
            let steps = Steps { start: i64::from(start), interval, count };
            let pieces = cut(steps, every);
            prop_assert!(pieces.iter().all(|piece| piece.count >= 2));
            prop_assert!(pieces.len() <= 1002);
            let times: Vec<i64> = pieces.iter().flat_map(Steps::times).collect();
            prop_assert!(times.into_iter().eq(steps.times()));
        }
    }
}
