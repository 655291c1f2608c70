//! One test: its rules are evaluated again and again over its data, and looked at on the way.

use super::{
    FileGroup, TestOptions, check,
    expected::expected_alerts,
    file::{AlertTest, TestCase, TestFile},
    input,
};
use crate::{
    memory::{MemoryLogs, MemoryMetrics},
    report::Failure,
};
use model::{Labels, NANOS_A_MILLI, TenantId, Timestamp};
use promql::engine::EngineConfig;
use query_syntax::format_duration;
use rules::{Around, Engines, GroupRun, RunConfig, Timing};
use serde_saphyr::Spanned;
use service_api::{AlertPhase, GroupState, Limits, RuleHealth, RuleKindState, RuleLanguage};
use std::{sync::Arc, time::Duration};

/// How often rules are evaluated if neither file nor test says.
const DEFAULT_INTERVAL: i64 = 60_000;

/// Evaluations of one test; more are a mistake of unit.
const MAX_EVALUATIONS: i64 = 10_000_000;

/// What a test has around it.
pub struct World {
    pub metrics: Arc<MemoryMetrics>,
    pub logs: Arc<MemoryLogs>,
    pub engines: Arc<Engines>,
    pub tenant: TenantId,
}

/// Runs a test. What fails in it is returned.
pub async fn test(
    options: &TestOptions,
    file: &TestFile,
    case: &TestCase,
    groups: &[FileGroup],
) -> Vec<Failure> {
    let every = file.evaluation_interval.unwrap_or(DEFAULT_INTERVAL);
    let world = match world(options, case, every) {
        Ok(world) => world,
        Err(error) => return vec![Failure::new(error)],
    };
    let mut failures = Vec::new();
    if let Err(errors) =
        evaluate(options, case, groups, (&world, every, case.interval.unwrap_or(every)), &mut failures).await
    {
        failures.extend(errors);
        return failures;
    }
    for (lang, tests) in
        [(RuleLanguage::Promql, &case.promql_expr_test), (RuleLanguage::Logql, &case.logql_expr_test)]
    {
        for test in tests {
            let found =
                check::expression(options, &world, lang, (test, case.start_timestamp), file.fuzzy_compare);
            failures.extend(found.await);
        }
    }
    failures
}

fn world(options: &TestOptions, case: &TestCase, every: i64) -> Result<World, String> {
    let metrics = Arc::new(input::metrics(case)?);
    let logs = Arc::new(input::logs(case)?);
    let config =
        EngineConfig { default_interval_ms: every, features: options.features, ..EngineConfig::default() };
    let engines = Arc::new(Engines {
        promql: Arc::new(promql::Engine::new(config)),
        logql: Arc::new(logql::Engine::default()),
        metrics: Arc::clone(&metrics) as _,
        logs: Arc::clone(&logs) as _,
        limits: Arc::new(Arc::new(Limits::default())),
        clock: Arc::clone(&options.clock),
    });
    Ok(World { metrics, logs, engines, tenant: TenantId::anonymous() })
}

/// Until when rules are evaluated: the last time that something is expected of.
fn last_time(case: &TestCase) -> i64 {
    let alerts = case.alert_rule_test.iter().map(|test| test.value.eval_time);
    let expressions = case.promql_expr_test.iter().chain(&case.logql_expr_test);
    alerts.chain(expressions.map(|test| test.value.eval_time)).max().unwrap_or(0)
}

/// Evaluates all groups over all of the test's time, and compares alerts when their time has come. Errors are
/// of rules that could not be evaluated; they end the test.
async fn evaluate(
    options: &TestOptions,
    case: &TestCase,
    groups: &[FileGroup],
    (world, every, interval): (&World, i64, i64),
    failures: &mut Vec<Failure>,
) -> Result<(), Vec<Failure>> {
    let fail = |message: String| vec![Failure::new(message)];
    let start = case.start_timestamp;
    let end =
        start.checked_add(last_time(case)).ok_or_else(|| fail("the test ends after all time".into()))?;
    if (end - start) / every > MAX_EVALUATIONS {
        return Err(fail(format!(
            "rules would be evaluated more than {MAX_EVALUATIONS} times: is evaluation_interval ({}) right?",
            format_duration(every)
        )));
    }
    let mut runs = runs(options, case, groups, world, interval);
    let mut pending: Vec<&Spanned<AlertTest>> = case.alert_rule_test.iter().collect();
    pending.sort_by_key(|test| test.value.eval_time);
    let mut pending = pending.into_iter().peekable();
    let mut at = start;
    while at <= end {
        world.metrics.load_until(at, start, interval).map_err(fail)?;
        world.logs.show_until(at.saturating_mul(NANOS_A_MILLI));
        let mut states = Vec::with_capacity(runs.len());
        for run in &mut runs {
            run.evaluate(at, &mut |_| {}).await;
            states.push(run.state());
        }
        let broken: Vec<Failure> = states.iter().flat_map(|state| failed_rules(state, at - start)).collect();
        if !broken.is_empty() {
            return Err(broken);
        }
        // What is expected of a time is expected of the evaluation before it.
        while let Some(test) = pending.next_if(|test| test.value.eval_time < at + every - start) {
            failures.extend(check::alerts(
                test,
                &expected_alerts(&test.value),
                &firing(&states, &test.value.alertname),
            ));
        }
        at += every;
    }
    Ok(())
}

fn runs(
    options: &TestOptions,
    case: &TestCase,
    groups: &[FileGroup],
    world: &World,
    interval: i64,
) -> Vec<GroupRun> {
    let around = Arc::new(Around {
        queries: Arc::clone(&world.engines) as _,
        results: Arc::clone(&world.metrics) as _,
        clock: Arc::clone(&options.clock),
        external_labels: Labels::from_pairs(&case.external_labels),
        external_url: case.external_url.clone(),
        promql: options.features.parse_options(),
    });
    let config = Arc::new(RunConfig::default());
    let run = |(file, group): &FileGroup| {
        let timing = Timing {
            interval: group.interval.unwrap_or(Duration::from_millis(interval.unsigned_abs())),
            query_offset: group.query_offset.unwrap_or_default(),
        };
        GroupRun::new(
            world.tenant.clone(),
            file,
            group.clone(),
            timing,
            Arc::clone(&config),
            Arc::clone(&around),
        )
    };
    groups.iter().map(run).collect()
}

fn failed_rules(state: &GroupState, at: Timestamp) -> impl Iterator<Item = Failure> {
    state.rules.iter().filter_map(move |rule| match &rule.health {
        RuleHealth::Failed(error) => {
            Some(Failure::new(format!("the rule {} at {} failed: {error}", rule.name, format_duration(at))))
        }
        _ => None,
    })
}

/// The labels and annotations of the alerts of that name that fire.
fn firing(states: &[GroupState], name: &str) -> Vec<(Labels, Labels)> {
    let rules = states.iter().flat_map(|state| &state.rules).filter(|rule| rule.name == name);
    let mut firing = Vec::new();
    for rule in rules {
        let RuleKindState::Alerting { alerts, .. } = &rule.kind else { continue };
        for alert in alerts.iter().filter(|alert| alert.phase == AlertPhase::Firing) {
            let annotations = alert.annotations.iter().map(|(name, value)| (name, value));
            firing.push((alert.labels.clone(), Labels::from_pairs(annotations)));
        }
    }
    firing
}
