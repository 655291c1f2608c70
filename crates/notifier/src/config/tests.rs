//! Runs the script of configurations, good and bad, and looks for secrets where none may be.
#![allow(clippy::unwrap_used, reason = "a test's way to fail")]

use super::*;

/// What a configuration comes to, in a line for each set.
fn describe(alerting: &Alerting) -> String {
    let mut out = String::new();
    for set in &alerting.sets {
        let mut words = Vec::new();
        for source in &set.sources {
            match source {
                Source::Static(targets) => {
                    words.extend(
                        targets.iter().map(|target| format!("{}://{target}{}", set.scheme, set.path)),
                    );
                }
                Source::Dns { names, records, every } => {
                    words.push(format!("dns {} {records:?} {}s", names.join(" "), every.as_secs()));
                }
                Source::Files { patterns, every } => {
                    words.push(format!("files {} {}s", patterns.join(" "), every.as_secs()));
                }
            }
        }
        words.extend(set.timeout.map(|timeout| format!("timeout {timeout:?}")));
        words.extend(set.auth.as_ref().map(|auth| match auth {
            Auth::Basic { username, password } => format!("basic {username} {}", reveal(password)),
            Auth::Scheme { scheme, credentials } => format!("{scheme} {}", reveal(credentials)),
        }));
        words.extend(set.tls.server_name.as_ref().map(|name| format!("name {name}")));
        words.extend(set.tls.insecure_skip_verify.then(|| "unverified".to_owned()));
        out += &format!("{}\n", words.join(", "));
    }
    out
}

fn reveal(credentials: &Credentials) -> String {
    match credentials {
        Credentials::Given(secret) => secret.reveal().to_owned(),
        Credentials::File(file) => format!("in {}", file.display()),
    }
}

#[test]
fn configurations_are_taken_and_refused_as_the_script_says() {
    let (mut cases, mut wrong) = (0, Vec::new());
    for case in include_str!("configs.txt").split("\n===").skip(1) {
        let (head, rest) = case.split_once('\n').unwrap();
        let (text, expected) = rest.split_once("\n---\n").unwrap();
        let parsed = match head.trim() {
            "operator" => Alerting::parse(text, Trust::Operator),
            "tenant" => Alerting::parse(text, Trust::Tenant).and_then(|alerting| {
                alerting.check_addresses(&"10.9.0.0/16".parse().unwrap()).map(|()| alerting)
            }),
            "urls" => Alerting::from_urls(text),
            other => panic!("unknown kind {other:?}"),
        };
        let expected = expected.trim();
        match (parsed, expected.strip_prefix("error:")) {
            (Ok(alerting), None) if describe(&alerting).trim() == expected => {}
            (Err(message), Some(part)) if message.contains(part.trim()) && !message.contains("hunter2") => {}
            (Ok(alerting), _) => wrong.push(format!("{text}\nis: {}", describe(&alerting))),
            (Err(message), _) => wrong.push(format!("{text}\nsays: {message}")),
        }
        cases += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(cases > 50, "the script was not read: {cases}");
}

#[test]
fn secrets_are_not_printed() {
    let basic = "alertmanagers: [{basic_auth: {username: u, password: hunter2}}]";
    let bearer = "alertmanagers: [{authorization: {credentials: hunter2}}]";
    for alerting in [
        Alerting::parse(basic, Trust::Operator),
        Alerting::parse(bearer, Trust::Tenant),
        Alerting::from_urls("http://u:hunter2@am:9093"),
    ] {
        let printed = format!("{:?}", alerting.unwrap());
        assert!(printed.contains("***") && !printed.contains("hunter2"), "{printed}");
    }
}

#[test]
fn a_tenant_has_bounds() {
    let list = |count: usize, word: &str| vec![word; count].join(", ");
    for (yaml, part) in [
        (format!("alertmanagers: [{{static_configs: [{{targets: [{}]}}]}}]", list(17, "am")), "17 targets"),
        (format!("alertmanagers: [{{dns_sd_configs: [{{names: [{}]}}]}}]", list(4, "am")), "4 DNS names"),
        (format!("alertmanagers: [{}]", list(17, "{}")), "17 entries"),
        (
            format!("alert_relabel_configs: [{}]", list(101, "{regex: a, action: labeldrop}")),
            "101 relabelling",
        ),
        (format!("# {}", "x".repeat(65_536)), "65538 bytes"),
    ] {
        let message = Alerting::parse(&yaml, Trust::Tenant).unwrap_err();
        assert!(message.contains(part), "{message}");
        Alerting::parse(&yaml, Trust::Operator).unwrap();
    }
}
