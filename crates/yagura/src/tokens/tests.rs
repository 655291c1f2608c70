//! What a file of tokens may say, and that its mistakes are told without its secrets.

use super::*;
use prometheus_client::registry::Registry;
use std::fs;

/// `printf %s right | sha256sum`
const RIGHT: &str = "27042f4e6eca7d0b2a7ee4026df2ecfa51d3339e6d122aa099118ecd8563bad9";

fn one(rest: &str) -> String {
    format!("tokens:\n- name: x\n  {rest}\n")
}

fn good(tenant: &str, access: &str) -> Token {
    let text = one(&format!("sha256: \"{RIGHT}\"\n  tenant: {tenant}\n  access: {access}"));
    parse(&text).unwrap().remove(0).1
}

#[test]
fn a_token_is_for_a_tenant_or_some_or_all() {
    let tenants = |yaml| match good(yaml, "read").tenants {
        TenantSet::All => vec!["all".to_owned()],
        TenantSet::Only(some) => some.iter().map(TenantId::to_string).collect(),
    };
    assert_eq!(tenants("team-a"), ["team-a"]);
    assert_eq!(tenants("[b, a]"), ["a", "b"]);
    assert_eq!(tenants("\"*\""), ["all"]);
    let grants = |yaml| good("a", yaml).grants;
    assert_eq!(grants("read"), Grants { read: true, ..Grants::default() });
    let changes = Grants { write: true, admin: true, ..Grants::default() };
    assert_eq!(grants("[write, admin]"), changes);
    assert_eq!(grants("[read, rules]"), Grants { read: true, rules: true, ..Grants::default() });
}

#[test]
fn mistakes_are_named_and_values_are_not_shown() {
    let canary = "canary-9f8e7d";
    let hash = format!("sha256: \"{RIGHT}\"");
    let two = |name: &str, hash: &str| {
        let rest = format!("{hash}\n  tenant: a\n  access: read\n");
        format!("{}- name: {name}\n  {rest}", one(&rest))
    };
    for (text, want) in [
        (String::new(), "a list of tokens"),
        ("tokens: []".into(), "1 to 10000"),
        (format!("tokens: [{canary}"), "not YAML"),
        (format!("tokens:\n- {canary}"), "name, sha256, tenant and access are wanted"),
        (format!("{canary}: 1\n{}", two("second", &hash)), "more than `tokens`"),
        (format!("tokens: {canary}"), "a list of tokens"),
        (one(&format!("sha256: {canary}")), "sha256: the hash"),
        (one(&format!("sha256: \"{}\"", &RIGHT[1..])), "sha256: the hash"),
        (one(&format!("sha256: \"{RIGHT}0\"")), "sha256: the hash"),
        (one(&hash), "tenant: a tenant"),
        (one(&format!("{hash}\n  tenant: [a, \"*\"]")), "tenant: a tenant"),
        (one(&format!("{hash}\n  tenant: []")), "tenant: a tenant"),
        (one(&format!("{hash}\n  tenant: {canary}/..")), "tenant: a tenant"),
        (one(&format!("{hash}\n  tenant: a|b")), "tenant: a tenant"),
        (one(&format!("{hash}\n  tenant: 42")), "in quotes if it looks like a number"),
        (one(&format!("{hash}\n  tenant: a")), "access: read, write"),
        (one(&format!("{hash}\n  tenant: a\n  access: {canary}")), "access: read, write"),
        (one(&format!("{hash}\n  tenant: a\n  access: read\n  token: {canary}")), "only name, sha256"),
        (two("second", &hash), "token second has the hash of token x"),
        (
            two("x", "sha256: \"0000000000000000000000000000000000000000000000000000000000000000\""),
            "two tokens",
        ),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(want), "{text}\n{error}");
        assert!(!error.contains(canary), "{error}");
    }
}

#[test]
fn a_file_with_a_mistake_leaves_the_tokens_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("tokens.yaml");
    let reread = Reread::new(&mut Registry::default());
    let config = AuthConfig { tokens_file: file.display().to_string(), open_metrics: true };
    assert!(open(&AuthConfig::default(), &reread).unwrap().is_none());
    assert!(open(&config, &reread).is_err(), "without its tokens it does not start");
    fs::write(&file, one(&format!("sha256: \"{RIGHT}\"\n  tenant: a\n  access: read"))).unwrap();
    let auth = open(&config, &reread).unwrap().unwrap();
    let known = |text: &str| auth.tokens.load().find(text.as_bytes()).is_some();
    assert!(known("right") && !known("wrong") && auth.open_metrics);
    fs::write(&file, "tokens:\n").unwrap();
    let error = reread.reload().unwrap_err().to_string();
    assert!(error.starts_with("auth.tokens_file: ") && known("right"), "{error}");
    let wrong = "\"8810ad581e59f2bc3928b261707a71308f7e139eb04820366dc4d5c18d980225\"";
    fs::write(&file, one(&format!("sha256: {wrong}\n  tenant: a\n  access: read"))).unwrap();
    reread.reload().unwrap();
    assert!(known("wrong") && !known("right"));
}
