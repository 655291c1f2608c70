//! No acknowledged entry is missing from a result that is said to be right still.

use super::*;
use crate::{QuerierMetrics, test_support::*};
use hash_ring::RingView;
use model::Timestamp;
use service_api::{Code, Heard, MetricsReader};

const AWAY: Mode = Mode::Fails(Code::Internal);

/// Of three ingesters with three replicas of everything, those in `set` answer.
struct World {
    fakes: Vec<Arc<Fake>>,
    reader: ReplicatedReader,
}

impl World {
    fn new(view: &Arc<RingView>) -> Self {
        let fakes = fakes(view.members().len());
        (1..).zip(&fakes).for_each(|(life, fake)| *fake.life.lock() = life);
        let reader = ReplicatedReader::new(fixed(view), connect(&fakes), QuerierMetrics::default());
        Self { fakes, reader }
    }

    fn answer(&self, set: usize) {
        let mode = |at: usize| if set >> at & 1 == 1 { Mode::Answers } else { AWAY };
        self.fakes.iter().enumerate().for_each(|(at, fake)| fake.set(mode(at)));
    }

    fn append(&self, at: usize, time: Timestamp) {
        self.fakes[at].sample("n=1", time, 1.0);
        self.fakes[at].changes.lock().push(time);
    }

    async fn changes(&self, since: &DataVersion) -> Change {
        self.reader.changes(&ctx(), Signal::Metrics, TimeRange::ALL, since).await.unwrap()
    }

    async fn earliest(&self, since: &DataVersion) -> Option<Timestamp> {
        self.changes(since).await.earliest
    }
}

/// When an entry comes to an ingester.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    BeforeVersion,
    BeforeRead,
    Later,
    Never,
}

/// All ways in which an entry may come to two or three of three ingesters, and in which a version, a read
/// and a later question may each miss one of them.
#[tokio::test]
async fn what_a_result_missed_is_told_whoever_was_late() {
    use Comes::{BeforeRead, BeforeVersion, Later, Never};
    const KINDS: [Comes; 4] = [BeforeVersion, BeforeRead, Later, Never];
    const QUORUMS: [usize; 4] = [0b111, 0b110, 0b101, 0b011];
    let (view, mut missed, mut told) = (ring(3, 3), 0, 0);
    for number in 0..64 {
        let comes = [KINDS[number % 4], KINDS[number / 4 % 4], KINDS[number / 16]];
        if comes.iter().filter(|comes| **comes != Never).count() < 2 {
            continue;
        }
        for case in 0..64 {
            let (version, read, later) = (QUORUMS[case % 4], QUORUMS[case / 4 % 4], QUORUMS[case / 16]);
            let world = World::new(&view);
            (0..3).for_each(|at| world.append(at, 10));
            let append = |when| (0..3).filter(|at| comes[*at] == when).for_each(|at| world.append(at, 50));
            append(BeforeVersion);
            world.answer(version);
            let before = world.changes(&DataVersion::default()).await.version;
            append(BeforeRead);
            world.answer(read);
            let heard = Arc::new(Heard::default());
            let listening = ReadContext { heard: Some(Arc::clone(&heard)), ..ctx() };
            let set = MetricsReader::select(&world.reader, &listening, &everything()).await.unwrap();
            append(Later);
            world.answer(later);
            let since = before.only(|id| heard.always(id));
            let earliest = world.earliest(&since).await;
            if samples(&set)[0].1.len() == 1 {
                missed += 1;
                assert!(earliest.is_some_and(|t| t <= 50), "{comes:?} {version:b} {read:b} {later:b}");
            } else if earliest.is_none() {
                told += 1;
            }
        }
    }
    assert!(missed > 100 && told > 100, "{missed} were missed, {told} were said to be right");
}

#[tokio::test]
async fn an_ingester_that_is_missing_restarted_or_new_does_not_matter_if_the_others_are_enough() {
    let view = ring(3, 3);
    let world = World::new(&view);
    (0..3).for_each(|at| world.append(at, 10));
    let since = world.changes(&DataVersion::default()).await.version;
    assert_eq!(world.earliest(&since).await, None);
    world.answer(0b110);
    assert_eq!(world.earliest(&since).await, None);
    world.answer(0b111);
    *world.fakes[0].life.lock() = 9;
    assert_eq!(world.earliest(&since).await, None, "two tell");
    let after = world.changes(&since).await.version;
    assert!(!after.shares_life(&since, "m0") && after.shares_life(&since, "m1"));
    world.append(1, 20);
    assert_eq!(world.earliest(&since).await, Some(20));
    *world.fakes[2].life.lock() = 8;
    assert_eq!(world.earliest(&since).await, Some(10), "one alone is not enough");
    // Who was not asked before is as good as new.
    let only = since.clone().only(|id| id == "m1");
    assert_eq!(world.earliest(&only).await, Some(10));
}

#[tokio::test(start_paused = true)]
async fn the_late_are_waited_for_only_by_who_wants_to_know_and_not_for_long() {
    let view = ring(3, 3);
    let world = World::new(&view);
    world.fakes[0].set(Mode::Hangs);
    let begun = tokio::time::Instant::now();
    let version = world.changes(&DataVersion::default()).await.version;
    assert_eq!((version.heads.len(), begun.elapsed()), (2, PATIENCE));
    MetricsReader::select(&world.reader, &ctx(), &everything()).await.unwrap();
    assert_eq!(begun.elapsed(), PATIENCE);
    let heard = Arc::new(Heard::default());
    let listening = ReadContext { heard: Some(Arc::clone(&heard)), ..ctx() };
    MetricsReader::select(&world.reader, &listening, &everything()).await.unwrap();
    assert_eq!((begun.elapsed(), heard.always("m0"), heard.always("m1")), (PATIENCE * 2, false, true));
    world.fakes[1].set(AWAY);
    world.fakes[0].set(AWAY);
    let error = world.reader.changes(&ctx(), Signal::Metrics, TimeRange::ALL, &version).await.unwrap_err();
    assert_eq!(error.code, Code::Unavailable);
}

/// After all of them were restarted one of their answers is enough to go on from.
#[tokio::test]
async fn whoever_was_counted_can_tell_the_next_time() {
    let world = World::new(&ring(3, 3));
    (0..3).for_each(|at| world.append(at, 50));
    world.answer(0b111);
    let before = world.changes(&DataVersion::default()).await.version;
    (11..).zip(&world.fakes).for_each(|(life, fake)| *fake.life.lock() = life);
    let restarted = world.changes(&before).await;
    assert_eq!((restarted.earliest, restarted.counted.len()), (Some(50), 3));
    let counted = |id: &str| restarted.counted.iter().any(|counted| **counted == *id);
    let after = restarted.version.clone().only(counted);
    assert_eq!(world.earliest(&after).await, None);
    // One that is restarted alone cannot tell, and the others need not wait for it.
    *world.fakes[1].life.lock() = 99;
    let one = world.changes(&after).await;
    assert_eq!((one.earliest, one.counted.len()), (None, 2));
}
