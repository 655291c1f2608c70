//! What a queue keeps, and in which order it gives it away.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;
use crate::metrics::Metrics;
use prometheus_client::registry::Registry;

const NOW: Timestamp = 1_000_000;

fn queue(capacity: usize) -> Queue {
    Queue::new(capacity, Metrics::register(capacity, &mut Registry::default()).server("am"))
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

fn alert(name: &str, ends_at: Timestamp) -> Arc<Alert> {
    Arc::new(Alert {
        labels: Labels::from_pairs([("alertname", name)]),
        annotations: Vec::new(),
        starts_at: 0,
        ends_at,
        generator_url: String::new(),
    })
}

fn alerts(range: std::ops::Range<usize>) -> impl Iterator<Item = Arc<Alert>> {
    range.map(|i| alert(&i.to_string(), NOW + 60_000))
}

fn names(batch: Option<Batch>) -> String {
    let batch = batch.unwrap();
    let names = batch.alerts.iter().map(|alert| alert.labels.get("alertname").unwrap());
    format!("{}: {}", batch.tenant, names.collect::<Vec<_>>().join(" "))
}

#[test]
fn batches_are_of_one_tenant_and_the_oldest_goes_first() {
    let queue = queue(100);
    queue.push(&tenant("a"), alerts(0..3), NOW);
    queue.push(&tenant("b"), alerts(3..5), NOW);
    queue.push(&tenant("a"), alerts(5..7), NOW);
    let batch = queue.batch(4, NOW, None).unwrap();
    assert_eq!(names(queue.batch(4, NOW, None)), "a: 0 1 2 5", "it is not gone before it was sent");
    queue.sent(&batch);
    assert_eq!(names(queue.batch(4, NOW, None)), "b: 3 4");
    queue.refused(&queue.batch(4, NOW, None).unwrap());
    assert_eq!(names(queue.batch(4, NOW, None)), "a: 6");
    queue.sent(&queue.batch(4, NOW, None).unwrap());
    assert!(queue.batch(4, NOW, None).is_none());
    let counts = (queue.meter.sent.get(), queue.meter.dropped.get(), queue.meter.queue_length.get());
    assert_eq!(counts, (5, 2, 0));
}

#[test]
fn behind_a_failure_others_have_their_turn() {
    let queue = queue(100);
    for (at, name) in ["b", "a", "c"].iter().enumerate() {
        queue.push(&tenant(name), alerts(at..at + 1), NOW);
    }
    let behind = |failed: &str| names(queue.batch(4, NOW, Some(&tenant(failed))));
    assert_eq!((behind("b"), behind("c"), behind("a")), ("c: 2".into(), "a: 1".into(), "b: 0".into()));
    queue.sent(&queue.batch(4, NOW, Some(&tenant("b"))).unwrap());
    queue.sent(&queue.batch(4, NOW, Some(&tenant("b"))).unwrap());
    assert_eq!(names(queue.batch(4, NOW, Some(&tenant("b")))), "b: 0");
}

#[test]
fn a_newer_one_takes_the_place_of_the_older() {
    let queue = queue(100);
    let a = tenant("a");
    queue.push(&a, alerts(0..2), NOW);
    queue.push(&tenant("b"), alerts(0..1), NOW);
    let batch = queue.batch(10, NOW, None).unwrap();
    queue.push(&a, [alert("0", NOW + 90_000)], NOW);
    assert_eq!(queue.len(), 3);
    // What came while the older one was sent is still to be sent.
    queue.sent(&batch);
    let left = queue.batch(10, NOW, None).unwrap();
    assert_eq!((left.alerts.len(), left.alerts[0].ends_at), (1, NOW + 90_000));
    assert_eq!((queue.len(), queue.meter.dropped.get()), (2, 0));
}

#[test]
fn a_full_queue_drops_the_oldest_and_one_tenant_has_a_quarter() {
    let queue = queue(16);
    let a = tenant("a");
    queue.push(&a, alerts(0..6), NOW);
    assert_eq!((names(queue.batch(10, NOW, None)).as_str(), queue.meter.dropped.get()), ("a: 2 3 4 5", 2));
    for name in ["b", "c", "d"] {
        queue.push(&tenant(name), alerts(0..4), NOW);
    }
    assert_eq!((queue.len(), queue.meter.dropped.get()), (16, 2));
    queue.push(&tenant("e"), alerts(0..2), NOW);
    assert_eq!(names(queue.batch(10, NOW, None)), "a: 4 5");
    assert_eq!((queue.len(), queue.meter.queue_length.get(), queue.meter.dropped.get()), (16, 16, 4));
}

#[test]
fn large_alerts_are_bounded_by_their_bytes() {
    let queue = queue(10_000);
    let large = |name: &str| {
        let mut large = Alert::clone(&alert(name, NOW + 1));
        large.annotations = vec![("text".into(), "x".repeat(3 << 20))];
        Arc::new(large)
    };
    for i in 0..30 {
        queue.push(&tenant("a"), [large(&i.to_string())], NOW);
    }
    assert_eq!((queue.len(), queue.meter.dropped.get()), (5, 25));
    assert_eq!(queue.batch(256, NOW, None).unwrap().alerts.len(), 1);
}

#[test]
fn what_is_of_no_use_any_more_is_not_sent() {
    let queue = queue(100);
    let a = tenant("a");
    // Firing until then; resolved, which is still worth telling for five minutes.
    queue.push(&a, [alert("firing", NOW + 1_000), alert("resolved", NOW - 5)], NOW);
    assert_eq!(names(queue.batch(10, NOW + 999, None)), "a: firing resolved");
    assert_eq!(names(queue.batch(10, NOW + 1_000, None)), "a: resolved");
    assert!(queue.batch(10, NOW + 300_000, None).is_none());
    assert_eq!((queue.len(), queue.meter.dropped.get()), (0, 2));
}

#[test]
fn what_waits_is_handed_over() {
    let (from, to) = (queue(100), Arc::new(queue(100)));
    from.push(&tenant("a"), alerts(0..3), NOW);
    to.push(&tenant("a"), [alert("1", NOW + 90_000)], NOW);
    from.hand_over(std::slice::from_ref(&to));
    assert_eq!((from.len(), from.meter.queue_length.get(), from.meter.dropped.get()), (0, 0, 0));
    let batch = to.batch(10, NOW, None).unwrap();
    assert_eq!(
        batch.alerts.iter().map(|alert| alert.ends_at - NOW).collect::<Vec<_>>(),
        [90_000, 60_000, 60_000]
    );
}
