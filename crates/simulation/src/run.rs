//! One simulation from its seed to its verdict.

use crate::{
    chaos::Chaos,
    clock::EPOCH_MS,
    plan::Plan,
    process,
    world::{Phase, World},
};
use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::{Duration, UNIX_EPOCH},
};
use turmoil::Sim;

/// Hosts run for so long at a time, one after the other.
const TICK: Duration = Duration::from_millis(10);
/// From the last fault until everything must work again.
const HEALS_IN: Duration = Duration::from_secs(22);
/// For how long everything must work at the end.
const CALM: Duration = Duration::from_secs(5);

/// How a simulation ended.
pub struct Verdict {
    pub seed: u64,
    /// Of the whole history.
    pub hash: u64,
    pub violations: Vec<String>,
    /// The last events, one a line.
    pub history: Vec<String>,
    /// What was done, in words.
    pub counts: String,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, hash, violations, counts, .. } = self;
        write!(f, "seed {seed}, history {hash:016x}, {} violations, {counts}", violations.len())?;
        violations.iter().take(10).try_for_each(|what| write!(f, "\n  {what}"))
    }
}

pub fn run(seed: u64, plan: &Plan) -> Verdict {
    let world = Arc::new(World::new(seed, plan.shape));
    let mut sim = build(seed, &world);
    let mut chaos = Chaos::new(Arc::clone(&world), plan);
    // Everybody gets to know everybody first.
    let settled = Duration::from_secs(4);
    steps(&mut sim, &world, settled, |_, _| {});
    world.set_phase(if plan.harmless { Phase::Calm } else { Phase::Faults });
    steps(&mut sim, &world, settled + plan.faulty, |sim, now| chaos.second(sim, now));
    chaos.mend_all(&mut sim, world.time.elapsed());
    let healed = settled + plan.faulty + HEALS_IN;
    let mut mending = Chaos::new(Arc::clone(&world), &Plan { faults: Vec::new(), ..plan.clone() });
    steps(&mut sim, &world, healed, |sim, now| mending.second(sim, now));
    world.set_phase(Phase::Calm);
    let before = world.counts.answered.load(Ordering::Relaxed);
    steps(&mut sim, &world, healed + CALM, |_, _| {});
    let counts = &world.counts;
    if counts.answered.load(Ordering::Relaxed) < before + 2 * plan.shape.queriers as u64 {
        world.violation("simulation", "readers got no answers at the end");
    }
    world.evaluations.check(&world, EPOCH_MS + world.time.elapsed().as_millis() as i64);
    Verdict {
        seed,
        hash: world.history.hash(),
        violations: world.violations(),
        history: world.history.last(),
        counts: format!("{counts:?}, {} events", world.history.events()),
    }
}

fn build(seed: u64, world: &Arc<World>) -> Sim<'static> {
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .epoch(UNIX_EPOCH + Duration::from_millis(EPOCH_MS as u64))
        .simulation_duration(Duration::from_secs(3600))
        .tick_duration(TICK)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(60))
        .tcp_capacity(4096)
        .build();
    for host in &world.hosts {
        let (world, host) = (Arc::clone(world), Arc::clone(host));
        sim.host(host.name.clone(), move || process::run(Arc::clone(&world), Arc::clone(&host)));
    }
    sim
}

/// Until the simulated time; `second` is called once a simulated second.
fn steps(
    sim: &mut Sim<'static>,
    world: &World,
    until: Duration,
    mut second: impl FnMut(&mut Sim<'static>, Duration),
) {
    let mut next = sim.elapsed();
    while sim.elapsed() < until {
        world.time.set(sim.elapsed());
        if sim.elapsed() >= next {
            next += Duration::from_secs(1);
            second(sim, sim.elapsed());
        }
        if let Err(error) = sim.step() {
            world.violation("simulation", &format!("a host fails: {error}"));
            return;
        }
    }
}
