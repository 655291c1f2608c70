//! Lists of blocks: written by many at once, believed for a while, changed in one step, and what goes from them.

use super::*;

#[test]
fn no_block_is_lost_when_eight_write_the_manifest_at_once() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let writers = (0..8u64).map(|writer| {
            let manifests = manifests(&bucket, &clock);
            tokio::spawn(async move {
                for block in 0..5 {
                    manifests
                        .add_block(&tenant(), Signal::Metrics, &meta(writer * 100 + block, 0, 10))
                        .await
                        .unwrap();
                }
            })
        });
        for done in futures::future::join_all(writers).await {
            done.unwrap();
        }
        let manifest = manifests(&bucket, &clock).latest(&tenant(), Signal::Metrics).await.unwrap();
        let mut ids: Vec<_> = manifest.blocks.iter().map(|b| b.id.timestamp_ms()).collect();
        ids.sort_unstable();
        let want: Vec<u64> = (0..8).flat_map(|w| (0..5).map(move |b| w * 100 + b)).collect();
        assert_eq!((manifest.sequence, ids), (40, want));
    });
}

#[test]
fn a_manifest_is_believed_for_the_poll_interval() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let (ours, theirs) = (manifests(&bucket, &clock), manifests(&bucket, &clock));
        assert_eq!(ours.latest(&tenant(), Signal::Metrics).await.unwrap().sequence, 0);
        theirs.add_block(&tenant(), Signal::Metrics, &meta(1, 0, 10)).await.unwrap();
        theirs.add_block(&tenant(), Signal::Metrics, &meta(1, 0, 10)).await.unwrap();
        assert_eq!(ours.latest(&tenant(), Signal::Metrics).await.unwrap().sequence, 0);
        clock.advance(Duration::from_secs(6));
        assert_eq!(ours.latest(&tenant(), Signal::Metrics).await.unwrap().blocks, [meta(1, 0, 10)]);
        assert_eq!(ours.tenants().await.unwrap(), [tenant()]);
    });
}

#[test]
fn a_query_reads_no_list_that_is_older_than_what_it_has_heard_of() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let (ours, theirs) = (manifests(&bucket, &clock), manifests(&bucket, &clock));
        assert_eq!(ours.known_sequence(&tenant(), Signal::Metrics), 0);
        assert_eq!(ours.at_least(&tenant(), Signal::Metrics, 0).await.unwrap().sequence, 0);
        let block = put_block(&bucket, 1, &["up"], &[10]).await;
        theirs.add_block(&tenant(), Signal::Metrics, &block).await.unwrap();
        theirs.add_block(&tenant(), Signal::Metrics, &meta(2, 50, 60)).await.unwrap();
        assert_eq!(theirs.known_sequence(&tenant(), Signal::Metrics), 2);
        assert_eq!(theirs.known_sequence(&tenant(), Signal::Logs), 0);
        // What we know is believed for a while, unless somebody knows better.
        assert_eq!(ours.at_least(&tenant(), Signal::Metrics, 0).await.unwrap().sequence, 0);
        let reader = BlocksReader::new(ours.clone(), &BlockCacheConfig::default());
        let ctx = ReadContext::new(tenant(), 1 << 30);
        let range = TimeRange::new(0, 20);
        assert!(reader.in_range(&ctx, Signal::Metrics, range).await.unwrap().blocks.is_empty());
        ctx.listed.raise(Signal::Metrics, 1);
        assert_eq!(reader.in_range(&ctx, Signal::Metrics, range).await.unwrap().blocks, [block]);
        assert_eq!(ours.known_sequence(&tenant(), Signal::Metrics), 2);
        assert!(
            reader.in_range(&ctx, Signal::Metrics, TimeRange::new(70, 80)).await.unwrap().blocks.is_empty()
        );

        ctx.listed.raise(Signal::Metrics, 3);
        let error = ours.at_least(&tenant(), Signal::Metrics, 3).await.unwrap_err();
        assert!(error.code == Code::Unavailable && error.message.contains("version 3"), "{error}");
        let request = SelectRequest { matchers: vec![], range };
        assert_eq!(reader.select(&ctx, &request).await.err().unwrap().code, Code::Unavailable);
    });
}

