//! Rule files in folders: they are evaluated, cannot be changed by requests, and a broken one changes nothing.

use super::{commands, evaluated, groups, post, take, until};
use integration_tests::{Settings, Yagura, now_ms};
use serde_json::{Value, json};
use std::fs;

const SHOP: &str = "groups:\n- name: g\n  interval: 1s\n  rules:\n  - {record: ten, expr: vector(10)}\n";
/// Either language can read this; in this folder it is LogQL.
const LINES: &str = "groups:\n- name: g\n  interval: 1s\n  rules:\n  - {alert: NoLines, expr: 'absent_over_time({a=\"b\"}[1m])'}\n";

/// How many samples the rule has written so far.
async fn written(yagura: &Yagura, series: &str) -> usize {
    let found = yagura.query().series(&format!("{series}[1h]"), now_ms()).await;
    found.first().map_or(0, |series| series.points.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_evaluated_and_what_is_broken_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (rules, logs) = (folder.path().join("rules"), folder.path().join("logs"));
    fs::create_dir(&rules).unwrap();
    fs::create_dir(&logs).unwrap();
    let shop = rules.join("shop.yaml");
    fs::write(&shop, SHOP).unwrap();
    fs::write(logs.join("lines.yml"), LINES).unwrap();
    fs::write(rules.join("README.md"), "no rules").unwrap();
    let (rules, logs) = (rules.display(), logs.display());
    let set = [
        format!("ruler.rules_dir={rules}"),
        format!("ruler.log_rules_dir={logs}"),
        "ruler.poll_interval=1s".to_owned(),
    ];
    let settings = Settings::new(&set.each_ref().map(String::as_str));
    let yagura = settings.start().await;
    evaluated(&yagura, "shop.yaml", "g").await;
    let lines = evaluated(&yagura, "lines.yml", "g").await;
    assert_eq!(
        (&lines["rules"][0]["lang"], &lines["rules"][0]["state"]),
        (&json!("logql"), &json!("firing"))
    );
    let listed = yagura.get("/config/v1/rules/shop.yaml").await;
    assert!(listed.status == 200 && listed.body.contains("record: ten"), "{}", listed.body);

    check_refused(&yagura).await;

    // A file with a mistake stays what it was.
    fs::write(&shop, SHOP.replace("vector(10)", "vector(")).unwrap();
    let said = "a rule file cannot be used";
    until("the mistake is logged", async || yagura.process.log().contains(said).then_some(())).await;
    let before = written(&yagura, "ten").await;
    until("it goes on", async || (written(&yagura, "ten").await >= before + 3).then_some(())).await;
    let shown = evaluated(&yagura, "shop.yaml", "g").await;
    assert_eq!(shown["rules"][0]["query"], "vector(10)");
    assert_eq!(yagura.process.log().matches(said).count(), 1, "it is logged once");

    // Repaired it is used, and when it is gone so are its rules.
    fs::write(&shop, SHOP.replace("ten", "eleven").replace("10", "11")).unwrap();
    until("the new one is used", async || (written(&yagura, "eleven").await > 1).then_some(())).await;
    assert_eq!(yagura.query().series("ten", now_ms()).await, [], "what is not recorded any more is stale");
    fs::remove_file(&shop).unwrap();
    until("it is gone", async || {
        let has = |g: &Value| g["file"] == "shop.yaml" && g["name"] == "g";
        (!groups(&yagura).await.iter().any(has)).then_some(())
    })
    .await;
}

/// Requests cannot change what a file says, but may have groups beside.
async fn check_refused(yagura: &Yagura) {
    let mine = "name: g\nrules: [{record: mine, expr: '1'}]\n";
    let refused = post(yagura, "/api/v1/rules/shop.yaml", mine).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert!(refused.body.contains("file of the server"), "{}", refused.body);
    for path in ["/api/v1/rules/shop.yaml/g", "/api/v1/rules/shop.yaml", "/loki/api/v1/rules/lines.yml/g"] {
        let refused = yagura.http.send("DELETE", &yagura.url(path), &[], Vec::new()).await.unwrap();
        assert_eq!(refused.status, 403, "{path}: {}", refused.body);
    }
    let words = ["rules", "delete", "shop.yaml", "g"];
    let refused = commands::run(yagura.base(), &std::env::temp_dir(), &words, "");
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.errors.contains("file of the server") && !refused.errors.contains("token"),
        "{refused:?}"
    );
    take(yagura, "/api/v1/rules/mine", mine).await;
    assert_eq!(groups(yagura).await.len(), 3);
}
