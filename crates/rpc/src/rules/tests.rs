//! States of rules there and back, and items that make no sense.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;
use model::{Labels, stale_nan};
use proptest::{collection::vec, option, prelude::*};
use prost::Message;
use service_api::Code;

fn labels() -> impl Strategy<Value = Labels> {
    vec((".{1,4}", ".{0,4}"), 0..4).prop_map(Labels::from_pairs)
}

fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    vec((".{0,4}", ".{0,8}"), 0..3)
}

fn durations() -> impl Strategy<Value = Duration> {
    prop_oneof![any::<u64>(), 0..u64::from(u32::MAX), Just(0)].prop_map(Duration::from_nanos)
}

fn values() -> impl Strategy<Value = f64> {
    let special = [f64::NAN, stale_nan(), f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE / 2.0];
    prop_oneof![
        any::<f64>(),
        any::<u64>().prop_map(f64::from_bits),
        proptest::sample::select(special.to_vec())
    ]
}

fn alerts() -> impl Strategy<Value = AlertState> {
    let phase = prop_oneof![Just(AlertPhase::Inactive), Just(AlertPhase::Pending), Just(AlertPhase::Firing)];
    (labels(), pairs(), phase, any::<i64>(), option::of(any::<i64>()), values()).prop_map(
        |(labels, annotations, phase, active_at, keep_firing_since, value)| AlertState {
            labels,
            annotations,
            phase,
            active_at,
            keep_firing_since,
            value,
        },
    )
}

fn kinds() -> impl Strategy<Value = RuleKindState> {
    let alerting = (durations(), durations(), pairs(), vec(alerts(), 0..4));
    let alerting = alerting.prop_map(|(hold, keep_firing_for, annotations, alerts)| {
        RuleKindState::Alerting { hold, keep_firing_for, annotations, alerts }
    });
    prop_oneof![Just(RuleKindState::Recording), alerting]
}

fn rules() -> impl Strategy<Value = RuleState> {
    let lang = prop_oneof![Just(RuleLanguage::Promql), Just(RuleLanguage::Logql)];
    let health =
        prop_oneof![Just(RuleHealth::Unknown), Just(RuleHealth::Ok), ".{0,9}".prop_map(RuleHealth::Failed)];
    let texts = (".{0,9}", ".{0,9}");
    (texts, lang, labels(), health, option::of(any::<i64>()), durations(), kinds()).prop_map(
        |((name, query), lang, labels, health, last_evaluation, evaluation_time, kind)| RuleState {
            name,
            lang,
            query,
            labels,
            health,
            last_evaluation,
            evaluation_time,
            kind,
        },
    )
}

fn groups() -> impl Strategy<Value = GroupState> {
    let names = (".{0,9}", ".{0,9}");
    let times = (durations(), durations(), durations(), option::of(any::<i64>()));
    (names, times, any::<u32>(), vec(rules(), 0..4)).prop_map(
        |((namespace, name), (interval, query_offset, evaluation_time, last_evaluation), limit, rules)| {
            GroupState {
                namespace,
                name,
                interval,
                query_offset,
                limit: limit as usize,
                rules,
                last_evaluation,
                evaluation_time,
            }
        },
    )
}

/// Takes the values out, as bits: no NaN equals itself.
fn values_of(groups: &mut [GroupState]) -> Vec<u64> {
    let rules = groups.iter_mut().flat_map(|group| &mut group.rules);
    let alerts = rules.flat_map(|rule| match &mut rule.kind {
        RuleKindState::Alerting { alerts, .. } => &mut alerts[..],
        RuleKindState::Recording => &mut [],
    });
    alerts.map(|alert| std::mem::take(&mut alert.value).to_bits()).collect()
}

proptest! {
    #[test]
    fn groups_come_back_as_they_went(mut groups in vec(groups(), 0..4)) {
        let mut received = ReceivedGroups::default();
        for item in items_out(groups.clone()) {
            received.add(Item::decode(&item.encode_to_vec()[..]).unwrap()).unwrap();
        }
        let mut back = received.finish();
        prop_assert_eq!(values_of(&mut back), values_of(&mut groups));
        prop_assert_eq!(back, groups);
    }

    #[test]
    fn damaged_items_are_errors_of_the_peers(groups in vec(groups(), 1..3), at: usize, byte: u8) {
        let mut received = ReceivedGroups::default();
        for item in items_out(groups) {
            let mut bytes = item.encode_to_vec();
            let len = bytes.len();
            bytes[at % len] = byte;
            let Ok(item) = Item::decode(&bytes[..]) else { continue };
            if let Err(error) = received.add(item) {
                prop_assert_eq!(error.code, Code::Internal);
            }
        }
    }
}

#[test]
fn what_stands_in_no_place_is_refused() {
    let item = |item| Item { item: Some(item) };
    let mut received = ReceivedGroups::default();
    let nothing = Item { item: None };
    let alert = item(item::Item::Alert(Alert::default()));
    let records = item(item::Item::Rule(Rule::default()));
    let odd = Alerting { annotations: vec!["name".into()], ..Alerting::default() };
    let odd = item(item::Item::Rule(Rule { alerting: Some(odd), ..Rule::default() }));
    let unknown = item(item::Item::Rule(Rule { lang: 7, ..Rule::default() }));
    let group = item(item::Item::Group(Group::default()));
    for (wrong, then) in [
        (vec![nothing, alert.clone(), records.clone()], group),
        (vec![alert.clone(), odd, unknown], records),
        (vec![alert], Item::default()),
    ] {
        for item in wrong {
            assert_eq!(received.add(item).unwrap_err().code, Code::Internal);
        }
        let _ = received.add(then);
    }
}
