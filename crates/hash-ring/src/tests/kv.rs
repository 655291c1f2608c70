//! What every store must do; both are put through it.

use crate::*;
use futures::StreamExt;
use std::time::Duration;

/// Runs under the prefix `p`, which must be unused.
pub async fn conforms(kv: &dyn Kv, p: &str) {
    let key = |name: &str| format!("{p}{name}");
    assert_eq!(kv.get(&key("a")).await, Ok(None));
    let empty = kv.list(p).await.unwrap();
    assert!(empty.entries.is_empty());
    let mut watch = kv.watch(p, empty.revision + 1).await.unwrap();

    // Writes are seen by readers and by those who watch, in order.
    let first = kv.put(&key("a"), b"1".to_vec(), None).await.unwrap();
    assert!(first > empty.revision);
    let second = kv.put(&key("b"), b"2".to_vec(), None).await.unwrap();
    kv.delete(&key("a")).await.unwrap();
    kv.delete(&key("a")).await.unwrap();
    let found = kv.get(&key("b")).await.unwrap().unwrap();
    assert_eq!((found.value.as_slice(), found.mod_revision), (b"2".as_slice(), second));
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.extend(watch.next().await.unwrap().unwrap().events);
    }
    let name = |event: &Event| (event.key.strip_prefix(p).unwrap().to_owned(), event.value.clone());
    let names: Vec<_> = seen.iter().map(name).collect();
    let put = |name: &str, value: &[u8]| (name.to_owned(), Some(value.to_vec()));
    assert_eq!(names, [put("a", b"1"), put("b", b"2"), ("a".into(), None)]);
    assert_eq!((seen[0].mod_revision, seen[1].mod_revision), (first, second));

    // A watch may begin in the past.
    let mut again = kv.watch(p, second).await.unwrap();
    assert_eq!(name(&again.next().await.unwrap().unwrap().events[0]), put("b", b"2"));

    // One of two who swap wins.
    assert_eq!(kv.compare_and_swap(&key("b"), first, b"x".to_vec(), None).await, Ok(None));
    assert_eq!(kv.compare_and_swap(&key("b"), 0, b"x".to_vec(), None).await, Ok(None));
    let third = kv.compare_and_swap(&key("b"), second, b"3".to_vec(), None).await.unwrap().unwrap();
    assert_eq!(kv.compare_and_swap(&key("c"), third, b"x".to_vec(), None).await, Ok(None));
    let fourth = kv.compare_and_swap(&key("c"), 0, b"4".to_vec(), None).await.unwrap().unwrap();
    assert!(third < fourth);

    // All guards must hold.
    let guard = |name: &str, mod_revision| Guard { key: key(name), mod_revision };
    let delete = || Change::Delete { key: key("c") };
    for guards in [[guard("c", fourth), guard("b", second)], [guard("c", fourth), guard("a", first)]] {
        assert_eq!(kv.commit(&guards, delete()).await, Ok(None));
    }
    let guards = [guard("c", fourth), guard("b", third), guard("a", 0)];
    assert!(kv.commit(&guards, delete()).await.unwrap().is_some());
    let entries = kv.list(p).await.unwrap().entries;
    assert_eq!(entries.iter().map(|e| e.key.as_str()).collect::<Vec<_>>(), [key("b")]);

    // Keys under a lease go with it.
    let lease = kv.grant(Duration::from_secs(60)).await.unwrap();
    kv.put(&key("l1"), vec![], Some(lease)).await.unwrap();
    kv.put(&key("l2"), vec![], Some(lease)).await.unwrap();
    kv.keep_alive(lease).await.unwrap();
    kv.revoke(lease).await.unwrap();
    assert_eq!(kv.get(&key("l1")).await, Ok(None));
    kv.revoke(lease).await.unwrap();
    assert_eq!(kv.keep_alive(lease).await, Err(KvError::LeaseGone));
    assert_eq!(kv.put(&key("l1"), vec![], Some(lease)).await, Err(KvError::LeaseGone));

    // One that is not kept alive ends by itself, and those who watch are told.
    let start = kv.list(p).await.unwrap().revision;
    let mut watch = kv.watch(p, start + 1).await.unwrap();
    let (short, kept) = (Duration::from_secs(2), Duration::from_secs(3));
    let (short, kept) = (kv.grant(short).await.unwrap(), kv.grant(kept).await.unwrap());
    kv.put(&key("kept"), vec![], Some(kept)).await.unwrap();
    kv.put(&key("short"), vec![], Some(short)).await.unwrap();
    let mut ended = None;
    while ended.is_none() {
        tokio::select! {
            batch = watch.next() => ended = batch.unwrap().unwrap().events.into_iter().find(|e| e.value.is_none()),
            () = tokio::time::sleep(Duration::from_secs(1)) => kv.keep_alive(kept).await.unwrap(),
        }
    }
    assert_eq!(ended.unwrap().key, key("short"));
    assert!(kv.get(&key("kept")).await.unwrap().is_some());
}

mod memory {
    use super::*;
    use crate::tests::support::TestClock;

    #[tokio::test(start_paused = true)]
    async fn it_conforms() {
        conforms(&MemoryKv::new(TestClock::start()), "p/").await;
    }

    #[tokio::test(start_paused = true)]
    async fn its_faults_are_what_they_say() {
        let kv = MemoryKv::new(TestClock::start());
        let host = kv.another_host();
        kv.put("a", vec![1], None).await.unwrap();
        let backup = kv.snapshot();
        let mut watch = host.watch("", 1).await.unwrap();
        assert_eq!(watch.next().await.unwrap().unwrap().revision, 2);
        host.cut_off(true);
        assert!(matches!(watch.next().await, Some(Err(KvError::Unavailable(_)))));
        assert!(watch.next().await.is_none());
        assert!(host.get("a").await.is_err() && kv.get("a").await.is_ok());
        host.cut_off(false);
        // Leases do not end while the store is away.
        let lease = kv.grant(Duration::from_secs(10)).await.unwrap();
        kv.put("l", vec![], Some(lease)).await.unwrap();
        kv.set_away(true);
        assert!(host.list("").await.is_err());
        tokio::time::sleep(Duration::from_secs(100)).await;
        kv.set_away(false);
        assert_eq!(host.list("").await.unwrap().entries.len(), 2);
        tokio::time::sleep(Duration::from_secs(11)).await;
        assert_eq!(host.list("").await.unwrap().entries.len(), 1);
        let newest = host.list("").await.unwrap();
        kv.restore(&backup);
        let rolled_back = host.list("").await.unwrap();
        assert!(rolled_back.revision < newest.revision && rolled_back.cluster == newest.cluster);
        assert!(matches!(host.watch("", 1).await.unwrap().next().await, Some(Err(KvError::Compacted(1)))));
        kv.wipe();
        let wiped = host.list("").await.unwrap();
        assert!(wiped.entries.is_empty() && wiped.cluster != newest.cluster);
    }
}