#[test]
fn a_list_says_which_deletions_are_of_a_range_and_the_query_reads_no_older_one() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let (ours, theirs) = (manifests(&bucket, &clock), manifests(&bucket, &clock));
        let deletion = |id, min_time, max_time| Deletion {
            id: Ulid::from_parts(id, 0),
            queries: vec!["up".to_owned()],
            min_time,
            max_time,
            due: 0,
            heads_until: 0,
        };
        let deletions = vec![deletion(1, 0, 9), deletion(2, 5, 20), deletion(3, 21, 30)];
        let with = |current: &Manifest| Some(current.with_deletions(deletions.clone()));
        theirs.update(&tenant(), Signal::Metrics, with).await.unwrap();
        let (ctx, newer) = (ReadContext::new(tenant(), 1 << 30), ReadContext::new(tenant(), 1 << 30));
        let reader = BlocksReader::new(ours.clone(), &BlockCacheConfig::default());
        // Of each of them, whether or not it concerns a block.
        let listed = reader.in_range(&ctx, Signal::Metrics, TimeRange::new(10, 20)).await.unwrap();
        assert_eq!(listed.deletions, deletions[1..2]);
        let listed = reader.in_range(&ctx, Signal::Metrics, TimeRange::new(9, 21)).await.unwrap();
        assert_eq!(listed.deletions, deletions);
        assert_eq!((ctx.listed.get(Signal::Metrics), ctx.listed.get(Signal::Logs)), (1, 0));
        // Another process that the query goes on in.
        newer.listed.raise(Signal::Metrics, ctx.listed.get(Signal::Metrics));
        let theirs = BlocksReader::new(manifests(&bucket, &clock), &BlockCacheConfig::default());
        let listed = theirs.in_range(&newer, Signal::Metrics, TimeRange::new(9, 21)).await.unwrap();
        assert_eq!(listed.deletions, deletions);
    });
}

#[test]
fn blocks_take_the_place_of_others_in_one_step_or_not_at_all() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(100));
        let (ours, theirs) = (manifests(&bucket, &clock), manifests(&bucket, &clock));
        let (a, b, c) = (meta(1, 0, 9), meta(2, 0, 9), meta(3, 10, 19));
        for block in [&a, &b, &c] {
            ours.add_block(&tenant(), Signal::Logs, block).await.unwrap();
        }
        let ids = |manifest: &Manifest| {
            let mut ids: Vec<u64> = manifest.blocks.iter().map(|block| block.id.timestamp_ms()).collect();
            ids.sort_unstable();
            ids
        };
        let replace = async |manifests: &Manifests, old: &[BlockMeta], new: &[BlockMeta]| {
            manifests.replace(&tenant(), Signal::Logs, old, new, &[]).await
        };
        let old = [a.clone(), b.clone()];
        let (merged, other) = ([meta(4, 0, 5), meta(5, 6, 9)], [meta(6, 0, 9)]);
        let listed = replace(&ours, &old, &merged).await.unwrap().unwrap();
        assert_eq!((listed.sequence, ids(&listed)), (4, vec![3, 4, 5]));
        // Whoever merged the same, too, comes too late; whoever does not know that it has been done, does nothing.
        assert!(replace(&theirs, &old, &other).await.unwrap().is_none());
        assert!(replace(&theirs, &[a.clone(), c.clone()], &other).await.unwrap().is_none());
        assert_eq!(replace(&theirs, &old, &merged).await.unwrap().unwrap().sequence, 4);
        assert_eq!(ids(&theirs.refresh(&tenant(), Signal::Logs).await.unwrap()), [3, 4, 5]);

        // One that was made too long ago may be taken for garbage.
        clock.advance(Duration::from_secs(31 * 60));
        let late = replace(&ours, &merged, &[meta(7, 0, 9)]).await.unwrap_err();
        assert_eq!(late.code, Code::Unavailable);
        assert_eq!(ids(&ours.refresh(&tenant(), Signal::Logs).await.unwrap()), [3, 4, 5]);
    });
}

