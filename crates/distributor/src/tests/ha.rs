//! Pairs of senders before a whole distributor.

use super::{
    fakes::{Cluster, key},
    *,
};

fn limits() -> Limits {
    Limits { ha_dedup: true, ..Limits::default() }
}

/// A batch of one series, sent by `replica`, whose key is that of its label bytes.
fn sent_by(replica: &str, name: &str, samples: &[i64]) -> WriteBatch {
    let mut labels = vec![("__name__", name), ("cluster", "c"), ("__replica__", replica)];
    labels.retain(|(_, value)| !value.is_empty());
    let mut batch = batch(&[(&labels, samples)]);
    let bytes = labels.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()].concat());
    batch.series[0].key = SeriesKey(xxhash_rust::xxh3::xxh3_128(&bytes.collect::<Vec<_>>()));
    batch
}

#[tokio::test(start_paused = true)]
async fn one_of_two_senders_is_kept_without_its_name() {
    let cluster = Cluster::with(9, 3, limits(), |_| ());
    let kept = cluster.push(sent_by("a", "up", &[NOW])).await.unwrap();
    assert_eq!((kept.samples, kept.ha_duplicate), (1, false));
    let dropped = cluster.push(sent_by("b", "up", &[NOW, NOW + 1])).await.unwrap();
    assert_eq!((dropped.samples, dropped.rejected, dropped.ha_duplicate), (2, 0, true));
    assert!(cluster.counted("yagura_distributor_ha_dropped_samples_total 2"));
    assert!(cluster.counted("yagura_distributor_ha_elections_total 1"));

    cluster.clock.advance(Duration::from_secs(30));
    let elected = cluster.push(sent_by("b", "up", &[NOW + 1])).await.unwrap();
    assert_eq!((elected.samples, elected.ha_duplicate), (1, false));
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Both have one key and one place, and the labels came once.
    let holders: Vec<_> = cluster.fakes.iter().filter(|fake| !fake.known.lock().is_empty()).collect();
    assert_eq!(holders.len(), 3);
    for fake in holders {
        let known: Vec<_> = fake.known.lock().values().map(ToString::to_string).collect();
        assert_eq!(known, [r#"{__name__="up", cluster="c"}"#]);
        assert_eq!(fake.stored.lock().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn who_does_not_say_that_it_is_one_of_two_is_kept_as_it_is() {
    let cluster = Cluster::with(3, 3, limits(), |_| ());
    let mut long = sent_by(&"x".repeat(5000), "up", &[NOW]);
    long.series[0].key = key(7);
    for (batch, samples) in [(sent_by("", "up", &[NOW]), 1), (sent_by("", "down", &[NOW]), 1), (long, 0)] {
        let outcome = cluster.push(batch).await.unwrap();
        assert_eq!((outcome.samples, outcome.ha_duplicate), (samples, false));
    }
    assert!(cluster.counted("yagura_distributor_ha_elections_total 0"));
    let other = Cluster::new(3, 3);
    for replica in ["a", "b"] {
        assert!(
            !other.push(sent_by(replica, "up", &[NOW])).await.unwrap().ha_duplicate,
            "it is switched off"
        );
    }
    let known = other.fakes[0].known.lock().len();
    assert_eq!(known, 2);
}

#[tokio::test(start_paused = true)]
async fn a_tenant_that_turns_it_on_has_new_keys() {
    // An ingester may know the keys as they are sent, with labels that name the sender.
    let cluster = Cluster::with(3, 3, limits(), |_| ());
    let sent = sent_by("a", "up", &[NOW]);
    for fake in &cluster.fakes {
        fake.known.lock().insert(sent.series[0].key, Labels::from_pairs([("__replica__", "a")]));
    }
    cluster.push(sent).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let stored = cluster.fakes[0].stored.lock().clone();
    let [(stored, _)] = stored.into_iter().collect::<Vec<_>>()[..] else { panic!("one sample") };
    assert_eq!(cluster.fakes[0].known.lock()[&stored].get("__replica__"), None);
}
