//! Start, stop and start again: drain, lock, tenants, reload, what is kept.

use integration_tests::{Http, Ledger, Process, Settings, TimeSeries, Version, now_ms};
use std::{fs, time::Duration};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_under_load_drains_and_loses_nothing() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let url = yagura.base().to_owned();
    let sender = tokio::spawn(async move {
        let (mut ledger, http) = (Ledger::new("drain", 10, Version::V1), Http::default());
        for _ in 0..400 {
            ledger.send(&http, &url).await;
        }
        ledger
    });
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(yagura.stop().await.success());
    let ledger = sender.await.unwrap();
    assert!(ledger.acknowledged() > 0);
    let yagura = settings.start().await;
    ledger.check(&yagura).await;
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_refused() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    let mut second = Process::start(settings.command(), &settings.folder().join("second.log"));
    let status = second.ended(Duration::from_secs(10)).await;
    let log = second.log();
    assert!(!status.success());
    let holder = format!("is in use by process {}", yagura.process.id());
    assert!(log.contains(&holder) && log.contains("data_dir"), "{log}");
    assert_eq!(yagura.get("/ready").await.status, 200);
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let settings = Settings::default();
    let mut command = settings.command();
    command.args(["--set", &format!("http.listen={address}")]);
    let mut process = Process::start(command, &settings.folder().join("log"));
    assert!(!process.ended(Duration::from_secs(10)).await.success());
    let log = process.log();
    assert!(log.contains(&format!("cannot listen on {address} (http.listen)")), "{log}");
    assert!(log.contains("Address already in use"), "{log}");
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_made_is_named() {
    let settings = Settings::default();
    let file = settings.folder().join("file");
    fs::write(&file, "").unwrap();
    let settings = settings.with_data_dir(&file.join("data"));
    let mut process = Process::start(settings.command(), &settings.folder().join("log"));
    assert!(!process.ended(Duration::from_secs(10)).await.success());
    let log = process.log();
    assert!(log.contains("cannot make the data folder") && log.contains("Not a directory"), "{log}");
}

#[tokio::test]
async fn health_readiness_and_metrics_answer() {
    let settings = Settings::default();
    let yagura = settings.start().await;
    for path in ["/ready", "/-/ready", "/-/healthy"] {
        assert_eq!(yagura.get(path).await.status, 200, "{path}");
    }
    let metrics = yagura.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    for name in ["process_resident_memory_bytes ", "process_cpu_seconds_total ", "yagura_http_connections "] {
        assert!(metrics.body.contains(name), "no {name} in\n{}", metrics.body);
    }
    assert_eq!(yagura.get("/no/such/path").await.status, 404);
}

#[tokio::test]
async fn tenants_do_not_see_each_other() {
    let settings = Settings::new(&["multitenancy.enabled=true"]);
    let yagura = settings.start().await;
    let now = now_ms();
    let series = [TimeSeries::new(&[("__name__", "secret_of_a")], &[(now, 1.0)])];
    let refused = yagura.write(Version::V1, &series).await;
    assert_eq!((refused.status, refused.body.trim()), (401, "no org id"));

    let as_tenant = |name| [Version::V1.headers(), &[("x-scope-orgid", name)]].concat();
    let written = yagura.post("/api/v1/write", &as_tenant("team-a"), Version::V1.body(&series)).await;
    assert_eq!(written.status / 100, 2, "{}", written.body);
    for (tenant, seen) in [("team-a", true), ("team-b", false)] {
        let url = yagura.url("/api/v1/query?query=secret_of_a");
        let answer = yagura.http.send("GET", &url, &[("x-scope-orgid", tenant)], Vec::new()).await.unwrap();
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body.contains("secret_of_a"), seen, "{tenant}: {}", answer.body);
    }
    let evil = yagura.post("/api/v1/write", &as_tenant("../team-a"), Version::V1.body(&series)).await;
    assert_eq!(evil.status, 400, "{}", evil.body);
}

#[tokio::test]
async fn limits_of_a_tenant_change_while_the_process_runs() {
    let settings = Settings::new(&["limits.overrides_file=overrides.yaml"]);
    let file = settings.folder().join("overrides.yaml");
    fs::write(&file, "overrides:\n").unwrap();
    let yagura = settings.start().await;
    let long = "x".repeat(100);
    let write = async || {
        let series = [TimeSeries::new(&[("__name__", "m"), ("label", &long)], &[(now_ms(), 1.0)])];
        yagura.write(Version::V1, &series).await.status
    };
    assert_eq!(write().await / 100, 2);
    fs::write(&file, "overrides:\n  anonymous:\n    max_label_value_length: 50\n").unwrap();
    assert_eq!(yagura.post("/-/reload", &[], Vec::new()).await.status, 200);
    // The series is known already: only a new one is checked.
    let series = [TimeSeries::new(&[("__name__", "other"), ("label", &long)], &[(now_ms(), 1.0)])];
    assert_eq!(yagura.write(Version::V1, &series).await.status, 400);

    fs::write(&file, "overrides:\n  anonymous:\n    max_label_value_lengt: 50\n").unwrap();
    yagura.process.signal("HUP");
    for _ in 0..500 {
        if yagura.process.log().contains("did you mean overrides.anonymous.max_label_value_length?") {
            let metrics = yagura.get("/metrics").await.body;
            assert!(
                metrics.contains("yagura_reread_failures_total{setting=\"limits.overrides_file\"} 1\n"),
                "{metrics}"
            );
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the mistake was not reported:\n{}", yagura.process.log());
}
