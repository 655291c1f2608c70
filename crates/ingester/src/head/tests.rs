//! Series that are forgotten while appends still name them.

use super::*;
use service_api::ReadContext;

fn labels(text: &str) -> Labels {
    Labels::from_pairs(text.split(',').filter_map(|pair| pair.split_once('=')))
}

fn head() -> MetricHead {
    crate::test_support::metric_head(1000)
}

fn name(head: &MetricHead, text: &str, key: u128) -> Resolved {
    head.resolve_named(vec![(0, SeriesKey(key), labels(text))], 0, |_, _, _| panic!("over the limit"))
}

fn append(head: &MetricHead, resolved: &Resolved, t: i64) -> u64 {
    head.apply(|applier| applier.sample(resolved.series[0].1, t, 1.0, 0)).samples
}

fn found(head: &MetricHead) -> Vec<String> {
    let ctx = ReadContext::new(TenantId::anonymous(), u64::MAX);
    let series = head.select(&ctx, &[], &TimeRange::ALL).unwrap();
    series.into_iter().map(|s| s.labels.to_string()).collect()
}

#[test]
fn a_sample_for_a_series_that_was_just_condemned_is_kept() {
    let head = head();
    let in_flight = name(&head, "a=1", 1);
    assert_eq!((head.sweep(), head.sweep()), (0, 1));
    assert_eq!(head.active_series(), 0);
    assert_eq!(append(&head, &in_flight, 5), 1);
    assert_eq!(found(&head), [r#"{a="1"}"#]);
    drop(in_flight);
    assert_eq!((head.sweep(), head.sweep(), head.sweep()), (0, 0, 0));
    assert_eq!(found(&head), [r#"{a="1"}"#]);
}

#[test]
fn a_condemned_series_gives_its_sample_to_the_one_that_has_its_labels_now() {
    let head = head();
    let in_flight = name(&head, "a=1", 1);
    head.sweep();
    head.sweep();
    let mut unknown = Vec::new();
    assert!(head.resolve([(0, SeriesKey(1))].into_iter(), &mut unknown).series.is_empty());
    let successor = name(&head, "a=1", 1);
    assert_ne!(successor.series, in_flight.series);
    assert_eq!((append(&head, &successor, 5), append(&head, &in_flight, 6)), (1, 1));
    assert_eq!(found(&head), [r#"{a="1"}"#]);
    drop((in_flight, successor));
    head.sweep();
    assert_eq!(found(&head), [r#"{a="1"}"#]);
}

#[test]
fn a_reference_is_used_again_only_when_no_append_names_it() {
    let head = head();
    let in_flight = name(&head, "a=1", 1);
    head.sweep();
    head.sweep();
    head.sweep();
    assert_eq!(head.index.read().labels(in_flight.series[0].1), Some(labels("a=1")));
    let reference = in_flight.series[0].1;
    drop(in_flight);
    head.sweep();
    assert_eq!(head.index.read().labels(reference), None);
    assert_eq!(name(&head, "b=1", 2).series, [(0, reference)]);
}

#[test]
fn keys_are_not_remembered_for_series_that_may_have_gone() {
    let head = head();
    let before = head.keys.read().epoch();
    name(&head, "a=1", 1);
    head.sweep();
    head.sweep();
    head.keys.insert(&before, 10, [(SeriesKey(9), 0)].into_iter());
    assert_eq!(head.keys.read().get(SeriesKey(9)), None);
}

#[test]
fn a_series_does_not_grow_the_head_by_ever_new_names() {
    let head = head();
    let mut unknown = Vec::new();
    for key in 0..200_000u128 {
        assert_eq!(name(&head, "a=1", key).series.len(), 1);
    }
    head.resolve((0..).zip((0..200_000u128).map(SeriesKey)), &mut unknown);
    assert!(unknown.len() > 130_000, "{}", unknown.len());
    assert!(!unknown.contains(&199_999));
}
