//! Flushes of lines: the same model, the same failures at every step.

use super::*;
use crate::test_support::{LogRows, append_logs, head_lines, tenant};
use runtime::Clock;
use std::collections::BTreeSet;

const SECOND: i64 = 1_000_000_000;

/// Two windows, late lines, a repeat; with what a reader must see.
async fn fill_logs(ingester: &Ingester) -> LogRows {
    for t in [10, 70, 30, 80, 20, 20] {
        let (text, other) = (format!("line at {t}"), format!("other at {t}#trace={t}"));
        let streams = [("a=1", &[(t * SECOND, &text[..])][..]), ("a=2", &[(t * SECOND + 1, &other[..])])];
        let outcome = append_logs(ingester, &streams).await.unwrap();
        assert_eq!((outcome.pushed.lines, outcome.pushed.rejected), (2, 0));
    }
    let times = [10, 20, 30, 70, 80];
    vec![
        (r#"{a="1"}"#.into(), times.iter().map(|t| (t * SECOND, format!("line at {t}"))).collect()),
        (
            r#"{a="2"}"#.into(),
            times.iter().map(|t| (t * SECOND + 1, format!("other at {t}#trace={t}"))).collect(),
        ),
    ]
}

#[test]
fn a_flush_moves_the_lines_into_blocks_and_shortens_the_log() {
    let fs = SimFs::new(1);
    let world = world(&fs);
    runtime().block_on(async {
        let ingester = world.start();
        let (samples, lines) = (fill(&ingester).await, fill_logs(&ingester).await);
        ingester.flush(Which::All).await.unwrap();
        assert_eq!((world.blocks().await, world.blocks_of(Signal::Logs).await), (2, 2));
        assert!(head_lines(&ingester).await.is_empty());
        assert_eq!(ingester.traces.memory.held(), 0);
        assert_eq!(
            (world.read(&ingester).await, world.read_lines(&ingester).await),
            (samples, lines.clone())
        );
        assert!(ingester.wal.segments().len() <= 1, "{:?}", ingester.wal.segments());

        drop(ingester);
        fs.crash();
        let ingester = world.start();
        assert!(head_lines(&ingester).await.is_empty());
        assert_eq!(world.read_lines(&ingester).await, lines);
    });
}

#[test]
fn marks_of_one_signal_say_nothing_of_the_other() {
    let fs = SimFs::new(1);
    let world = world(&fs);
    runtime().block_on(async {
        let ingester = world.start();
        fill(&ingester).await;
        ingester.flush(Which::All).await.unwrap();
        let lines = fill_logs(&ingester).await;
        // The samples' windows are the lines' too, and samples that are in blocks come behind the lines.
        append(&ingester, &[("b=1", &[(11_000, 1.0)])]).await.unwrap();
        world.store.fail_after(7, false);
        let _ = ingester.flush(Which::All).await;
        world.store.heal();
        drop(ingester);
        fs.crash();
        let ingester = world.start();
        assert_eq!(world.read_lines(&ingester).await, lines);
        assert_eq!(world.read(&ingester).await.len(), 3);
    });
}

#[test]
fn a_bucket_that_fails_at_any_step_costs_no_line() {
    runtime().block_on(async {
        for lost in [false, true] {
            for step in 0..12 {
                let fs = SimFs::new(step as u64);
                let world = world(&fs);
                let ingester = world.start();
                let mut expected = fill_logs(&ingester).await;
                world.store.fail_after(step, lost);
                let first = ingester.flush(Which::All).await;
                assert!(step > 0 || first.is_err());
                append_logs(&ingester, &[("a=3", &[(1, "later")])]).await.unwrap();
                world.store.heal();
                expected.push((r#"{a="3"}"#.into(), vec![(1, "later".into())]));
                assert_eq!(world.read_lines(&ingester).await, expected, "after {step} operations");
                if step % 2 == 0 {
                    fs.crash();
                    drop(ingester);
                    let ingester = world.start();
                    assert_eq!(world.read_lines(&ingester).await, expected, "after {step} and a crash");
                } else {
                    ingester.flush(Which::All).await.unwrap();
                    assert_eq!(world.read_lines(&ingester).await, expected, "after {step}, repaired");
                    assert!(head_lines(&ingester).await.is_empty());
                }
            }
        }
    });
}

#[test]
fn a_power_loss_at_any_step_of_a_flush_costs_no_line() {
    let mut step = 0;
    loop {
        let fs = SimFs::new(step);
        let world = world(&fs);
        let ended = runtime().block_on(async {
            let ingester = world.start();
            let expected = fill_logs(&ingester).await;
            let before = fs.operations();
            fs.fail_in(step, Fault::Crash);
            let _ = ingester.flush(Which::All).await;
            let ended = fs.operations() - before < step;
            fs.crash();
            drop(ingester);
            let ingester = world.start();
            assert_eq!(world.read_lines(&ingester).await, expected, "power lost at operation {step}");
            ingester.flush(Which::All).await.unwrap();
            assert_eq!(world.read_lines(&ingester).await, expected, "flushed after power was lost at {step}");
            assert!(head_lines(&ingester).await.is_empty());
            ended
        });
        if ended {
            break;
        }
        step += 1;
    }
    assert!(step > 5, "a flush takes more operations than {step}");
}

#[derive(Clone, Debug)]
enum LogStep {
    /// Stream, second, which text.
    Append(Vec<(u8, i64, u8)>),
    /// Something large, so that pages are sealed.
    Large(u8, i64),
    Sample(i64),
    Flush(bool),
    Fail(i64, bool),
    Crash,
    Sweep,
    Wait,
}

fn log_step() -> impl Strategy<Value = LogStep> {
    prop_oneof![
        12 => prop::collection::vec((0u8..4, 0i64..240, 0u8..3), 1..20).prop_map(LogStep::Append),
        2 => (0u8..4, 0i64..240).prop_map(|(stream, second)| LogStep::Large(stream, second)),
        1 => (0i64..240).prop_map(LogStep::Sample),
        2 => any::<bool>().prop_map(LogStep::Flush),
        1 => (0i64..10, any::<bool>()).prop_map(|(after, lost)| LogStep::Fail(after, lost)),
        2 => Just(LogStep::Crash),
        2 => Just(LogStep::Sweep),
        1 => Just(LogStep::Wait),
    ]
}

type LogModel = BTreeMap<String, BTreeSet<(i64, String)>>;

async fn run_logs(steps: Vec<LogStep>, seed: u64) -> Result<(), TestCaseError> {
    let fs = SimFs::new(seed);
    let mut world = world(&fs);
    world.config.wal.segment_size = 1 << 20;
    world.limits.out_of_order_window = 86_400;
    let mut ingester = world.start();
    let mut model = LogModel::new();
    for step in steps {
        let lines = match step {
            LogStep::Append(lines) => {
                let text = |which| ["a line", "another one#k=v", ""][usize::from(which)].to_owned();
                lines.into_iter().map(|(stream, second, which)| (stream, second, text(which))).collect()
            }
            LogStep::Large(stream, second) => vec![(stream, second, format!("{second} ").repeat(50_000))],
            LogStep::Sample(second) => {
                append(&ingester, &[("a=1", &[(second * 1000, 1.0)])]).await.unwrap();
                vec![]
            }
            LogStep::Flush(all) => {
                let _ = ingester.flush(if all { Which::All } else { Which::Ready }).await;
                vec![]
            }
            LogStep::Fail(after, lost) => {
                world.store.fail_after(after, lost);
                vec![]
            }
            LogStep::Crash => {
                fs.crash();
                drop(ingester);
                ingester = world.start();
                vec![]
            }
            LogStep::Sweep => {
                for head in ingester.log_heads.all() {
                    head.seal_idle(world.clock.monotonic());
                    head.sweep();
                }
                vec![]
            }
            LogStep::Wait => {
                world.clock.advance(Duration::from_secs(120));
                vec![]
            }
        };
        for (stream, second, text) in lines {
            let (name, t) = (format!("a={stream}"), second * SECOND + i64::from(stream));
            let outcome = append_logs(&ingester, &[(&name, &[(t, &text)])]).await.unwrap();
            prop_assert_eq!((outcome.pushed.lines, outcome.pushed.rejected), (1, 0));
            model.entry(format!("{{a=\"{stream}\"}}")).or_default().insert((t, text));
        }
        let left = world.store.pause();
        let expected: LogRows =
            model.iter().map(|(name, lines)| (name.clone(), lines.iter().cloned().collect())).collect();
        prop_assert_eq!(world.read_lines(&ingester).await, expected);
        world.store.resume(left);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn lines_equal_the_model_through_flushes_failures_and_crashes(
        steps in prop::collection::vec(log_step(), 1..30),
        seed in any::<u64>(),
    ) {
        runtime().block_on(run_logs(steps, seed))?;
    }
}

/// Lines that do not compress to nothing.
fn noise(random: &mut crate::fs::sim::Random, bytes: usize) -> String {
    std::iter::repeat_with(|| char::from(b'!' + random.below(90) as u8)).take(bytes).collect()
}

#[test]
fn a_window_with_enough_lines_for_a_block_waits_for_nothing() {
    let fs = SimFs::new(1);
    let mut world = world(&fs);
    world.config.wal.segment_size = 1 << 20;
    world.config.max_log_block_bytes = 1 << 20;
    runtime().block_on(async {
        let ingester = world.start();
        let mut random = crate::fs::sim::Random(7);
        for round in 1..=2 {
            for t in 0..6 {
                let text = noise(&mut random, 300_000);
                append_logs(&ingester, &[("a=1", &[(t, &text)])]).await.unwrap();
            }
            // The second time as a straggler of a window that has been flushed.
            ingester.flush(Which::Ready).await.unwrap();
            assert_eq!(world.blocks_of(Signal::Logs).await, round);
            assert!(head_lines(&ingester).await.is_empty());
        }
        assert_eq!(world.read_lines(&ingester).await[0].1.len(), 12);
    });
}

#[test]
fn lines_are_refused_when_the_bucket_is_away_too_long_and_none_is_lost() {
    let fs = SimFs::new(1);
    let mut world = world(&fs);
    world.config.wal.segment_size = 1 << 20;
    (world.config.max_log_block_bytes, world.config.max_log_head_bytes) = (1 << 20, 2 << 20);
    runtime().block_on(async {
        let ingester = world.start();
        let mut random = crate::fs::sim::Random(7);
        world.store.fail_after(0, false);
        let (mut taken, mut refused) = (0, None);
        for t in 0..100 {
            let text = noise(&mut random, 100_000);
            // Windows and streams of their own, whose pages stay open.
            match append_logs(&ingester, &[(&format!("a={t}"), &[(t * 60 * SECOND, &text)])]).await {
                Ok(_) => taken += 1,
                Err(error) => refused = Some(error),
            }
        }
        assert_eq!(refused.unwrap().code, service_api::Code::Unavailable);
        assert!((20..60).contains(&taken), "{taken}");
        ingester.flush(Which::Ready).await.unwrap_err();
        assert_eq!(head_lines(&ingester).await.len(), taken);
        world.store.heal();
        ingester.flush(Which::Ready).await.unwrap();
        let blocks = world.blocks_of(Signal::Logs).await;
        assert!(blocks > 0 && blocks < taken, "{blocks} blocks of {taken} windows: only what had to go");
        append_logs(&ingester, &[("b=1", &[(1, "again")])]).await.unwrap();
        assert_eq!(world.read_lines(&ingester).await.len(), taken + 1);
    });
}

#[tokio::test]
async fn too_many_lines_wake_the_flush() {
    let fs = SimFs::new(1);
    let mut world = world(&fs);
    world.config.wal.segment_size = 1 << 20;
    world.config.flush_interval = 3600;
    world.config.max_log_block_bytes = 1 << 20;
    let ingester = world.start();
    let drain = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&ingester).run(drain.clone()));
    let mut random = crate::fs::sim::Random(7);
    for t in 0..6 {
        append_logs(&ingester, &[("a=1", &[(t, &noise(&mut random, 300_000))])]).await.unwrap();
    }
    let written = async {
        while world.blocks_of(Signal::Logs).await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), written).await.unwrap();
    drain.cancel();
    running.await.unwrap().unwrap();
}

#[test]
fn lines_at_the_ends_of_time_and_of_all_sizes_come_through() {
    let fs = SimFs::new(1);
    let mut world = world(&fs);
    world.config.wal.segment_size = 64 << 20;
    world.limits.out_of_order_window = u64::MAX;
    runtime().block_on(async {
        let ingester = world.start();
        let long = "x\n".repeat(4 << 20);
        let mut lines = BTreeSet::new();
        for t in [
            i64::MIN,
            i64::MIN + 1,
            i64::MIN + 775_807,
            i64::MIN + 775_808,
            -60 * SECOND - 1,
            -1,
            0,
            i64::MAX - 1,
            i64::MAX,
        ] {
            let mut texts = vec!["", "\n", "\n\nabc\n"];
            if t == i64::MIN || t == 0 {
                texts.push(&long);
            }
            lines.extend(texts.iter().map(|text| (t, (*text).to_owned())));
        }
        // Each comes twice.
        let own: Vec<_> = lines.iter().map(|(t, text)| (*t, text.as_str())).collect();
        let twice: Vec<_> = own.iter().flat_map(|line| [*line, *line]).collect();
        let outcome = append_logs(&ingester, &[("a=1", &twice[..])]).await.unwrap();
        assert_eq!((outcome.pushed.lines, outcome.pushed.rejected), (twice.len() as u64, 0));
        let expected = vec![(r#"{a="1"}"#.to_owned(), lines.into_iter().collect::<Vec<_>>())];
        assert!(world.read_lines(&ingester).await == expected, "in the head");
        drop(ingester);
        fs.crash();
        let ingester = world.start();
        assert!(world.read_lines(&ingester).await == expected, "after a replay");
        ingester.flush(Which::All).await.unwrap();
        assert!(head_lines(&ingester).await.is_empty());
        assert_eq!(ingester.traces.memory.held(), 0);
        assert!(world.read_lines(&ingester).await == expected, "in blocks");
        assert!(ingester.wal.segments().len() <= 1);
    });
}

#[test]
fn streams_that_have_gone_into_blocks_are_forgotten_and_come_back() {
    let fs = SimFs::new(1);
    let world = world(&fs);
    runtime().block_on(async {
        let ingester = world.start();
        fill_logs(&ingester).await;
        ingester.flush(Which::All).await.unwrap();
        let head = ingester.log_heads.get(&tenant()).unwrap();
        let forgotten = (0..3).map(|_| head.sweep()).sum::<usize>();
        assert_eq!((forgotten, head.active_series()), (2, 0));
        append_logs(&ingester, &[("a=1", &[(90 * SECOND, "back")])]).await.unwrap();
        assert_eq!(head.active_series(), 1);
        assert_eq!(world.read_lines(&ingester).await[0].1.last(), Some(&(90 * SECOND, "back".into())));
    });
}
