//! Selectors against a scan of all label sets; creation, condemnation, resurrection.

use super::*;
use hashbrown::HashSet;
use model::{MatchOp, Matcher, TenantId};
use proptest::prelude::*;
use service_api::{Code, Matching, ReadContext};

fn labels(text: &str) -> Labels {
    Labels::from_pairs(text.split(',').filter_map(|pair| pair.split_once('=')))
}

fn index(series: &[&str]) -> Index {
    let mut index = Index::default();
    for text in series {
        index.get_or_create(&labels(text), 0).unwrap();
    }
    index
}

fn select(index: &Index, matchers: &[(MatchOp, &str, &str)]) -> Vec<String> {
    let matchers: Vec<_> = matchers.iter().map(|(op, n, v)| Matcher::new(*op, n, v).unwrap()).collect();
    found(index, &matchers).into_iter().map(|series| index.labels(series).unwrap().to_string()).collect()
}

fn found(index: &Index, matchers: &[Matcher]) -> Vec<u32> {
    let ctx = ReadContext::new(TenantId::anonymous(), 1 << 20);
    index.select(&mut Matching::new(&ctx), matchers).unwrap()
}

#[test]
fn a_cancelled_query_looks_at_few_values() {
    let index = index(&["a=1", "a=2", "a=1,b=x"]);
    let ctx = ReadContext::new(TenantId::anonymous(), 1 << 20);
    ctx.cancel.cancel();
    // So large that one value is as much as may pass without a look.
    let matchers = [Matcher::new(MatchOp::Regex, "a", &format!(".*{}", "[0-9]?".repeat(5000))).unwrap()];
    let mut matching = Matching::new(&ctx);
    let stopped = (0..1000).find_map(|_| index.select(&mut matching, &matchers).err());
    assert_eq!(stopped.map(|error| error.code), Some(Code::Canceled));
}

#[test]
fn an_absent_label_is_an_empty_value() {
    let index = index(&["a=1", "a=2", "a=1,b=x"]);
    assert_eq!(select(&index, &[(MatchOp::Equal, "b", "")]), [r#"{a="1"}"#, r#"{a="2"}"#]);
    assert_eq!(select(&index, &[(MatchOp::NotEqual, "b", "")]), [r#"{a="1", b="x"}"#]);
    assert_eq!(select(&index, &[(MatchOp::NotEqual, "b", "x"), (MatchOp::Equal, "a", "1")]), [r#"{a="1"}"#]);
    assert_eq!(select(&index, &[(MatchOp::Regex, "nowhere", ".*")]).len(), 3);
    assert_eq!(select(&index, &[(MatchOp::Regex, "nowhere", ".+")]).len(), 0);
}

#[test]
fn a_series_over_the_limit_leaves_no_trace() {
    let mut index = index(&["a=1"]);
    assert_eq!(index.get_or_create(&labels("new=1"), 1), Err(SeriesLimit));
    assert_eq!(index.get_or_create(&labels("a=1"), 1), Ok(Found::Known(0)));
    assert_eq!(index.names().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn a_condemned_series_is_not_found_but_keeps_its_labels_until_it_is_freed() {
    let mut index = index(&["a=1,b=x", "a=2,b=x"]);
    index.condemn(&HashSet::from([0]));
    assert_eq!(index.active(), 1);
    assert_eq!(select(&index, &[(MatchOp::Equal, "b", "x")]), [r#"{a="2", b="x"}"#]);
    assert_eq!(index.values("a").collect::<Vec<_>>(), ["2"]);
    assert_eq!(index.labels(0), Some(labels("a=1,b=x")));
    assert!(index.free(0));
    assert_eq!(index.labels(0), None);
    assert_eq!(index.get_or_create(&labels("a=1,b=x"), 0), Ok(Found::Created(0)));
}

#[test]
fn a_condemned_series_comes_back_or_gives_way_to_its_successor() {
    let mut index = index(&["a=1", "a=2"]);
    index.condemn(&HashSet::from([0]));
    assert_eq!(index.resurrect(0), 0);
    assert_eq!(found(&index, &[]), [0, 1]);
    assert!(!index.free(0));

    index.condemn(&HashSet::from([1]));
    assert_eq!(index.get_or_create(&labels("a=2"), 0), Ok(Found::Created(2)));
    assert_eq!(index.resurrect(1), 2);
    assert!(index.free(1));
    assert_eq!(found(&index, &[Matcher::equal("a", "2")]), [2]);
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let op = prop::sample::select(vec![MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex]);
    let value = prop::sample::select(vec!["", "x", "y", "x|y", ".*", ".+", "x.*", "z|"]);
    (op, prop::sample::select(vec!["a", "b", "c", "d"]), value)
        .prop_map(|(op, name, value)| Matcher::new(op, name, value).unwrap())
}

proptest! {
    #[test]
    fn selecting_equals_looking_at_every_series(
        sets in prop::collection::vec(prop::collection::btree_map("[abc]", "[xyz]{1,2}", 0..4), 1..40),
        dead in prop::collection::hash_set(0u32..40, 0..10),
        matchers in prop::collection::vec(matcher(), 0..4),
    ) {
        let mut index = Index::default();
        for set in &sets {
            index.get_or_create(&Labels::from_pairs(set), 0).unwrap();
        }
        index.condemn(&dead.into_iter().collect());
        for series in 0..20 {
            if series % 3 == 0 { index.free(series); } else if series % 3 == 1 { index.resurrect(series); }
        }
        let live = index.series.iter().filter(|s| s.is_some()).count();
        prop_assert_eq!(live, index.active());
        let expected: Vec<u32> = (0..sets.len() as u32)
            .filter(|&s| index.series.get(s as usize).is_some_and(Option::is_some))
            .filter(|&s| matchers.iter().all(|m| m.matches_labels(&index.labels(s).unwrap())))
            .collect();
        prop_assert_eq!(found(&index, &matchers), expected);
    }
}
