//! Flushes that are interrupted anywhere, and a model of everything at once.

mod logs;

use super::*;
use crate::{
    fs::sim::{Fault, SimFs},
    test_support::{Rows, World, append, head_rows},
};
use model::{TimeRange, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// One minute, in milliseconds, so that a test needs few samples.
const BLOCK: i64 = 60_000;

fn world(fs: &SimFs) -> World {
    let mut world = World::new(Arc::new(fs.clone()));
    world.config.block_duration = 60;
    world.config.wal.segment_size = 64 << 10;
    world
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Two windows and late samples; with what a reader must see.
async fn fill(ingester: &Ingester) -> Rows {
    for t in [10_000, 70_000, 30_000, 80_000, 20_000] {
        let value = t as f64;
        let outcome = append(ingester, &[("a=1", &[(t, value)]), ("a=2", &[(t + 1, 0.5)])]).await.unwrap();
        assert_eq!(outcome.pushed.rejected, 0);
    }
    let times = [10_000, 20_000, 30_000, 70_000, 80_000];
    vec![
        (r#"{a="1"}"#.into(), times.iter().map(|&t| (t, t as f64)).collect()),
        (r#"{a="2"}"#.into(), times.iter().map(|&t| (t + 1, 0.5)).collect()),
    ]
}

#[test]
fn a_flush_moves_the_data_into_blocks_and_shortens_the_log() {
    let fs = SimFs::new(1);
    let world = world(&fs);
    runtime().block_on(async {
        let ingester = world.start();
        let expected = fill(&ingester).await;
        ingester.flush(Which::Ready).await.unwrap();
        assert_eq!(world.blocks().await, 0, "no window is complete");
        ingester.flush(Which::All).await.unwrap();
        assert_eq!(world.blocks().await, 2);
        assert!(head_rows(&ingester, vec![]).await.is_empty());
        assert_eq!(world.read(&ingester).await, expected);
        assert!(ingester.wal.segments().len() <= 1, "{:?}", ingester.wal.segments());

        drop(ingester);
        fs.crash();
        let ingester = world.start();
        assert!(head_rows(&ingester, vec![]).await.is_empty());
        assert_eq!(
            ingester.heads.get(&crate::test_support::tenant()).map_or(0, |head| head.active_series()),
            0
        );
        assert_eq!(world.read(&ingester).await, expected);
    });
}

#[test]
fn a_window_is_flushed_when_it_can_get_no_more() {
    let fs = SimFs::new(1);
    let mut world = world(&fs);
    world.limits.out_of_order_window = 60;
    runtime().block_on(async {
        let ingester = world.start();
        append(&ingester, &[("a=1", &[(10_000, 1.0), (119_998, 2.0)])]).await.unwrap();
        ingester.flush(Which::Ready).await.unwrap();
        assert_eq!(world.blocks().await, 0);
        append(&ingester, &[("a=1", &[(119_999, 3.0)])]).await.unwrap();
        ingester.flush(Which::Ready).await.unwrap();
        assert_eq!(world.blocks().await, 1);
        let recent = head_rows(&ingester, vec![]).await;
        assert_eq!(recent, [(r#"{a="1"}"#.to_owned(), vec![(119_998, 2.0), (119_999, 3.0)])]);

        // A straggler of the flushed window waits, and is seen all the while.
        append(&ingester, &[("b=1", &[(10_000, 1.0)])]).await.unwrap();
        ingester.flush(Which::Ready).await.unwrap();
        assert_eq!((world.blocks().await, world.read(&ingester).await.len()), (1, 2));
        world.clock.advance(Duration::from_secs(60));
        ingester.flush(Which::Ready).await.unwrap();
        assert_eq!((world.blocks().await, world.read(&ingester).await.len()), (2, 2));
    });
}

#[test]
fn series_that_have_gone_into_blocks_are_forgotten_and_come_back() {
    let fs = SimFs::new(1);
    let world = world(&fs);
    runtime().block_on(async {
        let ingester = world.start();
        fill(&ingester).await;
        ingester.flush(Which::All).await.unwrap();
        let head = ingester.heads.get(&crate::test_support::tenant()).unwrap();
        let forgotten = (0..3).map(|_| head.sweep()).sum::<usize>();
        assert_eq!((forgotten, head.active_series()), (2, 0));
        append(&ingester, &[("a=1", &[(90_000, 1.0)])]).await.unwrap();
        assert_eq!(head.active_series(), 1);
        assert_eq!(world.read(&ingester).await[0].1.last(), Some(&(90_000, 1.0)));
    });
}

#[test]
fn a_bucket_that_fails_at_any_step_costs_nothing() {
    runtime().block_on(async {
        for lost in [false, true] {
            for step in 0..12 {
                let fs = SimFs::new(step as u64);
                let world = world(&fs);
                let ingester = world.start();
                let expected = fill(&ingester).await;
                world.store.fail_after(step, lost);
                let first = ingester.flush(Which::All).await;
                assert!(step > 0 || first.is_err());
                append(&ingester, &[("a=3", &[(1, 1.0)])]).await.unwrap();
                world.store.heal();
                let expected: Rows =
                    expected.into_iter().chain([(r#"{a="3"}"#.into(), vec![(1, 1.0)])]).collect();
                assert_eq!(world.read(&ingester).await, expected, "after {step} operations");
                if step % 2 == 0 {
                    fs.crash();
                    drop(ingester);
                    let ingester = world.start();
                    assert_eq!(world.read(&ingester).await, expected, "after {step} operations and a crash");
                } else {
                    ingester.flush(Which::All).await.unwrap();
                    assert_eq!(world.read(&ingester).await, expected, "after {step} operations, repaired");
                    assert!(head_rows(&ingester, vec![]).await.is_empty());
                }
            }
        }
    });
}

#[test]
fn a_power_loss_at_any_step_of_a_flush_costs_nothing() {
    let mut step = 0;
    loop {
        let fs = SimFs::new(step);
        let world = world(&fs);
        let ended = runtime().block_on(async {
            let ingester = world.start();
            let expected = fill(&ingester).await;
            let before = fs.operations();
            fs.fail_in(step, Fault::Crash);
            let _ = ingester.flush(Which::All).await;
            let ended = fs.operations() - before < step;
            fs.crash();
            drop(ingester);
            let ingester = world.start();
            assert_eq!(world.read(&ingester).await, expected, "power lost at operation {step}");
            ingester.flush(Which::All).await.unwrap();
            assert_eq!(world.read(&ingester).await, expected, "flushed after power was lost at {step}");
            assert!(head_rows(&ingester, vec![]).await.is_empty());
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
enum Step {
    Append(Vec<(u8, i64, u8)>),
    Flush(bool),
    Fail(i64, bool),
    Crash,
    Sweep,
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let sample = (0u8..5, 0i64..240, prop::sample::select(vec![0u8, 0, 0, 1]));
    prop_oneof![
        12 => prop::collection::vec(sample, 1..20).prop_map(Step::Append),
        2 => any::<bool>().prop_map(Step::Flush),
        1 => (0i64..10, any::<bool>()).prop_map(|(after, lost)| Step::Fail(after, lost)),
        2 => Just(Step::Crash),
        1 => Just(Step::Sweep),
        1 => Just(Step::Wait),
    ]
}

/// By series and time, the values that were taken: more than one only if what a later one
/// contradicts had gone into a block before.
type Model = BTreeMap<String, BTreeMap<Timestamp, Vec<f64>>>;

fn agree(rows: &Rows, model: &Model) -> Result<(), TestCaseError> {
    let mut model = model.iter();
    for (labels, samples) in rows {
        let Some((name, expected)) = model.next() else {
            return Err(TestCaseError::fail("a series too many"));
        };
        prop_assert_eq!(labels, name);
        let times: Vec<_> = samples.iter().map(|s| s.0).collect();
        prop_assert_eq!(times, expected.keys().copied().collect::<Vec<_>>(), "{}", labels);
        for (t, value) in samples {
            prop_assert!(expected[t].contains(value), "{} at {}: {}", labels, t, value);
        }
    }
    prop_assert!(model.next().is_none(), "a series is missing");
    Ok(())
}

async fn run(steps: Vec<Step>, seed: u64) -> Result<(), TestCaseError> {
    let fs = SimFs::new(seed);
    let mut world = world(&fs);
    world.limits.out_of_order_window = 86_400;
    let mut ingester = world.start();
    let (mut model, mut flushed) = (Model::new(), false);
    for step in steps {
        match step {
            Step::Append(samples) => {
                for (series, second, other) in samples {
                    let (text, t) = (format!("a={series}"), second * 1000);
                    let value = second as f64 / 4.0 + f64::from(other);
                    let outcome = append(&ingester, &[(&text, &[(t, value)])]).await.unwrap();
                    let name = format!("{{a=\"{series}\"}}");
                    let taken = model.entry(name).or_default().entry(t).or_default();
                    let fits = taken.is_empty() || taken.contains(&value);
                    // What is in blocks is not looked at when samples come.
                    prop_assert!(outcome.pushed.samples == u64::from(fits) || flushed);
                    if outcome.pushed.samples == 1 && !taken.contains(&value) {
                        taken.push(value);
                    }
                }
            }
            Step::Flush(all) => {
                flushed = true;
                let _ = ingester.flush(if all { Which::All } else { Which::Ready }).await;
            }
            Step::Fail(after, lost) => world.store.fail_after(after, lost),
            Step::Crash => {
                fs.crash();
                drop(ingester);
                ingester = world.start();
            }
            Step::Sweep => {
                ingester.heads.get(&crate::test_support::tenant()).map(|head| head.sweep());
            }
            Step::Wait => world.clock.advance(Duration::from_secs(120)),
        }
        let left = world.store.pause();
        agree(&world.read(&ingester).await, &model)?;
        world.store.resume(left);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn reads_equal_the_model_through_flushes_failures_and_crashes(
        steps in prop::collection::vec(step(), 1..40),
        seed in any::<u64>(),
    ) {
        runtime().block_on(run(steps, seed))?;
    }
}

#[test]
fn windows_follow_the_block_duration() {
    let head = crate::test_support::metric_head(BLOCK);
    assert_eq!(head.window(-1), TimeRange::new(-BLOCK, -1));
    assert_eq!(head.window(BLOCK), TimeRange::new(BLOCK, 2 * BLOCK - 1));
    assert!(head.window(Timestamp::MAX).contains(Timestamp::MAX));
}

/// A reader that starts after an answer sees what was answered, however the data moves meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_out_of_sight_while_it_moves() {
    let fs = SimFs::new(3);
    let world = Arc::new(world(&fs));
    let ingester = world.start();
    let answered = Arc::new(std::sync::atomic::AtomicI64::new(0));
    let reads = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let ended = tokio_util::sync::CancellationToken::new();
    let flushing = tokio::spawn({
        let (ingester, ended) = (ingester.clone(), ended.clone());
        async move {
            while !ended.is_cancelled() {
                ingester.flush(Which::All).await.unwrap();
                ingester.heads.get(&crate::test_support::tenant()).map(|head| head.sweep());
            }
        }
    });
    let reading = tokio::spawn({
        let (ingester, world, answered, ended) =
            (ingester.clone(), world.clone(), answered.clone(), ended.clone());
        let reads = reads.clone();
        async move {
            while !ended.is_cancelled() {
                let sure = answered.load(std::sync::atomic::Ordering::SeqCst);
                for (labels, samples) in world.read(&ingester).await {
                    let times: Vec<_> = samples.iter().map(|s| s.0 / 1000).take(sure as usize).collect();
                    assert_eq!(times, (1..=sure).collect::<Vec<_>>(), "{labels}");
                }
                reads.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        }
    });
    let mut second = 0;
    // Until it has been looked at often enough, however slow the machine is.
    while second < 400 || reads.load(std::sync::atomic::Ordering::SeqCst) <= 3 {
        second += 1;
        let sample = [(second * 1000, second as f64)];
        append(&ingester, &[("a=1", &sample), ("a=2", &sample)]).await.unwrap();
        answered.store(second, std::sync::atomic::Ordering::SeqCst);
    }
    ended.cancel();
    flushing.await.unwrap();
    reading.await.unwrap();
    fs.crash();
    drop(ingester);
    let rows = world.read(&world.start()).await;
    let last = second as usize;
    assert_eq!(rows.iter().map(|(_, samples)| samples.len()).collect::<Vec<_>>(), [last, last]);
}

#[test]
fn a_longer_block_duration_does_not_take_old_marks_for_its_own() {
    let fs = SimFs::new(1);
    let mut world = world(&fs);
    runtime().block_on(async {
        let ingester = world.start();
        append(&ingester, &[("a=1", &[(10_000, 1.0), (70_000, 2.0)])]).await.unwrap();
        // The first window's block is written; with the second one's the bucket fails.
        world.store.fail_after(4, false);
        let _ = ingester.flush(Which::All).await;
        world.store.heal();
        assert_eq!(world.blocks().await, 1);
        drop(ingester);
        world.config.block_duration = 120;
        let ingester = world.start();
        append(&ingester, &[("b=1", &[(500_000, 1.0)])]).await.unwrap();
        ingester.wal.cut().await.unwrap();
        ingester.flush(Which::Ready).await.unwrap();
        let before = world.read(&ingester).await;
        assert_eq!(before[0].1, [(10_000, 1.0), (70_000, 2.0)]);
        fs.crash();
        drop(ingester);
        assert_eq!(world.read(&world.start()).await, before);
    });
}

#[test]
fn a_flush_makes_space_on_a_disk_that_is_full_to_the_last_byte() {
    let fs = SimFs::new(1);
    let world = world(&fs);
    runtime().block_on(async {
        let ingester = world.start();
        let expected = fill(&ingester).await;
        ingester.wal.cut().await.unwrap();
        fs.set_capacity(fs.used());
        let _ = ingester.flush(Which::All).await;
        assert_eq!(ingester.wal.segments().len(), 1);
        assert_eq!(world.read(&ingester).await, expected);
        ingester.flush(Which::All).await.unwrap();
    });
}

#[test]
fn windows_at_the_ends_of_time_do_not_overlap() {
    let head = crate::test_support::metric_head(BLOCK);
    for t in [Timestamp::MIN, Timestamp::MAX - BLOCK, Timestamp::MIN + 5 * BLOCK] {
        let window = head.window(t);
        assert!(window.contains(t));
        assert_eq!(head.window(window.end + 1).start, window.end + 1);
        assert_eq!(head.window(window.start), window);
    }
}