/// The clock goes on while the list is written: the process stood still, and what it lists may be gone.
#[test]
fn a_list_that_is_written_too_late_is_taken_back() {
    struct Slow(ManualClock, AtomicU64);

    impl Clock for Slow {
        fn now_ms(&self) -> i64 {
            // The first question is whether the block is young enough.
            let late = self.1.fetch_add(1, Ordering::SeqCst) > 0;
            self.0.now_ms() + if late { 31 * 60_000 } else { 0 }
        }

        fn monotonic(&self) -> Duration {
            self.0.monotonic()
        }
    }

    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let sound = manifests(&bucket, &clock);
        let (a, b) = (meta(1, 0, 9), meta(2, 0, 9));
        for block in [&a, &b] {
            sound.add_block(&tenant(), Signal::Metrics, block).await.unwrap();
        }
        let slow = Arc::new(Slow(ManualClock::at(0), AtomicU64::new(0)));
        let slow = Manifests::new(bucket, slow, Duration::ZERO);
        let old = [a.clone(), b.clone()];
        let new = [meta(3, 0, 9)];
        let late = slow.replace(&tenant(), Signal::Metrics, &old, &new, &[]).await.unwrap_err();
        assert_eq!(late.code, Code::Unavailable);
        let listed = sound.refresh(&tenant(), Signal::Metrics).await.unwrap();
        assert_eq!((listed.sequence, listed.blocks.as_slice()), (4, old.as_slice()));
    });
}

#[test]
fn what_is_set_aside_is_not_read_and_queries_say_so() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let manifests = manifests(&bucket, &clock);
        let reader = BlocksReader::new(manifests.clone(), &BlockCacheConfig::default());
        let sound = put_block(&bucket, 1, &["up"], &[10, 20]).await;
        let broken = put_block(&bucket, 2, &["up"], &[30]).await;
        for block in [&sound, &broken] {
            manifests.add_block(&tenant(), Signal::Metrics, block).await.unwrap();
        }
        bucket.delete(&broken.object(&tenant(), Signal::Metrics)).await.unwrap();
        assert!(select(&reader, "up").await.is_err());
        let set_aside =
            async |block: &BlockMeta| manifests.set_aside(&tenant(), Signal::Metrics, block.id, "gone").await;
        assert!(set_aside(&broken).await.unwrap());
        assert!(!set_aside(&broken).await.unwrap(), "that was noted before");
        assert!(!set_aside(&meta(9, 0, 9)).await.unwrap(), "that is not listed");
        assert_eq!(select(&reader, "up").await.unwrap(), [(labels("up", 1), vec![10, 20])]);
        let ctx = ReadContext::new(tenant(), 1 << 30);
        let warnings = async |from: i64| {
            let range = TimeRange::new(from, 1_000);
            let request = SelectRequest { matchers: vec![], range };
            let of_select = reader.select(&ctx, &request).await.unwrap().warnings;
            let query = LabelQuery { signal: Signal::Metrics, range, matcher_sets: vec![] };
            assert_eq!(reader.label_names(&ctx, &query).await.unwrap().warnings, of_select);
            assert_eq!(reader.label_values(&ctx, "job", &query).await.unwrap().warnings, of_select);
            assert_eq!(reader.series(&ctx, &query).await.unwrap().warnings, of_select);
            of_select
        };
        let told = warnings(0).await;
        assert!(told.len() == 1 && told[0].contains(&broken.id.to_string()), "{told:?}");
        assert!(warnings(31).await.is_empty(), "it has nothing of these times");
    });
}

#[test]
fn what_is_past_its_retention_goes_and_the_rest_stays() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(0));
        let manifests = manifests(&bucket, &clock);
        let old = put_block(&bucket, 1, &["up"], &[10, 20]).await;
        let kept = put_block(&bucket, 2, &["up"], &[20, 1_000]).await;
        let young = put_block(&bucket, 40_000_000_000_000, &["up"], &[7]).await;
        let unlisted = put_block(&bucket, 3, &["up"], &[7]).await;
        manifests.add_block(&tenant(), Signal::Metrics, &old).await.unwrap();
        manifests.add_block(&tenant(), Signal::Metrics, &kept).await.unwrap();
        let dropped = apply_retention(&manifests, &tenant(), Signal::Metrics, 900).await.unwrap();
        assert_eq!(dropped, std::slice::from_ref(&old));
        assert!(apply_retention(&manifests, &tenant(), Signal::Metrics, 900).await.unwrap().is_empty());

        // Older versions still list the old block: only the unlisted one goes.
        let now = 10_000_000;
        let grace = Duration::from_secs(3_600);
        let gone = collect_garbage(&manifests, &tenant(), Signal::Metrics, now, grace).await.unwrap();
        assert_eq!((gone.blocks, gone.manifests), (1, 0));
        assert!(bucket.get(&unlisted.object(&tenant(), Signal::Metrics)).await.is_err());

        for block in 100..120 {
            manifests.add_block(&tenant(), Signal::Metrics, &meta(block, 0, 10)).await.unwrap();
        }
        let later = 40_000_000_000_000 - 1;
        let gone = collect_garbage(&manifests, &tenant(), Signal::Metrics, later, grace).await.unwrap();
        assert_eq!((gone.blocks, gone.manifests), (1, 7));
        let gone = collect_garbage(&manifests, &tenant(), Signal::Metrics, later, grace).await.unwrap();
        assert_eq!((gone.blocks, gone.manifests), (0, 0));
        assert!(bucket.get(&old.object(&tenant(), Signal::Metrics)).await.is_err());
        for block in [&kept, &young] {
            bucket.get(&block.object(&tenant(), Signal::Metrics)).await.unwrap();
        }
        assert_eq!(manifests.refresh(&tenant(), Signal::Metrics).await.unwrap().sequence, 23);
    });
}

