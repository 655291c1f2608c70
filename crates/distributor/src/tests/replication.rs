//! Batches on their way to several replicas.

use super::{
    fakes::{Cluster, Counting, Manner, key, numbered},
    *,
};
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// For each of these series the members that hold it.
fn sets(cluster: &Cluster, series: &[u64]) -> Vec<Vec<u16>> {
    series.iter().map(|number| cluster.view.replicas(key(*number).0 as u64).to_vec()).collect()
}

async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_series_goes_to_its_replicas_and_labels_are_read_once() {
    let cluster = Cluster::new(9, 3);
    let series: Vec<u64> = (0..200).collect();
    let read = Arc::new(AtomicUsize::new(0));
    for round in 0..2 {
        let mut batch = numbered(&series, 2);
        batch.labels = Box::new(Counting { size: 0, read: read.clone(), alive: Arc::default() });
        let outcome = cluster.push(batch).await.unwrap();
        assert_eq!((outcome.samples, outcome.rejected), (400, 0));
        settle().await;
        let calls: usize = cluster.fakes.iter().map(|fake| fake.calls.load(Ordering::SeqCst)).sum();
        assert_eq!(calls, [18, 27][round], "one request each, and once another one with labels");
    }
    assert_eq!(read.load(Ordering::SeqCst), 200);
    for (number, set) in series.iter().zip(sets(&cluster, &series)) {
        for (member, fake) in cluster.fakes.iter().enumerate() {
            let has = fake.stored.lock().contains(&(key(*number), NOW + 1));
            assert_eq!(has, set.contains(&(member as u16)), "series {number} at {member}");
        }
    }
    assert!(cluster.counted(r#"yagura_distributor_ingester_requests_total{ingester="i04"} 3"#));
}

#[tokio::test(start_paused = true)]
async fn a_quorum_is_counted_for_each_series_and_not_for_each_request() {
    let cluster = Cluster::new(9, 3);
    let down = [0_u16, 1];
    down.iter().for_each(|at| cluster.fakes[usize::from(*at)].is(Manner::Fail(Code::Unavailable)));
    let (lost, safe): (Vec<u64>, Vec<u64>) = (0..500).partition(|number| {
        let set = cluster.view.replicas(key(*number).0 as u64);
        down.iter().all(|member| set.contains(member))
    });
    assert!(lost.len() > 10, "the ring has such series");
    let half_there = sets(&cluster, &safe).iter().filter(|set| set.contains(&0)).count();
    assert!(half_there > 10);
    assert_eq!(cluster.push(numbered(&safe, 1)).await.unwrap().samples, safe.len() as u64);

    let all: Vec<u64> = (0..500).collect();
    let error = cluster.push(numbered(&all, 1)).await.unwrap_err();
    assert_eq!(error.code, Code::Unavailable);
    let message = format!("{} of 500 series cannot be written to 2 ingesters: i0", lost.len());
    assert!(error.message.starts_with(&message) && error.message.ends_with("told to fail"), "{error}");
    assert!(cluster.push(numbered(&lost[..1], 1)).await.is_err());
    assert!(cluster.counted("yagura_distributor_quorum_failures_total 2"));
}

#[tokio::test(start_paused = true)]
async fn too_few_ingesters_are_no_quorum() {
    for (members, is_enough) in [(0, false), (1, false), (2, true), (3, true)] {
        let cluster = Cluster::new(members, 3);
        let answer = cluster.push(numbered(&[1, 2], 1)).await;
        assert_eq!(answer.is_ok(), is_enough, "{members}: {answer:?}");
        if let Err(error) = answer {
            assert_eq!(
                error.message,
                "2 of 2 series cannot be written to 2 ingesters: so many are not in the ring"
            );
            assert!(cluster.fakes.iter().all(|fake| fake.calls.load(Ordering::SeqCst) == 0));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_ready_is_not_asked() {
    let joining = |member: &mut Member| {
        if &*member.id == "i01" {
            member.state = hash_ring::State::Joining;
        }
    };
    let cluster = Cluster::with(3, 3, Limits::default(), joining);
    cluster.push(numbered(&[1], 1)).await.unwrap();
    assert_eq!(cluster.fakes[1].calls.load(Ordering::SeqCst), 0);
    cluster.fakes[0].is(Manner::Fail(Code::Unavailable));
    let error = cluster.push(numbered(&[1], 1)).await.unwrap_err();
    assert!(error.message.ends_with("i01: the ingester is not ready yet"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_is_the_senders_fault_is_told_as_such() {
    let cluster = Cluster::new(3, 3);
    cluster.fakes.iter().for_each(|fake| fake.is(Manner::Fail(Code::TooLarge)));
    assert_eq!(cluster.push(numbered(&[1], 1)).await.unwrap_err().code, Code::TooLarge);
    cluster.fakes[0].is(Manner::Fail(Code::Internal));
    assert_eq!(cluster.push(numbered(&[1], 1)).await.unwrap_err().code, Code::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn a_zone_may_be_gone() {
    let cluster = Cluster::with(6, 3, Limits::default(), |member| {
        member.zone = format!("z{}", member.address.parse::<usize>().unwrap() % 3);
    });
    let series: Vec<u64> = (0..300).collect();
    for zone in 0..3 {
        for (at, fake) in cluster.fakes.iter().enumerate() {
            fake.is(if at % 3 == zone { Manner::Hang } else { Manner::Answer });
        }
        assert!(cluster.push(numbered(&series, 1)).await.is_ok());
    }
    cluster.fakes[0].is(Manner::Fail(Code::Unavailable));
    assert!(cluster.push(numbered(&series, 1)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_ingester_that_hangs_holds_a_bounded_number_of_batches() {
    let cluster = Cluster::new(3, 3);
    cluster.fakes[2].is(Manner::Hang);
    let alive = Arc::new(());
    let begun = tokio::time::Instant::now();
    for round in 0..100 {
        let mut batch = numbered(&[round], 1);
        batch.labels = Box::new(Counting { size: 1 << 20, read: Arc::default(), alive: alive.clone() });
        cluster.push(batch).await.unwrap();
    }
    assert_eq!(begun.elapsed(), Duration::ZERO, "nobody waits for it");
    let held = Arc::strong_count(&alive) - 1;
    assert_eq!(held, 7, "of 32 MiB a quarter, and each is a little more than one");
    assert!(cluster.counted("yagura_distributor_abandoned_requests_total 93"));

    // Another one that is only slow has room left.
    cluster.fakes[2].is(Manner::Answer);
    cluster.fakes[1].is(Manner::Hang);
    let mut batch = numbered(&[0], 1);
    batch.labels = Box::new(Counting { size: 1 << 20, read: Arc::default(), alive: alive.clone() });
    cluster.push(batch).await.unwrap();
    assert_eq!(Arc::strong_count(&alive) - 1, 8);

    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(Arc::strong_count(&alive), 1, "after the time that a write has");
    assert!(cluster.counted("yagura_distributor_detached_bytes 0"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_replica_is_left_one_batch_of_any_size_that_fits_at_all() {
    let cluster = Cluster::new(3, 3);
    cluster.fakes[2].is(Manner::Hang);
    let alive = Arc::new(());
    for (megabytes, held) in [(33, 0), (20, 1), (13, 1)] {
        let mut batch = numbered(&[1], 1);
        let size = megabytes << 20;
        batch.labels = Box::new(Counting { size, read: Arc::default(), alive: alive.clone() });
        cluster.push(batch).await.unwrap();
        assert_eq!(Arc::strong_count(&alive) - 1, held, "{megabytes} MiB");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_replica_gets_all_of_it_after_the_answer() {
    let cluster = Cluster::new(3, 3);
    let series: Vec<u64> = (0..50).collect();
    cluster.fakes[1].is(Manner::Forget);
    cluster.push(numbered(&series, 1)).await.unwrap();
    settle().await;
    assert!(series.iter().all(|number| cluster.copies(key(*number), NOW) == 3));
}

#[tokio::test(start_paused = true)]
async fn without_answers_a_write_ends_in_time() {
    let cluster = Cluster::new(3, 3);
    cluster.fakes[1..].iter().for_each(|fake| fake.is(Manner::Hang));
    let begun = tokio::time::Instant::now();
    let error = cluster.push(numbered(&[1, 2], 1)).await.unwrap_err();
    assert_eq!((error.code, begun.elapsed().as_secs()), (Code::Unavailable, 10));
    assert!(error.message.starts_with("2 of 2 series not written to 2 ingesters in 10 s: no answer from i0"));
}

/// What comes of a batch of two series with five samples each that these replicas refuse.
async fn refused(manners: [Manner; 3]) -> (PushOutcome, Duration) {
    let cluster = Cluster::new(3, 3);
    cluster.push(numbered(&[1, 2], 1)).await.unwrap();
    settle().await;
    cluster.fakes.iter().zip(manners).for_each(|(fake, manner)| fake.is(manner));
    let begun = tokio::time::Instant::now();
    let outcome = cluster.push(numbered(&[1, 2], 5)).await.unwrap();
    (outcome, begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_refused_if_too_few_replicas_took_it() {
    use Manner::{Answer, Fail, Hang, Refuse};
    let down = Fail(Code::Unavailable);
    for (manners, counted, seconds) in [
        ([Answer, Answer, Refuse(5)], 0, 0),
        ([Refuse(5), Answer, Answer], 0, 0),
        ([Answer, Refuse(5), Refuse(5)], 5, 0),
        ([Refuse(5), Refuse(5), Hang], 5, 0),
        ([Refuse(2), Refuse(5), Answer], 2, 0),
        ([down.clone(), Refuse(5), Answer], 5, 0),
        // The third might still take them: it is waited for, but not for long.
        ([Hang, Refuse(5), Answer], 5, 1),
    ] {
        let (outcome, took) = refused(manners.clone()).await;
        let got = (outcome.samples, outcome.rejected, outcome.rejections.len() as u64);
        assert_eq!(got, (10 - 2 * counted, 2 * counted, if counted > 0 { 2 } else { 0 }), "{manners:?}");
        assert_eq!(took.as_secs(), seconds, "{manners:?}");
        for (rejection, name) in outcome.rejections.iter().zip(["series_1", "series_2"]) {
            assert_eq!(rejection.labels.get("__name__"), Some(name));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_complaint_of_one_replica_that_does_not_count_is_not_told() {
    let cluster = Cluster::new(6, 3);
    let series: Vec<u64> = (0..100).collect();
    cluster.push(numbered(&series, 1)).await.unwrap();
    settle().await;
    // Only series that both of them hold are refused twice.
    cluster.fakes[..2].iter().for_each(|fake| fake.is(Manner::Refuse(1)));
    let outcome = cluster.push(numbered(&series, 3)).await.unwrap();
    let both = sets(&cluster, &series);
    let both = series.iter().zip(&both).filter(|(_, set)| set.contains(&0) && set.contains(&1));
    let names: Vec<String> = both.map(|(number, _)| format!("series_{number}")).collect();
    assert_eq!(outcome.rejected, names.len() as u64);
    assert_eq!(outcome.samples, 300 - outcome.rejected);
    assert!(!outcome.rejections.is_empty());
    for rejection in &outcome.rejections {
        let name = rejection.labels.get("__name__").unwrap();
        assert!(names.iter().any(|other| other == name), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn bad_labels_refuse_their_series_at_all_replicas_once() {
    let cluster = Cluster::new(3, 3);
    let mut batch = batch(&[(&[("__name__", "good")], &[NOW]), (&[("a", "nameless")], &[NOW, NOW + 1])]);
    batch.series.iter_mut().zip(0..).for_each(|(series, number)| series.key = key(number));
    let outcome = cluster.push(batch).await.unwrap();
    assert_eq!((outcome.samples, outcome.rejected, outcome.rejections.len()), (1, 2, 1));
    assert_eq!((cluster.copies(key(0), NOW) >= 2, cluster.copies(key(1), NOW)), (true, 0));
    assert!(cluster.counted(r#"yagura_distributor_discarded_entries_total{reason="labels"} 2"#));
}

#[tokio::test(start_paused = true)]
async fn metadata_goes_along_or_alone() {
    let cluster = Cluster::new(9, 3);
    let metadata = |batch: &mut WriteBatch| {
        let entry = service_api::MetadataEntry { metric: "a".into(), metadata: Default::default() };
        batch.metadata.push(entry);
    };
    let got = || -> Vec<usize> {
        cluster.fakes.iter().map(|fake| fake.metadata.swap(0, Ordering::SeqCst)).collect()
    };
    let mut alone = numbered(&[], 1);
    metadata(&mut alone);
    cluster.push(alone).await.unwrap();
    settle().await;
    let first = got();
    assert_eq!(first.iter().sum::<usize>(), 3);
    let mut along = numbered(&[5], 1);
    metadata(&mut along);
    cluster.push(along).await.unwrap();
    settle().await;
    assert_eq!(got().iter().sum::<usize>(), 3, "not again with the labels");
    cluster.fakes.iter().for_each(|fake| fake.is(Manner::Fail(Code::Unavailable)));
    let mut lost = numbered(&[], 1);
    metadata(&mut lost);
    let error = cluster.push(lost).await.unwrap_err();
    assert!(error.message.starts_with("metadata cannot be written to 2 ingesters: i0"), "{error}");
    assert!(cluster.push(numbered(&[], 1)).await.is_ok(), "there is nothing to write");
}

#[tokio::test(start_paused = true)]
async fn a_tenant_keeps_to_its_shard() {
    let limits = Limits { ingestion_shard_size: 4, ..Limits::default() };
    let cluster = Cluster::with(12, 3, limits, |_| ());
    let series: Vec<u64> = (0..300).collect();
    cluster.push(numbered(&series, 1)).await.unwrap();
    settle().await;
    let used = cluster.fakes.iter().filter(|fake| fake.calls.load(Ordering::SeqCst) > 0).count();
    assert_eq!(used, 4);
    assert!(series.iter().all(|number| cluster.copies(key(*number), NOW) == 3));
}

#[tokio::test(start_paused = true)]
async fn streams_are_replicated_too() {
    let cluster = Cluster::new(5, 3);
    let now = NOW * 1_000_000;
    let mut batch = logs::log_batch(&[
        (&[("app", "a")], &[(now, "1", &[]), (now + 1, "2", &[])]),
        (&[("app", "without lines")], &[]),
        (&[("app", "b")], &[(now, "3", &[])]),
    ]);
    batch.streams.iter_mut().zip(0..).for_each(|(stream, number)| stream.key = key(number));
    let outcome = cluster.distributor.push_logs(&TenantId::anonymous(), batch).await.unwrap();
    assert_eq!((outcome.lines, outcome.rejected), (3, 0));
    settle().await;
    let copies = [(0, now), (0, now + 1), (2, now)].map(|(number, time)| cluster.copies(key(number), time));
    assert_eq!(copies, [3, 3, 3]);
    assert!(cluster.fakes.iter().all(|fake| !fake.known.lock().contains_key(&key(1))));
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![
        4 => Just(Manner::Answer),
        1 => Just(Manner::Fail(Code::Unavailable)),
        1 => Just(Manner::FailNames),
        1 => Just(Manner::Hang),
        1 => Just(Manner::Forget),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// A write succeeds if and only if each of its series reaches its quorum, and then each entry is there.
    #[test]
    fn a_write_is_acknowledged_if_each_series_has_its_quorum(
        factor in 1_usize..6,
        manners in prop::collection::vec(manner(), 1..12),
        series in prop::collection::vec((0_u64..64, any::<bool>()), 0..40),
    ) {
        // One ingester alone is handed the whole batch, and waited for.
        prop_assume!(manners.len() > 1 || factor > 1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let cluster = Cluster::new(manners.len(), factor);
            let known: Vec<u64> = series.iter().filter(|(_, known)| *known).map(|(n, _)| *n).collect();
            for fake in &cluster.fakes {
                fake.known.lock().extend(known.iter().map(|number| (key(*number), Labels::empty())));
            }
            cluster.fakes.iter().zip(&manners).for_each(|(fake, manner)| fake.is(manner.clone()));
            let numbers: Vec<u64> = series.iter().map(|(number, _)| *number).collect();
            let needed = factor / 2 + 1;
            let reached = numbers.iter().zip(sets(&cluster, &numbers)).all(|(number, set)| {
                let takes = |member: &&u16| match manners[usize::from(**member)] {
                    Manner::FailNames => known.contains(number),
                    Manner::Fail(_) | Manner::Hang => false,
                    _ => true,
                };
                set.iter().filter(takes).count() >= needed
            });
            let answer = cluster.push(numbered(&numbers, 2)).await;
            prop_assert_eq!(answer.is_ok(), reached, "{:?}", answer);
            if let Ok(outcome) = answer {
                prop_assert_eq!((outcome.samples, outcome.rejected), (2 * numbers.len() as u64, 0));
                for number in numbers {
                    let copies = cluster.copies(key(number), NOW).min(cluster.copies(key(number), NOW + 1));
                    prop_assert!(copies >= needed, "{} copies of {}", copies, number);
                }
            }
            Ok(())
        })?;
    }
}
