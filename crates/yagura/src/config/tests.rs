//! What people see of the configuration: the layers and the errors.

use super::*;

fn with_file(yaml: &str, env: &[(&str, &str)], set: &[&str]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("yagura.yaml");
    std::fs::write(&file, yaml).unwrap();
    let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let set = set.iter().map(|s| (*s).to_owned()).collect();
    let folder = format!("{}/", dir.path().display());
    load(Layers { file: Some(file), env, set }).map_err(|e| e.to_string().replace(&folder, ""))
}

#[test]
fn a_list_can_be_given_as_text_and_what_is_wrong_inside_of_it_is_traced() {
    let rules = "limits.retention_rules=[{selector: '{a=\"b\"}', retention: 1d}]";
    let config = with_file("", &[], &[rules]).unwrap();
    assert_eq!(config.limits.all.retention_rules[0].selector, "{a=\"b\"}");
    for (bad, why) in [
        ("1d", "limits.retention_rules: \"1d\": a list is wanted (--set)"),
        (
            "[{selector: a, retention: 24}]",
            "retention: this value: a text is wanted; put it in quotes (--set)",
        ),
        ("[{selector: '{a=', retention: 1d}]", "limits.retention_rules: a list: \"{a=\": 1:4: parse error"),
    ] {
        let error = with_file("", &[], &[&format!("limits.retention_rules={bad}")]).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn each_layer_goes_over_the_one_before() {
    let yaml = "http:\n  listen: 0.0.0.0:1\ngrpc:\n  listen: 0.0.0.0:2\nlog:\n  level: warn\n";
    let env = [("YAGURA__GRPC__LISTEN", "0.0.0.0:3"), ("YAGURA__LOG__LEVEL", "error"), ("HOME", "/")];
    let config = with_file(yaml, &env, &["log.level=debug"]).unwrap();
    assert_eq!(config.http.listen, "0.0.0.0:1");
    assert_eq!(config.grpc.listen, "0.0.0.0:3");
    assert_eq!(config.log.level, "debug");
    assert_eq!(config.data_dir, Path::new("./data"));
}

#[test]
fn an_empty_file_and_empty_sections_are_the_defaults() {
    assert_eq!(with_file("", &[], &[]).unwrap(), Config::default());
    assert_eq!(with_file("# nothing yet\nhttp:\nlog:\n  level:\n", &[], &[]).unwrap(), Config::default());
}

#[test]
fn numbers_take_units_and_text_that_looks_like_a_number_stays_text() {
    let yaml = "limits:\n  retention: 15d\n  query_memory: 64MiB\n  log_rate: 4MiB\n  ingestion_rate: 5\n";
    let env = [("YAGURA__S3__SECRET_ACCESS_KEY", "0123"), ("YAGURA__MULTITENANCY__ENABLED", "true")];
    let config = with_file(yaml, &env, &["limits.query_timeout=2m"]).unwrap();
    assert_eq!(config.limits.all.retention, 15 * 86_400);
    assert_eq!(config.limits.all.query_memory, 64 << 20);
    assert_eq!(config.limits.all.log_rate, 4 << 20);
    assert_eq!(config.limits.all.ingestion_rate, 5.0);
    assert_eq!(config.limits.all.query_timeout, 120);
    assert_eq!(config.s3.secret_access_key.unwrap().reveal(), "0123");
    assert!(config.multitenancy.enabled);
}

#[test]
fn errors_name_key_value_source_and_what_was_meant() {
    let yaml = "http:\n  lisen: 1\n\nlimits:\n  retention: long\n  max_serie: 3\n";
    let env = [("YAGURA__HTTP__MAX_CONNECTIONS", "many"), ("YAGURA__S3", "x")];
    let error = with_file(yaml, &env, &["wal.sync=sometimes", "retention=3d"]).unwrap_err();
    let lines: Vec<_> = error.lines().collect();
    for want in [
        "http.lisen is not a setting (yagura.yaml, line 2); did you mean http.listen?",
        "limits.max_serie is not a setting (yagura.yaml, line 6); did you mean limits.max_series?",
        "retention is not a setting (--set); did you mean limits.retention?",
        "s3 is a section, not a single value: set s3.access_key_id, s3.endpoint, s3.region, s3.secret_access_key (environment variable YAGURA__S3)",
    ] {
        assert!(lines.contains(&want), "no line {want:?} in\n{error}");
    }
}

#[test]
fn values_that_do_not_fit_are_named_with_what_is_wanted() {
    for (set, want) in [
        (
            "limits.retention=long",
            "limits.retention: \"long\": a number of seconds or a duration such as 90s, 2h or 15d is wanted (--set)",
        ),
        ("limits.max_series=-1", "limits.max_series: -1: a whole number of at least 0 is wanted (--set)"),
        ("multitenancy.enabled=yes", "multitenancy.enabled: \"yes\": true or false is wanted (--set)"),
        ("wal.sync=sometimes", "wal.sync: \"sometimes\": one of always, interval is wanted (--set)"),
        (
            "http.listen=localhost",
            "http.listen: \"localhost\": not an address and a port, such as 127.0.0.1:9009 or 0.0.0.0:9009 (every interface) (--set)",
        ),
        (
            "target=ingester",
            "target: \"ingester\": a process that is not everything needs ring.store: etcd to find the others (--set)",
        ),
        ("log.level=loud", "log.level: \"loud\": not a level: error, warn, info, debug or trace (--set)"),
        ("bucket.url=gs://x", "bucket.url: \"gs://x\": neither file:FOLDER nor s3://BUCKET (--set)"),
        ("tracing.sample_ratio=2", "tracing.sample_ratio: 2: a share from 0 to 1 is wanted (--set)"),
        (
            "monitoring.self_scrape.interval=10m",
            "monitoring.self_scrape.interval: 600: must be between 1 and 300 seconds (--set)",
        ),
        (
            "monitoring.self_scrape.tenant=a/b",
            "monitoring.self_scrape.tenant: \"a/b\": must be a tenant's name: tenant ID 'a/b' contains unsupported character '/' (--set)",
        ),
        (
            "monitoring.self_scrape.labels=job=x",
            "monitoring.self_scrape.labels: \"job=x\": must be labels: the label job has a meaning of its own (--set)",
        ),
        ("limits.ingestion_rate=NaN", "limits.ingestion_rate: NaN: a rate of at least 0 is wanted (--set)"),
        ("http", "--set http: section.key=value is wanted"),
    ] {
        assert_eq!(with_file("", &[], &[set]).unwrap_err(), want);
    }
}

#[test]
fn a_value_from_the_file_is_named_with_its_line() {
    let error = with_file("s3:\n  region: a\n\n  access_key_id: 1234\n", &[], &[]).unwrap_err();
    assert_eq!(error, "s3.access_key_id: 1234: a text is wanted; put it in quotes (yagura.yaml, line 4)");
}

#[test]
fn text_that_is_no_yaml_is_named_with_its_place() {
    let error = with_file("http: [1,\nlog: }\n", &[], &[]).unwrap_err();
    assert!(error.starts_with("yagura.yaml: ") && error.contains("line 1"), "{error}");
    let error = with_file("- a\n", &[], &[]).unwrap_err();
    assert_eq!(error, "yagura.yaml: settings are wanted, such as `http: {listen: 127.0.0.1:9009}`");
    let missing = Layers { file: Some("nowhere.yaml".into()), ..Layers::default() };
    let error = load(missing).unwrap_err().to_string();
    assert!(error.starts_with("cannot read nowhere.yaml: No such file"), "{error}");
}

#[test]
fn a_secret_is_shown_nowhere() {
    let config = with_file("s3:\n  secret_access_key: \"hunter2\"\n", &[], &[]).unwrap();
    let printed = serde_saphyr::to_string(&config).unwrap();
    assert!(!printed.contains("hunter2") && printed.contains("***"), "{printed}");
    assert!(!format!("{config:?}").contains("hunter2"));
    let error = with_file("s3:\n  secret_access_key: hunter2\n  region: [x\n", &[], &[]).unwrap_err();
    assert!(!error.contains("hunter2") && error.contains("line 3"), "{error}");
    let error = with_file("s3:\n  secret_access_key: 5551234\n", &[], &[]).unwrap_err();
    assert!(!error.contains("5551234") && error.starts_with("s3.secret_access_key: ***:"), "{error}");
}

#[test]
fn the_printed_configuration_can_be_read_back() {
    let printed = serde_saphyr::to_string(&Config::default()).unwrap();
    assert_eq!(with_file(&printed, &[], &[]).unwrap(), Config::default());
}
