//! `yagura rules`, `query` and `push` against a server that runs.

use super::{evaluated, until};
use integration_tests::{Settings, Yagura, binary, free_port};
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// What a command has printed, and its exit code.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub errors: String,
}

/// Runs it with `input`; words and the address go as people give them.
pub fn run(address: &str, folder: &Path, words: &[&str], input: &str) -> Done {
    let mut command = Command::new(binary());
    command.args(words).env_clear().env("YAGURA_ADDRESS", address).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Done { code: output.status.code().unwrap(), out: text(output.stdout), errors: text(output.stderr) }
}

/// As `run`, without input and for what must succeed; gives what it prints.
fn good(yagura: &Yagura, folder: &Path, words: &[&str]) -> String {
    let done = run(yagura.base(), folder, words, "");
    assert_eq!(done.code, 0, "{words:?}: {done:?}");
    done.out
}

const WEB: &str = "groups:\n- name: latency\n  interval: 1s\n  rules:\n  - record: app:latency:max\n    expr: max by (app) \
                   (latency_seconds)\n- name: errors\n  interval: 1s\n  rules:\n  - alert: Errors\n    expr: sum by (app) \
                   (count_over_time({app=\"api\"} |= \"error\" [5m])) > 0\n    for: 5m\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_are_brought_to_a_server_and_taken_from_it() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let folder = settings.folder();
    let rules = folder.join("rules");
    fs::create_dir(&rules).unwrap();
    fs::write(rules.join("web.yaml"), WEB).unwrap();
    let run = |words: &[&str]| run(yagura.base(), folder, words, "");
    let good = |words: &[&str]| good(&yagura, folder, words);

    assert!(good(&["rules", "list"]).contains("there are no rule groups"));
    let planned = run(&["rules", "diff", "rules"]);
    assert_eq!(planned.code, 1, "{planned:?}");
    assert!(planned.out.contains("2 to be created, 0 to be updated, 0 to be deleted"), "{planned:?}");
    let synced = good(&["rules", "sync", "rules"]);
    assert!(synced.contains("created: web / latency") && synced.contains("2 changed"), "{synced}");
    evaluated(&yagura, "web", "latency").await;
    evaluated(&yagura, "web", "errors").await;

    let listed = good(&["rules", "list"]);
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let listed: Vec<_> = listed.lines().map(words).collect();
    assert_eq!(
        listed,
        [vec!["namespace", "group", "rules"], vec!["web", "errors", "1"], vec!["web", "latency", "1"]]
    );
    let got = good(&["rules", "get", "web", "latency"]);
    assert!(got.starts_with("name: latency\n") && got.contains("record: app:latency:max"), "{got}");
    assert!(
        good(&["rules", "diff", "rules"]).contains("0 to be updated, 0 to be deleted, 2 as they should be")
    );
    assert!(good(&["rules", "sync", "rules"]).contains("0 changed, 2 as they should be"));

    // One group is another now, one is not in the files any more.
    let changed = WEB.split_once("- name: errors").unwrap().0.replace("max by", "min by");
    fs::write(rules.join("web.yaml"), changed).unwrap();
    let differs = run(&["rules", "diff", "rules"]);
    assert_eq!(differs.code, 1, "{differs:?}");
    let lines: Vec<&str> = differs.out.lines().map(str::trim).collect();
    let has = |sign: char, text: &str| lines.iter().any(|line| line.starts_with(sign) && line.contains(text));
    assert!(
        has('-', "max by (app)") && has('+', "min by (app)") && has('-', "alert: Errors"),
        "{}",
        differs.out
    );
    good(&["rules", "sync", "rules", "--dry-run"]);
    assert!(good(&["rules", "get", "web"]).contains("max by"), "nothing has changed so far");
    assert!(good(&["rules", "sync", "rules"]).contains("2 changed"));
    until("the other expression is run", async || {
        let shown = evaluated(&yagura, "web", "latency").await;
        (shown["rules"][0]["query"] == "min by (app) (latency_seconds)").then_some(())
    })
    .await;
    assert_eq!(run(&["rules", "get", "web", "errors"]).code, 1);

    good(&["rules", "delete", "web", "latency"]);
    let gone = run(&["rules", "delete", "web"]);
    assert_eq!(gone.code, 1, "{gone:?}");
    assert!(gone.errors.contains("there is no namespace web"), "{gone:?}");
    fs::write(rules.join("bad.yaml"), "groups: [{name: b, rules: [{record: r, expr: '(('}]}]").unwrap();
    let wrong = run(&["rules", "sync", "rules"]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(wrong.out.contains("bad.yaml") && wrong.out.contains("nothing was changed"), "{wrong:?}");
    assert!(good(&["rules", "list"]).contains("there are no rule groups"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_pushed_is_found_by_queries() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let folder = settings.folder();
    let push = |words: &[&str], input: &str| run(yagura.base(), folder, words, input);
    let scrape =
        "# TYPE latency_seconds gauge\nlatency_seconds{app=\"api\"} 0.75\nlatency_seconds{app=\"web\"} 2\n";
    let sent = push(&["push", "metrics", "-", "--label", "job=shop"], scrape);
    assert!(sent.code == 0 && sent.out.contains("2 samples sent"), "{sent:?}");
    let sent = push(
        &["push", "logs", "--label", "app=api", "--label", "level=error"],
        "no answer\nno answer, again\n",
    );
    assert!(sent.code == 0 && sent.out.contains("2 lines sent"), "{sent:?}");

    let asked = |words: &[&str]| good(&yagura, folder, words);
    until("samples are found", async || {
        let found = asked(&["query", "sum(latency_seconds{job=\"shop\"})", "-o", "raw"]);
        (found.trim() == "2.75").then_some(())
    })
    .await;
    let json = asked(&["query", "latency_seconds{app=\"api\"}", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json.to_string().contains("\"0.75\""), "{json}");
    let lines = asked(&["query", "{app=\"api\"} |= \"again\"", "-o", "raw", "--start", "-5m"]);
    assert_eq!(lines.trim(), "no answer, again");
    let count = asked(&["query", "sum(count_over_time({app=\"api\"}[5m]))", "--logs", "-o", "raw"]);
    assert_eq!(count.trim(), "2");
    assert!(asked(&["query", "--label-values", "app", "-o", "raw"]).contains("web"));

    let bad = push(&["push", "metrics", "-"], "no metric {{{\n");
    assert_eq!(bad.code, 1, "{bad:?}");
    let bad = push(&["query", "sum(("], "");
    assert!(bad.code == 1 && bad.errors.contains("PromQL"), "{bad:?}");
    assert_eq!(push(&["query", "up", "--no-such-flag"], "").code, 2);
}

#[test]
fn whoever_asks_where_nobody_is_hears_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("http://127.0.0.1:{}", free_port());
    for words in [&["rules", "list"][..], &["query", "up"], &["push", "logs", "--label", "a=b"]] {
        let done = run(&address, folder.path(), words, "a line\n");
        assert_eq!(done.code, 1, "{words:?}: {done:?}");
        let said = done.errors.contains(&address) && done.errors.contains("is Yagura running there?");
        assert!(said, "{words:?}: {done:?}");
    }
    let done = run("127.0.0.1:9009", folder.path(), &["rules", "list"], "");
    assert!(done.code != 0 && done.errors.contains("http://HOST:PORT"), "{done:?}");
}
