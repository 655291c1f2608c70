//! A run that is handed from one ruler to the next is as one run.

use super::{
    script,
    world::{BASE, World},
};
use crate::{GroupRun, RuleGroup, RunConfig, Timing};
use model::{Labels, TenantId};
use proptest::prelude::*;
use service_api::Alert;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use vectors::Sample;

const STEPS: usize = 48;
const SERIES: usize = 3;
const INTERVAL: i64 = 15_000;
/// Times of evaluations are in no whole seconds.
const START: i64 = BASE + 345;

/// What a run wrote, value by value, and the alerts that it sent, each once.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    written: BTreeMap<(Labels, i64), u64>,
    firing: BTreeSet<(Labels, i64)>,
    resolved: BTreeSet<(Labels, i64, i64)>,
}

/// Runs a group over what is present at each step, and begins anew before the steps of `restarts`.
async fn outcome(group: &RuleGroup, present: &[[bool; SERIES]], restarts: &BTreeSet<usize>) -> Outcome {
    let world = World::new();
    let new = || {
        let timing =
            Timing { interval: Duration::from_millis(INTERVAL as u64), query_offset: Duration::from_secs(7) };
        let around = world.around(Labels::empty());
        let config = Arc::new(RunConfig::default());
        GroupRun::new(TenantId::anonymous(), "rules.yml", group.clone(), timing, config, around)
    };
    let (mut run, mut outcome) = (new(), Outcome::default());
    for (step, present) in present.iter().enumerate() {
        let at = START + step as i64 * INTERVAL;
        for (series, is_present) in present.iter().enumerate() {
            let labels = Labels::from_pairs([("__name__", "m"), ("i", &series.to_string())]);
            let value = if *is_present { 1.0 } else { model::stale_nan() };
            world.put(&labels, at - 7000, Sample::Float(value));
        }
        if restarts.contains(&step) {
            run = new();
            run.restore(at).await.unwrap();
        }
        run.evaluate(at, &mut |alerts| alerts.into_iter().for_each(|alert| outcome.send(&alert, at))).await;
    }
    for sample in world.take_written() {
        let Sample::Float(value) = sample.value else { panic!("alerts are told in floats") };
        outcome.written.insert((sample.labels, sample.timestamp), value.to_bits());
    }
    outcome
}

impl Outcome {
    fn send(&mut self, alert: &Alert, at: i64) {
        if alert.ends_at <= at {
            self.resolved.insert((alert.labels.clone(), alert.starts_at, alert.ends_at));
        } else {
            self.firing.insert((alert.labels.clone(), alert.starts_at));
        }
    }
}

/// Durations in steps.
fn alert(hold: usize, keep: usize) -> RuleGroup {
    let (hold, keep) = (hold * 15, keep * 15);
    script::group(&format!("alert A for={hold}s keep={keep}s: m > 0\n label level=of {{{{ $labels.i }}}}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What a restart swallows by design: nobody is told of the end of alerts that end with it, and those that are kept
    /// firing are kept from then on. So nothing comes or goes shortly before one.
    #[test]
    fn a_handover_changes_nothing(
        mut present in prop::collection::vec(prop::array::uniform3(prop::bool::weighted(0.7)), STEPS),
        restarts in prop::collection::btree_set(1..STEPS, 1..4),
        hold in 0_usize..5,
        keep in 0_usize..4,
    ) {
        for restart in &restarts {
            let before = restart.saturating_sub(keep + 2);
            let as_then = present[before];
            present[before..=*restart].fill(as_then);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let group = alert(hold, keep);
        let whole = runtime.block_on(outcome(&group, &present, &BTreeSet::new()));
        let handed = runtime.block_on(outcome(&group, &present, &restarts));
        prop_assert_eq!(handed, whole);
    }

    /// Whenever a run is interrupted: an alert that is told to be over did fire, and nothing gives it any more.
    #[test]
    fn a_restart_never_ends_an_alert_that_goes_on(
        present in prop::collection::vec(prop::array::uniform3(prop::bool::weighted(0.8)), STEPS),
        restarts in prop::collection::btree_set(1..STEPS, 1..6),
        hold in 0_usize..4,
        keep in 0_usize..4,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let handed = runtime.block_on(outcome(&alert(hold, keep), &present, &restarts));
        for (labels, starts_at, ends_at) in handed.resolved {
            prop_assert!(handed.firing.contains(&(labels.clone(), starts_at)), "{labels} did not fire");
            let step = ((ends_at - START) / INTERVAL) as usize;
            let series: usize = labels.get("i").unwrap().parse().unwrap();
            let was_there = present[step - keep..=step].iter().any(|present| present[series]);
            prop_assert!(!was_there, "{labels} was there less than {keep} steps before it ended at step {step}");
        }
    }
}
