//! What is written of a registry, as text.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;
use crate::SelfScrapeConfig;
use model::is_stale;
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram};
use runtime::ManualClock;
use std::collections::BTreeMap;

type Labelled = Family<Vec<(String, String)>, Gauge>;

struct World {
    scraper: Scraper,
    gauges: Labelled,
    counter: Counter,
}

fn world() -> World {
    let mut registry = Registry::default();
    let (gauges, counter, histogram) =
        (Labelled::default(), Counter::default(), Histogram::new([0.5, 1.0, 1e6]));
    registry.register("requests", "Requests", counter.clone());
    registry.register("size", "Sizes", gauges.clone());
    registry.register("seconds", "Times", histogram.clone());
    histogram.observe(0.7);
    counter.inc_by(3);
    let config = SelfScrapeConfig { labels: "zone=a".into(), ..SelfScrapeConfig::default() };
    let target = Arc::new(Target::new(&config, "host"));
    let scraper = Scraper::new(Arc::new(registry), target, Arc::new(ManualClock::at(0)));
    World { scraper, gauges, counter }
}

impl World {
    fn set(&self, name: &str, value: i64) {
        self.gauges.get_or_create(&vec![("name".to_owned(), name.to_owned())]).set(value);
    }
}

/// All samples with their labels but `job`, `instance` and `zone`, which every one must have; sorted.
fn shown(scrape: Scrape) -> Vec<String> {
    let mut all: Vec<_> = full(scrape)
        .into_iter()
        .map(|(labels, (time, value))| {
            for (name, want) in [("job", "yagura"), ("instance", "host"), ("zone", "a")] {
                assert_eq!(labels.get(name), Some(want), "{labels}");
            }
            let labels = labels.without(|name| ["job", "instance", "zone"].contains(&name));
            let value = if is_stale(value) { "stale".to_owned() } else { value.to_string() };
            format!("{labels} {value} @{time}").replace("__name__=", "")
        })
        .collect();
    all.sort();
    all
}

fn full(scrape: Scrape) -> BTreeMap<Labels, (Timestamp, f64)> {
    let mut all = BTreeMap::new();
    for batch in scrape.into_batches() {
        for (index, series) in batch.series.iter().enumerate() {
            let mut pairs = Vec::new();
            batch.labels.pairs(index, &mut |n, v| pairs.push((n.to_owned(), v.to_owned()))).unwrap();
            let [sample] = batch.samples[series.samples.start as usize..series.samples.end as usize] else {
                panic!("one sample a series");
            };
            let labels = Labels::from_pairs(pairs);
            let twice = all.insert(labels.clone(), (sample.timestamp, sample.value));
            assert_eq!(twice, None, "{labels}");
        }
    }
    all
}

#[test]
fn a_registry_is_written_as_it_would_be_scraped() {
    let mut world = world();
    world.set("x", 7);
    let expected = [
        r#"{"requests_total"} 3 @1000"#,
        r#"{"scrape_duration_seconds"} 0 @1000"#,
        r#"{"scrape_samples_post_metric_relabeling"} 8 @1000"#,
        r#"{"scrape_samples_scraped"} 8 @1000"#,
        r#"{"scrape_series_added"} 8 @1000"#,
        r#"{"seconds_bucket", le="+Inf"} 1 @1000"#,
        r#"{"seconds_bucket", le="0.5"} 0 @1000"#,
        r#"{"seconds_bucket", le="1.0"} 1 @1000"#,
        r#"{"seconds_bucket", le="1e+06"} 1 @1000"#,
        r#"{"seconds_count"} 1 @1000"#,
        r#"{"seconds_sum"} 0.7 @1000"#,
        r#"{"size", name="x"} 7 @1000"#,
        r#"{"up"} 1 @1000"#,
    ];
    assert_eq!(shown(world.scraper.scrape(1000)), expected);
}

