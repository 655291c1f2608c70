//! Lines as senders, readers and watchers see them.

use super::*;
use crate::test_support::{append_logs, head_lines, labels_query, log_batch, push_logs};
use crate::{append::bytes_to_pack, head::WindowBytes};
use service_api::{IngestLogs, LogsReader, LogsTail, StreamsRequest, TailItem, TextSpan, Wanted};
use tokio::sync::mpsc::Receiver;

const SECOND: i64 = 1_000_000_000;

#[tokio::test]
async fn lines_are_read_and_are_still_there_after_a_restart() {
    let setup = Setup::new();
    let ingester = setup.start();
    let streams: [(&str, &[(i64, &str)]); 2] =
        [("a=1", &[(2, "second#k=v"), (1, "first"), (2, "")]), ("a=2", &[(1, "ünïcödé")])];
    let outcome = append_logs(&ingester, &streams).await.unwrap();
    assert_eq!((outcome.pushed.lines, outcome.pushed.rejected), (4, 0));
    append_logs(&ingester, &[("a=1", &[(3, "third"), (1, "first")])]).await.unwrap();
    let row = |t: i64, text: &str| (t, text.to_owned());
    let expected = vec![
        (r#"{a="1"}"#.to_owned(), vec![row(1, "first"), row(2, ""), row(2, "second#k=v"), row(3, "third")]),
        (r#"{a="2"}"#.to_owned(), vec![row(1, "ünïcödé")]),
    ];
    assert_eq!(head_lines(&ingester).await, expected);
    drop(ingester);
    let ingester = setup.start();
    assert_eq!(head_lines(&ingester).await, expected);
    assert_eq!(ingester.traces.metrics.replayed_lines.get(), 6);
}

#[tokio::test]
async fn late_lines_are_refused_before_they_are_logged_and_the_others_are_kept() {
    let mut setup = Setup::new();
    setup.world.limits = Limits { out_of_order_window: 10, max_streams: 1, ..Limits::default() };
    let ingester = setup.start();
    append_logs(&ingester, &[("a=1", &[(100 * SECOND, "new")])]).await.unwrap();
    let lines = [
        (90 * SECOND - 1, "late"),
        (90 * SECOND, "not late"),
        (50 * SECOND, "very late"),
        (105 * SECOND, "newer"),
        (91 * SECOND, "late now"),
    ];
    let outcome =
        append_logs(&ingester, &[("a=1", &lines), ("b=1", &[(1, "over the limit")])]).await.unwrap();
    assert_eq!((outcome.pushed.lines, outcome.pushed.rejected), (2, 4));
    let mut refused: Vec<_> = outcome
        .pushed
        .rejections
        .iter()
        .map(|r| (r.reason.clone(), r.labels.to_string(), r.timestamp))
        .collect();
    refused.sort_by_key(|r| r.2);
    let name = || r#"{a="1"}"#.to_owned();
    assert_eq!(refused[0], (RejectReason::SeriesLimit(1), r#"{b="1"}"#.to_owned(), None));
    let late = [50 * SECOND, 90 * SECOND - 1, 91 * SECOND].map(|t| (RejectReason::TooOld, name(), Some(t)));
    assert_eq!(refused[1..], late);
    let expected = [(90 * SECOND, "not late"), (100 * SECOND, "new"), (105 * SECOND, "newer")]
        .map(|(t, l)| (t, l.to_owned()));
    assert_eq!(head_lines(&ingester).await, [(name(), expected.to_vec())]);
    // Nothing else is in the log, and it is known after a replay how new the newest is.
    drop(ingester);
    setup.world.limits.out_of_order_window = 1;
    let ingester = setup.start();
    assert_eq!(head_lines(&ingester).await, [(name(), expected.to_vec())]);
    let outcome = append_logs(&ingester, &[("a=1", &[(103 * SECOND, "late")])]).await.unwrap();
    assert_eq!(outcome.pushed.rejected, 1);
}

#[tokio::test]
async fn a_line_that_fits_into_no_page_is_refused_and_a_request_that_fits_into_no_record() {
    let setup = Setup::new();
    let ingester = setup.start();
    let long = "x".repeat((8 << 20) + 1);
    let outcome =
        append_logs(&ingester, &[("a=1", &[(1, "short"), (2, &long), (3, &long[1..])])]).await.unwrap();
    assert_eq!((outcome.pushed.lines, outcome.pushed.rejected), (2, 1));
    let reason = &outcome.pushed.rejections[0].reason;
    assert_eq!(*reason, RejectReason::LineTooLong { bytes: (8 << 20) + 1, limit: 8 << 20 });
    assert_eq!(head_lines(&ingester).await[0].1.len(), 2);
    let (mut batch, named) = log_batch(&[("a=1", &[(1, "short")])]);
    let entry = batch.entries[0].clone();
    batch.entries = vec![entry; record::MAX_LINES + 1];
    batch.streams[0].entries = 0..batch.entries.len() as u32;
    assert_eq!(push_logs(&ingester, batch, named).await.unwrap_err().code, Code::TooLarge);
}

#[tokio::test]
async fn a_batch_that_names_what_it_does_not_have_harms_nothing() {
    let setup = Setup::new();
    let ingester = setup.start();
    let (mut batch, named) = log_batch(&[("a=1", &[(1, "one"), (2, "two#k=v")]), ("a=2", &[(1, "three")])]);
    batch.streams[0].entries = 1..900;
    batch.entries[2].line = TextSpan { start: 1 << 30, len: 3 };
    batch.entries[1].metadata = 5..9;
    let named = named.into_iter().chain([(77, labels("c=1"))]).collect();
    let outcome = ingester.append_logs(&tenant(), Arc::new(batch), Wanted::Named(named)).await.unwrap();
    assert_eq!(outcome.pushed.lines, 3);
    head_lines(&ingester).await;
}

#[tokio::test]
async fn names_values_and_series_are_those_of_streams() {
    let setup = Setup::new();
    let ingester = setup.start();
    append(&ingester, &[("metric=1", &[(1000, 1.0)])]).await;
    append_logs(&ingester, &[("a=1,b=x", &[(SECOND, "l")]), ("a=2", &[(2 * SECOND, "l")])]).await.unwrap();
    let ctx = ctx();
    let all = labels_query(vec![], TimeRange::ALL);
    let some = labels_query(vec![vec![Matcher::equal("a", "2")]], TimeRange::ALL);
    let early = labels_query(vec![vec![]], TimeRange::new(0, 1500));
    assert_eq!(ingester.label_names(&ctx, &all).await.unwrap().value, ["a", "b"]);
    assert_eq!(ingester.label_names(&ctx, &some).await.unwrap().value, ["a"]);
    assert_eq!(ingester.label_values(&ctx, "a", &all).await.unwrap().value, ["1", "2"]);
    assert_eq!(ingester.label_values(&ctx, "a", &early).await.unwrap().value, ["1"]);
    assert_eq!(ingester.series(&ctx, &some).await.unwrap().value, [labels("a=2")]);
    let metrics = LabelQuery { signal: Signal::Metrics, ..all };
    assert_eq!(ingester.label_names(&ctx, &metrics).await.unwrap().value, ["metric"]);
}

#[tokio::test]
async fn a_read_of_lines_keeps_to_its_tenant_its_range_and_its_bounds() {
    let setup = Setup::new();
    let ingester = setup.start();
    let ctx = || ReadContext { max_series: 1, ..ctx() };
    append_logs(&ingester, &[("a=1", &[(SECOND, "one")]), ("a=2", &[(5 * SECOND, "two")])]).await.unwrap();
    let select = async |ctx: &ReadContext, start, end| {
        let range = model::NanoRange::new(start, end);
        let request = StreamsRequest { matchers: vec![], range };
        LogsReader::select(&*ingester, ctx, &request)
            .await
            .map(|set| set.streams.iter().map(|stream| stream.labels.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(select(&ctx(), SECOND, SECOND + 1).await.unwrap(), [r#"{a="1"}"#]);
    assert!(select(&ctx(), SECOND + 1, SECOND + 2).await.unwrap().is_empty());
    let other = ReadContext::new(TenantId::new("other").unwrap(), 1 << 30);
    assert!(select(&other, 0, SECOND).await.unwrap().is_empty());
    let error = select(&ctx(), 0, 9 * SECOND).await.unwrap_err();
    assert!(error.to_string().contains("more streams than limits.max_query_series"), "{error}");
    let poor = ReadContext::new(tenant(), 10);
    assert_eq!(select(&poor, 0, SECOND).await.unwrap_err().code, Code::Unprocessable);
}

#[tokio::test]
async fn what_a_full_disk_refused_does_not_make_older_lines_late() {
    // Each time the sender races the log's thread: once refused, an older line is taken at once.
    for seed in 0..30 {
        let fs = SimFs::new(seed);
        let mut world = World::new(Arc::new(fs.clone()));
        world.config.wal.segment_size = 16 << 10;
        world.limits.out_of_order_window = 0;
        let ingester = world.start();
        append_logs(&ingester, &[("b=1", &[(1, "x")])]).await.unwrap();
        fs.set_capacity(fs.used());
        // Longer than what is left of the segment, which therefore has to grow when it is written.
        let mut random = crate::fs::sim::Random(7);
        let long: String = (0..20 << 10).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
        for t in [3000, 4000] {
            let error = append_logs(&ingester, &[("a=1", &[(t, &long)])]).await.unwrap_err();
            assert_eq!(error.code, Code::Unavailable);
        }
        fs.set_capacity(u64::MAX);
        world.clock.advance(Duration::from_secs(10));
        for (t, taken) in [(2000, 1), (3000, 1), (2500, 0)] {
            let outcome = append_logs(&ingester, &[("a=1", &[(t, "x")])]).await.unwrap();
            assert_eq!((outcome.pushed.lines, outcome.pushed.rejected), (taken, 1 - taken), "at {t}");
        }
    }
}

#[test]
fn a_batch_is_as_large_as_what_is_packed_of_it() {
    let (mut batch, _) = log_batch(&[("a=1", &[(1, "#key=value")])]);
    assert!(bytes_to_pack(&batch).unwrap() < 100);
    // Without any text, and with one pair for all.
    let entry = batch.entries[0].clone();
    batch.entries = vec![entry; 100_000];
    assert!(bytes_to_pack(&batch).unwrap() > 1 << 20);
}

#[tokio::test(start_paused = true)]
async fn room_is_made_soon_once_the_bucket_is_back() {
    let setup = Setup::new();
    let ingester = setup.start();
    let interval = ingester.config.flush_interval();
    let head = ingester.log_heads.get_or_create(&tenant());
    let fill = |open| head.beside.memory.note(0, &WindowBytes { open, ..WindowBytes::default() });
    let paused = async |failures| {
        let start = tokio::time::Instant::now();
        ingester.pause(failures).await;
        start.elapsed()
    };
    assert_eq!(paused(8).await, LONGEST_PAUSE);
    let much = 2 * ingester.config.max_log_head_bytes as i64;
    let late = async {
        tokio::time::sleep(interval * 2).await;
        fill(much);
    };
    assert_eq!(tokio::join!(paused(8), late).0, interval * 2);
    assert_eq!(paused(8).await, interval);
    fill(-much);
    assert_eq!(paused(0).await, interval);
    fill(much);
    assert_eq!(paused(0).await, Duration::ZERO);
}

/// What has come so far, as text.
fn told(receiver: &mut Receiver<TailItem>) -> Vec<String> {
    std::iter::from_fn(|| receiver.try_recv().ok())
        .flat_map(|item| match item {
            TailItem::Stored(stream) => {
                let line = |e: service_api::TailedEntry| {
                    format!("{} {} {} {:?}", stream.labels, e.timestamp, e.line, e.metadata)
                };
                stream.entries.into_iter().map(line).collect::<Vec<_>>()
            }
            TailItem::Missed { labels, timestamp, lines } => {
                vec![format!("{labels} missed {lines} from {timestamp}")]
            }
        })
        .collect()
}

#[tokio::test]
async fn watchers_are_told_of_new_lines_of_their_streams() {
    let setup = Setup::new();
    let ingester = setup.start();
    append_logs(&ingester, &[("a=1", &[(1, "before")])]).await.unwrap();
    let mut one = ingester.tail(&tenant(), vec![Matcher::equal("a", "1")]).unwrap();
    let mut other = ingester.tail(&TenantId::new("other").unwrap(), vec![]).unwrap();
    append_logs(&ingester, &[("a=1", &[(2, "x#k=v"), (3, "y")]), ("a=2", &[(2, "z")])]).await.unwrap();
    assert_eq!(told(&mut one), [r#"{a="1"} 2 x [("k", "v")]"#, r#"{a="1"} 3 y []"#]);
    assert!(told(&mut other).is_empty());
    let mut more: Vec<_> = (1..10).map(|_| ingester.tail(&tenant(), vec![]).unwrap()).collect();
    assert_eq!(ingester.tail(&tenant(), vec![]).unwrap_err().code, Code::RateLimited);
    more.pop();
    ingester.tail(&tenant(), vec![]).unwrap();
}

#[tokio::test]
async fn a_slow_watcher_is_told_how_many_lines_it_has_missed_and_holds_nobody_up() {
    let setup = Setup::new();
    let ingester = setup.start();
    let mut slow = ingester.tail(&tenant(), vec![]).unwrap();
    let line = "x".repeat(100_000);
    for t in 0..200 {
        let (a, b) = ([(t, &line[..])], [(t, "short")]);
        append_logs(&ingester, &[("a=1", &a), ("a=2", &b)]).await.unwrap();
    }
    let (mut lines, mut missed, mut bytes) = (0, 0, 0);
    let mut count = |item: TailItem| match item {
        TailItem::Stored(stream) => {
            lines += stream.entries.len() as u64;
            bytes += stream.entries.iter().map(|entry| entry.line.len()).sum::<usize>();
        }
        TailItem::Missed { lines, .. } => missed += lines,
    };
    while let Ok(item) = slow.try_recv() {
        count(item);
    }
    // What is left is told although nothing new comes.
    ingester.sweep();
    while let Ok(item) = slow.try_recv() {
        count(item);
    }
    assert_eq!(lines + missed, 400);
    assert!(bytes <= 5 << 20 && missed > 100, "{bytes} bytes waited, {missed} missed");
    assert_eq!(ingester.traces.metrics.tail_drops.get(), missed);
    drop(slow);
    ingester.sweep();
    assert!(!ingester.log_heads.get(&tenant()).unwrap().beside.watchers.any());
}

#[tokio::test]
async fn streams_that_get_nothing_more_hold_compressed_bytes_only() {
    let setup = Setup::new();
    let ingester = setup.start();
    append_logs(&ingester, &[("a=1", &[(1, &"text ".repeat(10_000))])]).await.unwrap();
    let before = ingester.traces.memory.held();
    ingester.sweep();
    assert_eq!(ingester.traces.memory.held(), before);
    setup.world.clock.advance(Duration::from_secs(301));
    ingester.sweep();
    assert!(before > 50_000 && ingester.traces.memory.held() < 1000, "{before}");
    assert_eq!(ingester.traces.metrics.pages.get(), 1);
    assert_eq!(head_lines(&ingester).await[0].1.len(), 1);
}
