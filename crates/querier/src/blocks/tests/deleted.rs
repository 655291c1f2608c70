//! What deletions name is left out of those blocks that they concern, and of no others.

use super::*;
use crate::test_support;
use service_api::fetch_pages;

fn deletion(query: &str, hours: std::ops::RangeInclusive<i64>) -> Deletion {
    test_support::deletion(query, hours.start() * HOUR, (hours.end() + 1) * HOUR - 1)
}

/// Forty blocks; those of the hours from 10 to 19 have deleted entries, but for two that have been rewritten or
/// were listed later.
fn world(query: &str) -> World {
    let mut world = World::new(4, 40);
    world.deletions = vec![deletion(query, 10..=19), deletion("{job=\"nobody\"}", 15..=30)];
    for hour in [12, 15] {
        world.blocks[hour].cleared = vec![world.deletions[0].id];
    }
    world
}

fn is_deleted(hour: i64) -> bool {
    (10..20).contains(&hour) && hour != 12 && hour != 15
}

fn seen() -> Vec<(i64, f64)> {
    (0..40).filter(|hour| !is_deleted(*hour)).map(|hour| (hour * HOUR, 1.0)).collect()
}

#[tokio::test]
async fn a_block_is_read_without_what_is_deleted_whoever_reads_it() {
    for failing in 0u32..8 {
        let world = world(r#"{job="a"}"#);
        for at in 1..4 {
            let fails = failing >> (at - 1) & 1 == 1;
            world.readers[at].set(if fails { Mode::Fails(Code::Unavailable) } else { Mode::Answers });
        }
        let set = world.select(distributing()).await.unwrap();
        assert_eq!(samples(&set), [(labels("job=a"), seen())], "{failing:b}");
        for config in [QuerierConfig::default(), QuerierConfig { concurrent_owners: 1, ..distributing() }] {
            let set = world.select(config).await.unwrap();
            assert_eq!(samples(&set), [(labels("job=a"), seen())], "{failing:b}");
        }
    }
}

#[tokio::test]
async fn an_owner_that_has_failed_is_not_asked_for_its_other_blocks() {
    let world = world(r#"{job="a"}"#);
    world.readers[2].set(Mode::Fails(Code::Internal));
    let config = QuerierConfig { concurrent_owners: 1, ..distributing() };
    assert_eq!(samples(&world.select(config).await.unwrap()), [(labels("job=a"), seen())]);
    assert_eq!((world.requests.lock()[2], world.metrics.failed_owners.get()), (1, 1));
}

#[tokio::test]
async fn series_of_which_blocks_have_deleted_entries_alone_are_not_there() {
    let world = world(r#"{block=~".+"}"#);
    let query = label_query(Signal::Metrics, &[]);
    let found = world.distributed(distributing()).series(&ctx(), &query).await.unwrap().value;
    let blocks: Vec<i64> =
        found.iter().filter_map(|labels| labels.get("block").map(|block| block.parse().unwrap())).collect();
    assert_eq!(blocks, (0..40).filter(|hour| !is_deleted(*hour)).collect::<Vec<_>>());
    assert!(found.contains(&labels("job=a")));
}

#[tokio::test]
async fn lines_are_not_seen_either_where_a_querier_dies_before_its_pages_are_fetched() {
    let world = world(r#"{app="a"} |= "line""#);
    let blocks = world.distributed(distributing());
    let set = LogsReader::select(&blocks, &ctx(), &all_streams()).await.unwrap();
    for dead in [false, true] {
        if dead {
            world.readers[1..].iter().for_each(|reader| reader.set(Mode::Fails(Code::Unavailable)));
        }
        let pages: Vec<_> = set.streams[0].pages.iter().collect();
        assert_eq!(pages.len(), 40);
        let sources = fetch_pages(&ctx(), &pages).await.unwrap();
        let mut lines = model::Lines::default();
        for ((hour, page), source) in (0..).zip(pages).zip(sources) {
            assert!(source.read(&service_api::Needles::default(), &mut lines).unwrap());
            assert_eq!((page.is_cut, lines.is_empty()), (is_deleted(hour), is_deleted(hour)), "{hour}");
        }
    }
    assert_eq!(world.metrics.rescued_pages.get(), world.metrics.remote_blocks.get());
}

#[tokio::test]
async fn what_cannot_be_understood_is_an_error_where_it_concerns_a_block() {
    let mut world = world("what a later version may say");
    assert_eq!(world.select(distributing()).await.err().unwrap().code, Code::Internal);
    let id = world.deletions[0].id;
    world.blocks.iter_mut().for_each(|block| block.cleared = vec![id]);
    assert_eq!(samples(&world.select(distributing()).await.unwrap())[0].1.len(), 40);
}
