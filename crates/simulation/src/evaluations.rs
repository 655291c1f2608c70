//! What rulers have done, as seen from outside: who wrote for which time, and what Alertmanagers were told.

use crate::world::{Phase, World};
use model::Timestamp;
use parking_lot::Mutex;
use service_api::Alert;
use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::Ordering,
    time::Duration,
};

/// From one evaluation of a group to the next. A ruler that is gone is found out, and its claims have ended, in less.
pub const INTERVAL: Duration = Duration::from_secs(8);

/// Groups that are to be run all the time. Each records a series and has an alert that always fires.
pub const GROUPS: usize = 6;

/// How long before it is noticed that nothing is evaluated a fault may have begun.
const FAULTS_LAST: Duration = Duration::from_secs(25);

#[derive(Default)]
pub struct Evaluations(Mutex<State>);

#[derive(Default)]
struct State {
    /// Who wrote a series for a time.
    writers: HashMap<(String, Timestamp), String>,
    /// When each group was evaluated.
    times: BTreeMap<String, Vec<Timestamp>>,
    /// When faults struck.
    faults: Vec<Timestamp>,
    /// By the alert's labels: when it began, and until when it counts as firing.
    firing: BTreeMap<String, (Timestamp, Timestamp)>,
}

impl Evaluations {
    /// A ruler's write went through.
    pub fn wrote(&self, world: &World, who: &str, series: &str, time: Timestamp) {
        world.counts.evaluations.fetch_add(1, Ordering::Relaxed);
        let mut state = self.0.lock();
        let writer = state.writers.entry((series.to_owned(), time)).or_insert_with(|| who.to_owned());
        if writer != who {
            let other = writer.clone();
            drop(state);
            world.violation(who, &format!("{series} was written for {time} by {other}, too"));
            return;
        }
        if series.contains("recorded_") {
            state.times.entry(series.to_owned()).or_default().push(time);
        }
    }

    pub fn fault(&self, now: Timestamp) {
        self.0.lock().faults.push(now);
    }

    /// An Alertmanager is told at `now`.
    pub fn told(&self, world: &World, who: &str, alert: &Alert, now: Timestamp) {
        if alert.ends_at <= now {
            return world.violation(who, &format!("what fires is said to be over: {alert:?}"));
        }
        let name = format!("{:?}", alert.labels);
        let mut state = self.0.lock();
        match state.firing.get_mut(&name) {
            None => drop(state.firing.insert(name, (alert.starts_at, alert.ends_at))),
            Some((began, until)) => {
                let (before, lapsed) = (*began, *until < now);
                *until = alert.ends_at.max(*until);
                drop(state);
                if lapsed {
                    world.violation(who, &format!("the alert had ended for want of news: {alert:?}"));
                }
                if before != alert.starts_at {
                    world.violation(who, &format!("the alert that began at {before} begins anew: {alert:?}"));
                }
            }
        }
    }

    /// At the end: every group is evaluated, and a fault has cost no group more than one evaluation.
    pub fn check(&self, world: &World, now: Timestamp) {
        if world.shape.rulers == 0 {
            return;
        }
        let interval = INTERVAL.as_millis() as i64;
        let state = self.0.lock();
        let mut wrong = Vec::new();
        if state.times.len() < GROUPS || state.firing.len() < GROUPS {
            wrong.push(format!("{} groups were run, {} alerts fire", state.times.len(), state.firing.len()));
        }
        for (group, times) in &state.times {
            let ends = times.iter().copied().skip(1).chain([now]);
            for (from, to) in times.iter().copied().zip(ends) {
                let missed = (to - from - 1) / interval;
                let may_begin = from - FAULTS_LAST.as_millis() as i64;
                let faults = state.faults.iter().filter(|at| (may_begin..to).contains(*at)).count() as i64;
                if missed > faults {
                    wrong.push(format!(
                        "{group} missed {missed} evaluations from {from} to {to}, after {faults} faults"
                    ));
                }
            }
        }
        if state.firing.values().any(|(_, until)| *until < now) && world.phase() == Phase::Calm {
            wrong.push("an alert that fires has ended for want of news".to_owned());
        }
        drop(state);
        wrong.iter().for_each(|what| world.violation("rulers", what));
    }
}
