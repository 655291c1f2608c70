//! Templates that make queries, on runtimes of both kinds; links, and what a run tells of itself.

use super::{
    script,
    world::{BASE, World},
};
use crate::{GroupRun, RunConfig, Timing};
use model::{Labels, TenantId};
use service_api::{Alert, RuleHealth, RuleKindState};
use std::{sync::Arc, time::Duration};
use vectors::Sample;

async fn first_alerts(text: &str, series: &[(&str, f64)], external: Labels) -> Vec<Alert> {
    let world = World::new();
    for (instance, value) in series {
        let labels = Labels::from_pairs([("__name__", "m"), ("i", *instance)]);
        world.put(&labels, BASE, Sample::Float(*value));
    }
    let timing = Timing { interval: Duration::from_secs(30), query_offset: Duration::ZERO };
    let (tenant, config, around) =
        (TenantId::anonymous(), Arc::new(RunConfig::default()), world.around(external));
    let mut run = GroupRun::new(tenant, "rules.yml", script::group(text), timing, config, around);
    run.restore(BASE).await.unwrap();
    let mut sent = Vec::new();
    let evaluation = run.evaluate(BASE, &mut |alerts| sent.extend(alerts)).await;
    assert_eq!((evaluation.failures, evaluation.sent), (0, sent.len() as u64), "{:?}", run.state());
    assert_eq!(run.end(BASE + 1).await.len(), sent.len());
    sent
}

const QUERIES: &str = r#"alert A: m > 1
    annotation both={{ range query "sort(m)" }}{{ .Labels.i }}={{ .Value }};{{ end }}
    annotation own={{ with printf "m{i='%s'} * 10" .Labels.i | query }}{{ . | first | value }}{{ end }}"#;

async fn queries_are_answered() {
    let sent = first_alerts(QUERIES, &[("a", 1.0), ("b", 2.0), ("c", 3.0)], Labels::empty()).await;
    let own: Vec<_> = sent.iter().map(|alert| alert.annotations[1].1.as_str()).collect();
    assert_eq!(own, ["20", "30"]);
    assert!(sent.iter().all(|alert| alert.annotations[0].1 == "a=1;b=2;c=3;"), "{sent:?}");
}

#[tokio::test]
async fn queries_of_templates_are_answered_on_one_thread() {
    queries_are_answered().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_of_templates_are_answered_on_many_threads() {
    // A task of its own: what runs groups goes from thread to thread.
    tokio::spawn(queries_are_answered()).await.unwrap();
}

#[tokio::test]
async fn queries_that_fail_or_are_too_many_are_told_in_the_text() {
    let text = "alert A: m > 0
        annotation wrong={{ query \"sum(\" }}
        annotation many={{ range query \"count_values('v', label_replace(m, 'i', '', '', ''))\" }}{{ end }}";
    let sent = first_alerts(text, &[("a", 1.0)], Labels::empty()).await;
    let told = |name: &str| &sent[0].annotations.iter().find(|(n, _)| n == name).unwrap().1;
    assert!(told("wrong").starts_with("<error expanding template: "), "{}", told("wrong"));
    assert_eq!(told("many"), "");
    let mut many = String::from("alert A: m > 0\n annotation many=");
    many.extend((0..101).map(|i| format!("{{{{ with query \"{i}\" }}}}{{{{ end }}}}")));
    let sent = first_alerts(&many, &[("a", 1.0)], Labels::empty()).await;
    assert!(sent[0].annotations[0].1.contains("may run 100 queries"), "{sent:?}");
}

#[tokio::test]
async fn an_alert_says_where_it_comes_from() {
    let external = Labels::from_pairs([("region", "eu"), ("i", "never")]);
    let sent = first_alerts("alert A: m{i=~\"a b|ü+\"} > 0", &[("a b", 1.0)], external).await;
    assert_eq!(sent[0].labels.to_string(), r#"{alertname="A", i="a b", region="eu"}"#);
    assert_eq!(
        sent[0].generator_url,
        "http://yagura.example/graph?g0.expr=m%7Bi%3D~%22a+b%7C%C3%BC%2B%22%7D+%3E+0&g0.tab=1"
    );
}

#[tokio::test]
async fn a_state_tells_of_all_rules() {
    let world = World::new();
    let text = "record r lang=logql: sum(count_over_time({a=\"b\"}[1m]))
        label l=1
        alert A for=1m keep=2m: sum  by(i)(m)>0
        annotation z=1
        annotation a={{ $value }}";
    let timing = Timing { interval: Duration::from_secs(30), query_offset: Duration::from_secs(1) };
    let (config, around) = (Arc::new(RunConfig::default()), world.around(Labels::empty()));
    let group = script::group(text);
    let mut run = GroupRun::new(TenantId::anonymous(), "rules.yml", group, timing, config, around);
    let state = run.state();
    assert_eq!(
        (state.namespace.as_str(), state.name.as_str(), state.last_evaluation),
        ("rules.yml", "group", None)
    );
    assert_eq!((state.interval, state.query_offset), (timing.interval, timing.query_offset));
    let told: Vec<_> =
        state.rules.iter().map(|rule| (rule.name.as_str(), rule.query.as_str(), &rule.health)).collect();
    let unknown = &RuleHealth::Unknown;
    assert_eq!(
        told,
        [("r", "sum(count_over_time({a=\"b\"}[1m]))", unknown), ("A", "sum by (i) (m) > 0", unknown)]
    );
    assert_eq!(state.rules[0].labels.to_string(), "{l=\"1\"}");
    let RuleKindState::Alerting { hold, keep_firing_for, annotations, alerts } = &state.rules[1].kind else {
        panic!("the second rule is one of alerts")
    };
    assert_eq!((hold.as_secs(), keep_firing_for.as_secs(), alerts.len()), (60, 120, 0));
    assert_eq!(annotations[0], ("a".to_owned(), "{{ $value }}".to_owned()));
    run.evaluate(BASE, &mut |_| {}).await;
    let state = run.state();
    assert_eq!(state.last_evaluation, Some(BASE));
    assert!(state.rules.iter().all(|r| r.health == RuleHealth::Ok && r.last_evaluation == Some(BASE)));
}
