//! Rules in a bucket and in folders.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;
use object_store::memory::InMemory;
use service_api::Limits;
use std::fs;

fn reading() -> Reading {
    Reading { lang: None, promql: promql::ParseOptions::default() }
}

fn group(name: &str, expr: &str) -> RuleGroup {
    let name = name.replace('\'', "''");
    let yaml = format!("name: '{name}'\nrules:\n- record: a:b\n  expr: {expr}\n");
    rules::read_group(&yaml, &reading()).unwrap()
}

fn stored(bucket: &Bucket, folders: Vec<Folder>, limits: Limits) -> Stored {
    Stored::new(bucket.clone(), folders, reading(), Arc::new(Arc::new(limits)), Networks::default())
}

fn bucket() -> Bucket {
    Bucket::new(Arc::new(InMemory::new()), "some/prefix")
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

fn names(groups: &[StoredGroup]) -> Vec<(&str, &str)> {
    groups.iter().map(|s| (s.namespace.as_str(), s.group.name.as_str())).collect()
}

const ODD: &[&str] = &[
    "a",
    "..",
    ".",
    "/",
    "a/b",
    "a%2Fb",
    "%2e%2e",
    "../../x",
    "ü ñ",
    "日本",
    "a.b",
    " ",
    "\"",
    "alertmanagers",
    "@rules",
    "-",
    "_",
    "A",
    "a+b?c#d&e=f",
    "\\",
    "~",
    "{}",
    "*",
    "e\u{301}",
];

/// Row 31: whatever names are, they name what they were given to and nothing else.
#[tokio::test]
async fn odd_names_stay_apart_and_below_their_tenant() {
    let bucket = bucket();
    let store = stored(&bucket, vec![], Limits::default());
    let (a, b) = (tenant("a"), tenant("a.b*!'()"));
    for (at, namespace) in ODD.iter().enumerate() {
        for (t, tenant) in [&a, &b].into_iter().enumerate() {
            let expr = format!("x{at}_{t}");
            store.put(tenant, namespace, group(ODD[ODD.len() - 1 - at], &expr)).await.unwrap();
        }
    }
    for (t, tenant) in [&a, &b].into_iter().enumerate() {
        let all = store.groups(tenant, None).await.unwrap();
        assert_eq!(all.len(), ODD.len());
        for (at, namespace) in ODD.iter().enumerate() {
            let found = store.groups(tenant, Some(namespace)).await.unwrap();
            assert_eq!(names(&found), [(*namespace, ODD[ODD.len() - 1 - at])]);
            assert_eq!(found[0].group.rules[0].expr.text(), format!("x{at}_{t}"));
        }
    }
    // Another process sees the same.
    let other = stored(&bucket, vec![], Limits::default()).catalogue().await.0;
    assert_eq!(other.groups.keys().collect::<Vec<_>>(), [&a, &b]);
    assert_eq!(other.groups[&b].len(), ODD.len());
    for (folders, _) in bucket.tree("").await.unwrap() {
        assert!(folders.len() == 3 && folders[0] == "@rules", "{folders:?}");
        assert!(folders[1] == a.as_str() || folders[1] == b.as_str(), "{folders:?}");
    }
    for namespace in ODD {
        store.delete_namespace(&a, namespace).await.unwrap();
    }
    assert!(store.groups(&a, None).await.unwrap().is_empty());
    assert_eq!(store.groups(&b, None).await.unwrap().len(), ODD.len());
    for bad in ["", "a\0b", "a\nb", &"x".repeat(300)] {
        let error = store.put(&a, bad, group("x", "x")).await.unwrap_err();
        assert_eq!(error.code, Code::BadRequest, "{bad:?}");
    }
}

#[tokio::test]
async fn a_group_is_replaced_deleted_and_seen_by_others() {
    let bucket = bucket();
    let (here, there) =
        (stored(&bucket, vec![], Limits::default()), stored(&bucket, vec![], Limits::default()));
    let t = tenant("t");
    here.put(&t, "n", group("g", "up")).await.unwrap();
    here.put(&t, "n", group("h", "up")).await.unwrap();
    assert_eq!(there.catalogue().await.0.groups[&t].len(), 2);
    // The same length, so that only the tag tells of it.
    here.put(&t, "n", group("g", "pu")).await.unwrap();
    let seen = there.groups(&t, Some("n")).await.unwrap();
    assert_eq!((names(&seen), seen[0].group.rules[0].expr.text()), (vec![("n", "g"), ("n", "h")], "pu"));
    let name = |group: &str| GroupName { namespace: "n".into(), group: group.into() };
    here.delete(&t, &name("g")).await.unwrap();
    assert_eq!(here.delete(&t, &name("g")).await.unwrap_err().code, Code::NotFound);
    assert_eq!(here.delete_namespace(&t, "m").await.unwrap_err().code, Code::NotFound);
    assert_eq!(there.catalogue().await.0.groups[&t].len(), 1);
    here.delete_namespace(&t, "n").await.unwrap();
    assert!(there.catalogue().await.0.groups.is_empty());
}

#[tokio::test]
async fn what_cannot_be_understood_does_not_hide_the_rest_and_stays_what_it_was() {
    let bucket = bucket();
    let store = stored(&bucket, vec![], Limits::default());
    let t = tenant("t");
    store.put(&t, "n", group("g", "up")).await.unwrap();
    store.put(&t, "n", group("h", "up")).await.unwrap();
    assert_eq!(store.groups(&t, None).await.unwrap().len(), 2);
    let (folders, object) = bucket.tree("").await.unwrap().swap_remove(0);
    let name = format!("{}/{}", folders.join("/"), object.name);
    for bad in ["name: [", "name: other\nrules: []\n", "\u{0}"] {
        bucket.put(&name, vec![bad.into()]).await.unwrap();
        assert_eq!(store.groups(&t, None).await.unwrap().len(), 2, "{bad}");
    }
    bucket.put("@rules/t/n!/x", vec!["name: x".into()]).await.unwrap();
    bucket.put("@rules/x", vec!["name: x".into()]).await.unwrap();
    assert_eq!(store.catalogue().await.0.groups[&t].len(), 2);
    // Somebody who has not seen it before has nothing to go on with.
    assert_eq!(stored(&bucket, vec![], Limits::default()).groups(&t, None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn limits_count_groups_and_rules() {
    let limits = Limits { max_rule_groups: 2, max_rules_per_group: 1, ..Limits::default() };
    let store = stored(&bucket(), vec![], limits);
    let t = tenant("t");
    store.put(&t, "n", group("g", "up")).await.unwrap();
    store.put(&t, "m", group("g", "up")).await.unwrap();
    let error = store.put(&t, "m", group("h", "up")).await.unwrap_err();
    assert_eq!(error.to_string(), "groups with this one: 3, and limits.max_rule_groups allows 2");
    store.put(&t, "m", group("g", "down")).await.unwrap();
    let two = rules::read_group("name: g\nrules: [{record: a, expr: b}, {record: c, expr: d}]", &reading())
        .unwrap();
    let error = store.put(&t, "m", two).await.unwrap_err();
    assert_eq!(error.to_string(), "rules of the group: 2, and limits.max_rules_per_group allows 1");
}

#[tokio::test]
async fn files_of_the_operator_are_read_again_and_cannot_be_changed_by_requests() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("team/one.yaml");
    fs::create_dir(dir.path().join("team")).unwrap();
    fs::create_dir(dir.path().join("..data")).unwrap();
    fs::write(dir.path().join("..data/hidden.yaml"), "groups: [{name: h, rules: []}]").unwrap();
    fs::write(&file, "groups: [{name: g, rules: [{record: a, expr: b}]}]").unwrap();
    fs::write(dir.path().join("mine.yml"), "groups: [{name: g, rules: [{record: a, expr: b}]}]").unwrap();
    fs::write(dir.path().join("readme.md"), "no rules").unwrap();
    let store = stored(&bucket(), vec![Folder::new(dir.path(), reading())], Limits::default());
    let (team, anonymous) = (tenant("team"), TenantId::anonymous());
    let catalogue = store.catalogue().await.0;
    assert_eq!(catalogue.groups.keys().collect::<Vec<_>>(), [&anonymous, &team]);
    assert_eq!(names(&store.groups(&anonymous, None).await.unwrap()), [("mine.yml", "g")]);
    let error = store.put(&team, "one.yaml", group("g", "up")).await.unwrap_err();
    assert_eq!(error.code, Code::Forbidden);
    assert_eq!(store.delete_namespace(&team, "one.yaml").await.unwrap_err().code, Code::Forbidden);
    store.put(&team, "one.yaml", group("other", "up")).await.unwrap();
    assert_eq!(names(&store.groups(&team, None).await.unwrap()), [("one.yaml", "g"), ("one.yaml", "other")]);

    fs::write(&file, "groups: [{name: g, rules: [{record: a, expr: 'b('}]}]").unwrap();
    assert_eq!(store.groups(&team, None).await.unwrap().len(), 2, "a mistake changes nothing");
    fs::write(&file, "groups: [{name: new, rules: [{record: a, expr: b}]}]").unwrap();
    assert_eq!(
        names(&store.groups(&team, None).await.unwrap()),
        [("one.yaml", "new"), ("one.yaml", "other")]
    );
    fs::remove_file(&file).unwrap();
    assert_eq!(names(&store.groups(&team, None).await.unwrap()), [("one.yaml", "other")]);
}

#[tokio::test]
async fn a_tenants_own_alertmanagers_need_leave() {
    let yaml = "alertmanagers: [{static_configs: [{targets: ['am.example.com:9093']}]}]";
    let bucket = bucket();
    let t = tenant("t");
    let refused = stored(&bucket, vec![], Limits::default()).set_alerting(&t, Some(yaml)).await.unwrap_err();
    assert_eq!(refused.code, Code::Forbidden);
    let store = stored(&bucket, vec![], Limits { own_alertmanagers: true, ..Limits::default() });
    for bad in ["alertmanagers: 1", "alertmanagers: [{static_configs: [{targets: ['127.0.0.1:9093']}]}]"] {
        assert_eq!(store.set_alerting(&t, Some(bad)).await.unwrap_err().code, Code::BadRequest, "{bad}");
    }
    store.set_alerting(&t, Some(yaml)).await.unwrap();
    assert_eq!(store.alerting(&t).await.unwrap().as_deref(), Some(yaml));
    assert_eq!(store.catalogue().await.0.alerting[&t], yaml);
    let forbidden = stored(&bucket, vec![], Limits::default());
    assert!(forbidden.catalogue().await.0.alerting.is_empty(), "it is not allowed any more");
    store.set_alerting(&t, None).await.unwrap();
    assert_eq!(store.alerting(&t).await.unwrap(), None);
}

#[tokio::test]
async fn what_cannot_be_read_at_the_moment_stays_what_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let rules = dir.path().join("rules");
    fs::create_dir(&rules).unwrap();
    fs::write(rules.join("one.yaml"), "groups: [{name: g, rules: [{record: a, expr: b}]}]").unwrap();
    let store = stored(&bucket(), vec![Folder::new(&rules, reading())], Limits::default());
    let (before, problems) = store.catalogue().await;
    assert!(problems.is_empty() && before.groups.len() == 1);
    fs::rename(&rules, dir.path().join("away")).unwrap();
    let (after, problems) = store.catalogue().await;
    assert!(problems.len() == 1 && problems[0].message.contains("cannot read rules in"), "{problems:?}");
    assert_eq!(after.groups, before.groups);
    assert!(store.groups(&TenantId::anonymous(), None).await.is_err(), "who asks is told");
}