#[test]
fn a_block_that_may_be_garbage_by_now_is_not_listed() {
    on_both(|bucket| async move {
        let clock = Arc::new(ManualClock::at(10_000_000));
        let manifests = manifests(&bucket, &clock);
        let old = meta(10_000_000 - 1_800_001, 0, 10);
        let error = manifests.add_block(&tenant(), Signal::Metrics, &old).await.unwrap_err();
        assert!(error.code == Code::Unavailable && error.message.contains(&old.id.to_string()), "{error}");
        let young = meta(10_000_000 - 1_800_000, 0, 10);
        manifests.add_block(&tenant(), Signal::Metrics, &young).await.unwrap();
        assert_eq!(manifests.refresh(&tenant(), Signal::Metrics).await.unwrap().blocks, [young]);
    });
}

#[test]
fn what_was_the_newest_list_a_moment_ago_is_kept_with_its_blocks() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = TempDir::new().unwrap();
        let url = format!("file:{}", folder.path().display());
        let bucket = BucketConfig { url }.open(&S3Config::default()).unwrap();
        let clock = Arc::new(ManualClock::at(0));
        let manifests = manifests(&bucket, &clock);
        let block = put_block(&bucket, 1, &["up"], &[10]).await;
        manifests.add_block(&tenant(), Signal::Metrics, &block).await.unwrap();
        manifests.add_block(&tenant(), Signal::Metrics, &meta(2, 0, 10)).await.unwrap();
        let nothing = |current: &Manifest| Some(current.with_blocks(Vec::new()));
        manifests.update(&tenant(), Signal::Metrics, nothing).await.unwrap();
        for number in 0..20 {
            manifests.add_block(&tenant(), Signal::Metrics, &meta(100 + number, 0, 10)).await.unwrap();
        }
        // The first two are a day older than the others, which came all at once.
        let owner = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap();
        let lists = owner.path().join("metrics/manifest");
        for sequence in 1..=2 {
            let list =
                std::fs::File::options().write(true).open(lists.join(format!("{sequence:020}"))).unwrap();
            let modified = list.metadata().unwrap().modified().unwrap();
            list.set_modified(modified - Duration::from_secs(86_400)).unwrap();
        }
        let newest = std::fs::metadata(lists.join(format!("{:020}", 23))).unwrap().modified().unwrap();
        let now = newest.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
        let owner = tenant();
        let collect = |now| collect_garbage(&manifests, &owner, Signal::Metrics, now, Duration::ZERO);
        // Version 2 was the newest until version 3 came.
        let gone = collect(now).await.unwrap();
        assert_eq!((gone.blocks, gone.manifests), (0, 1));
        bucket.get(&block.object(&tenant(), Signal::Metrics)).await.unwrap();
        // Two processes at once get in nobody's way.
        let later = now + 2 * 3_600_000;
        let (one, other) = tokio::join!(collect(later), collect(later));
        assert!(one.unwrap().blocks + other.unwrap().blocks >= 1);
        assert!(bucket.get(&block.object(&tenant(), Signal::Metrics)).await.is_err());
        assert_eq!(manifests.refresh(&tenant(), Signal::Metrics).await.unwrap().blocks.len(), 20);
    });
}