/// The text that a scrape would get, read by the parser that reads what is scraped.
#[test]
fn nothing_of_the_text_is_lost() {
    let mut world = world();
    for name in ["", "a b", "ü", "{x}", "a,b=c", " # "] {
        world.set(name, name.len() as i64 - 1);
    }
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &world.scraper.registry).unwrap();
    let (mut parser, mut wanted) = (TextParser::of_scrape(5), BTreeMap::new());
    for line in text.lines() {
        if let Some(sample) = parser.line(line.as_bytes()).unwrap() {
            let mut pairs = Vec::new();
            world.scraper.target.apply(&sample.labels, &mut |n, v| pairs.push((n.to_owned(), v.to_owned())));
            wanted.insert(Labels::from_pairs(pairs), (sample.timestamp, sample.value));
        }
    }
    assert!(wanted.len() > 10);
    let mut got = full(world.scraper.scrape(5));
    got.retain(|labels, _| !labels.metric_name().is_some_and(|n| n == "up" || n.starts_with("scrape_")));
    assert_eq!(got, wanted);
}

#[test]
fn a_series_that_is_gone_ends_with_a_stale_marker_once() {
    let mut world = world();
    world.set("x", 1);
    world.set("y", 2);
    world.scraper.scrape(1);
    world.scraper.written(None);
    world.gauges.clear();
    world.set("y", 3);
    let only = |shown: Vec<String>| shown.into_iter().filter(|s| s.contains("size")).collect::<Vec<_>>();
    let gone = [r#"{"size", name="x"} stale @2"#, r#"{"size", name="y"} 3 @2"#];
    assert_eq!(only(shown(world.scraper.scrape(2))), gone);
    // That could not be written, so it is told again; but not a third time.
    let gone = [r#"{"size", name="x"} stale @3"#, r#"{"size", name="y"} 3 @3"#];
    assert_eq!(only(shown(world.scraper.scrape(3))), gone);
    world.scraper.written(None);
    assert_eq!(only(shown(world.scraper.scrape(4))), [r#"{"size", name="y"} 3 @4"#]);
    world.scraper.written(None);
    // And it may come back.
    world.set("x", 5);
    let back = shown(world.scraper.scrape(5));
    assert!(back.contains(&r#"{"size", name="x"} 5 @5"#.to_owned()), "{back:?}");
    assert!(back.contains(&r#"{"scrape_series_added"} 1 @5"#.to_owned()), "{back:?}");
}

#[test]
fn at_the_end_every_series_ends() {
    let mut world = world();
    let before = world.scraper.scrape(1).entries.len();
    world.scraper.written(None);
    let last = shown(world.scraper.last(2));
    assert_eq!(last.len(), before);
    assert!(last.iter().all(|line| line.ends_with(" stale @2")), "{last:?}");
}

#[test]
fn a_series_keeps_its_key_and_another_process_has_another() {
    let mut one = world();
    let keys = |scrape: Scrape| scrape.entries.iter().map(|entry| entry.key).collect::<Vec<_>>();
    let first = keys(one.scraper.scrape(1));
    one.counter.inc();
    assert_eq!(keys(one.scraper.scrape(2)), first);
    let mut other = world();
    other.scraper.target = Arc::new(Target::new(&SelfScrapeConfig::default(), "other"));
    let others = keys(other.scraper.scrape(1));
    assert!(others.len() == first.len() && others.iter().all(|key| !first.contains(key)));
}

#[test]
fn metadata_goes_along_once_a_minute_and_until_it_is_written() {
    let mut world = world();
    let mut names = |time| {
        let scrape = world.scraper.scrape(time);
        scrape.metadata.iter().map(|entry| entry.metric.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(0), ["requests_total", "seconds"]);
    assert_eq!(names(15_000), ["requests_total", "seconds"]);
    world.scraper.written(Some(15_000));
    let mut names = |time| world.scraper.scrape(time).metadata.len();
    assert_eq!([names(30_000), names(74_999), names(75_000)], [0, 0, 2]);
}

#[test]
fn many_series_go_in_several_batches() {
    let mut world = world();
    for i in 0..2 * PIECE {
        world.set(&i.to_string(), i as i64);
    }
    let scrape = world.scraper.scrape(1);
    let count = scrape.entries.len();
    let batches = scrape.into_batches();
    let sizes: Vec<_> = batches.iter().map(|b| (b.series.len(), b.samples.len(), b.metadata.len())).collect();
    assert_eq!(sizes, [(PIECE, PIECE, 3), (PIECE, PIECE, 0), (count - 2 * PIECE, count - 2 * PIECE, 0)]);
}
