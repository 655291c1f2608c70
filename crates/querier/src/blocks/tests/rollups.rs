//! Blocks of figures are read by their owners, as other blocks are, and the figures come at the ends of buckets.

use super::*;
use service_api::Aggregate;

/// Forty blocks, each with one figure, a greatest or a number of samples, of one bucket of an hour.
fn world() -> World {
    let era = |number: i64| if number % 2 == 0 { 19i64 << 48 } else { 16i64 << 48 };
    let one = |number: i64| {
        let time = era(number) + (number + 1) * HOUR;
        crate::test_support::block(number as u64, time, time)
    };
    World { rolled_up: Some((0..40).map(one).collect()), ..World::new(4, 0) }
}

fn request(aggregates: &[Aggregate]) -> RollupRequest {
    let (matchers, ends) = (matchers(r#"{job="a"}"#), TimeRange::new(HOUR, 40 * HOUR));
    RollupRequest { matchers, ends, resolution: HOUR, aggregates: aggregates.to_vec() }
}

async fn rollups(world: &World, config: QuerierConfig, aggregates: &[Aggregate]) -> Option<Vec<SeriesSet>> {
    world.distributed(config).rollups(&ctx(), &request(aggregates)).await.unwrap()
}

#[tokio::test]
async fn each_figure_is_read_in_its_era_whoever_reads_it() {
    for failing in 0u32..8 {
        let world = world();
        for at in 1..4 {
            let fails = failing >> (at - 1) & 1 == 1;
            world.readers[at].set(if fails { Mode::Fails(Code::Unavailable) } else { Mode::Answers });
        }
        for config in [distributing(), QuerierConfig::default()] {
            let sets = rollups(&world, config, &[Aggregate::Max, Aggregate::Count]).await.unwrap();
            let of = |odd: i64| (0..40).filter(|n| n % 2 == odd).map(|n| ((n + 1) * HOUR, 1.0)).collect();
            let found: Vec<_> = sets.iter().map(samples).collect();
            assert_eq!(
                found,
                [vec![(labels("job=a"), of(0))], vec![(labels("job=a"), of(1))]],
                "{failing:b}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_not_covered_or_cannot_be_read_has_no_figures() {
    let mut world = world();
    assert_eq!(rollups(&world, distributing(), &[]).await.unwrap().len(), 0, "nothing is read for it");
    assert_eq!(world.requests.lock().iter().sum::<usize>(), 0);
    let of_a_minute = RollupRequest { resolution: 60_000, ..request(&[]) };
    assert!(world.distributed(distributing()).rollups(&ctx(), &of_a_minute).await.unwrap().is_none());
    world.readers.iter().for_each(|reader| reader.set(Mode::Fails(Code::Internal)));
    assert!(rollups(&world, distributing(), &[Aggregate::Max]).await.is_none(), "samples are read instead");
    world.readers.iter().for_each(|reader| reader.set(Mode::Fails(Code::Unprocessable)));
    let refused = world.distributed(distributing()).rollups(&ctx(), &request(&[Aggregate::Max])).await;
    assert_eq!(refused.err().unwrap().code, Code::Unprocessable);
    world.readers.iter().for_each(|reader| reader.set(Mode::Answers));
    world.rolled_up = None;
    assert!(rollups(&world, distributing(), &[Aggregate::Max]).await.is_none());
}
