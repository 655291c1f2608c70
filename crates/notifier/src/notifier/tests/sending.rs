//! Batches, failures, and who waits for whom.

use super::{
    fake::{Answer, nobody},
    *,
};
use std::io;

#[tokio::test]
async fn alerts_go_in_batches_over_one_connection() {
    let (setup, server) = (Setup::new(config()), Fake::new().await);
    setup.notifier.set_operators(
        Alerting::from_urls(&format!("http://me:s%40cret@{}/some/prefix/", server.address)).unwrap(),
    );
    let names: Vec<String> = (0..600).map(|i| i.to_string()).collect();
    setup.notify("team", &names.iter().map(String::as_str).collect::<Vec<_>>());
    until("all of them", || server.names().len() == 600).await;
    assert_eq!(server.names(), names);
    let received = server.received();
    assert_eq!(received.iter().map(|r| r.alerts.len()).collect::<Vec<_>>(), [256, 256, 88]);
    for request in &received {
        assert_eq!(request.peer, received[0].peer, "the connection is kept");
        assert_eq!(request.path, "/some/prefix/api/v2/alerts");
        let header = |name: &str| request.headers[name].to_str().unwrap();
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("authorization"), "Basic bWU6c0BjcmV0");
        assert_eq!(header("x-scope-orgid"), "team");
        assert_eq!(header("host"), server.address.to_string());
    }
    let alert = &received[0].alerts[0];
    assert_eq!(alert["annotations"]["summary"], "it burns");
    assert_eq!(alert["generatorURL"], "http://yagura/graph");
    let url = format!("http://{}/some/prefix/api/v2/alerts", server.address);
    let by = format!("{{alertmanager=\"{url}\"}}");
    until("they are counted", || setup.metric(&format!("yagura_notifications_sent_total{by}")) == 600.0)
        .await;
    assert_eq!(setup.metric(&format!("yagura_notifications_latency_seconds_count{by}")), 3.0);
    assert_eq!(setup.metric(&format!("yagura_notifications_queue_length{by}")), 0.0);
    assert_eq!(setup.metric("yagura_notifications_queue_capacity"), 40_000.0);
    assert_eq!(setup.metric("yagura_notifications_alertmanagers_discovered"), 1.0);
    assert_eq!(setup.notifier.alertmanagers(&TenantId::anonymous()), [url]);
    setup.notifier.set_operators(Alerting::from_urls("").unwrap());
    until("it is gone", || setup.metric("yagura_notifications_alertmanagers_discovered") == 0.0).await;
}

#[tokio::test]
async fn what_fails_is_sent_again() {
    let server = Fake::answering(|at| match at {
        0 => Answer { status: 503, ..Answer::default() },
        1 => Answer { status: 429, ..Answer::default() },
        2 => Answer { delay: Duration::from_secs(60), ..Answer::default() },
        _ => Answer { body: "x".repeat(1 << 20), ..Answer::default() },
    });
    let server = server.await;
    let setup = Setup::new(NotifierConfig { timeout: Duration::from_millis(300), ..config() });
    setup.notifier.set_operators(Alerting::from_urls(&format!("http://{}", server.address)).unwrap());
    setup.notify("a", &["one", "two"]);
    until("four times", || server.received().len() == 4).await;
    let by = format!("{{alertmanager=\"http://{}/api/v2/alerts\"}}", server.address);
    until("taken", || setup.metric(&format!("yagura_notifications_sent_total{by}")) == 2.0).await;
    assert_eq!(setup.metric(&format!("yagura_notifications_failed_total{by}")), 6.0);
    assert_eq!(setup.metric(&format!("yagura_notifications_dropped_total{by}")), 0.0);
    // An answer without an end is no reason to wait, nor to send again.
    setup.notify("a", &["three"]);
    server.has(&["three"]).await;
    assert_eq!(server.received().len(), 5);
}

#[tokio::test]
async fn one_that_was_away_gets_all_once_and_the_newest() {
    let (address, setup) = (nobody(), Setup::new(NotifierConfig { queue_capacity: 16, ..config() }));
    setup.notifier.set_operators(Alerting::from_urls(&format!("http://{address}")).unwrap());
    for _ in 0..3 {
        setup.notify("a", &["one", "two", "three", "four", "five"]);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let server = Fake::at(address, |_| Answer::default()).await;
    server.has(&["two", "three", "four", "five"]).await;
    assert_eq!(server.names().len(), 4, "the oldest made room: {:?}", server.names());
}

#[tokio::test]
async fn what_is_refused_is_not_sent_again() {
    let server =
        Fake::answering(|at| Answer { status: if at == 0 { 400 } else { 200 }, ..Answer::default() });
    let (server, setup) = (server.await, Setup::new(config()));
    setup.notifier.set_operators(Alerting::from_urls(&format!("http://{}", server.address)).unwrap());
    setup.notify("a", &["one"]);
    server.has(&["one"]).await;
    setup.notify("a", &["two"]);
    server.has(&["two"]).await;
    assert_eq!(server.names(), ["one", "two"]);
    let by = format!("{{alertmanager=\"http://{}/api/v2/alerts\"}}", server.address);
    assert_eq!(setup.metric(&format!("yagura_notifications_dropped_total{by}")), 1.0);
}

#[tokio::test]
async fn a_slow_one_delays_nobody() {
    let slow = Fake::answering(|_| Answer { delay: Duration::from_secs(60), ..Answer::default() }).await;
    let (quick, dead) = (Fake::new().await, nobody());
    let setup = Setup::new(config());
    let urls = format!("http://{},http://{dead},http://{}", slow.address, quick.address);
    setup.notifier.set_operators(Alerting::from_urls(&urls).unwrap());
    for name in ["one", "two", "three"] {
        setup.notify("a", &[name]);
        let start = SystemClock::new();
        quick.has(&[name]).await;
        assert!(start.monotonic() < Duration::from_secs(1));
    }
}

#[tokio::test]
async fn what_fails_for_one_tenant_keeps_no_other_waiting() {
    let (setup, server) = (Setup::new(config()), Fake::failing_for("bad").await);
    setup.notifier.set_operators(Alerting::from_urls(&format!("http://{}", server.address)).unwrap());
    setup.notify("bad", &["bad"]);
    for tenant in ["a", "c"] {
        setup.notify(tenant, &[tenant]);
    }
    server.has(&["a", "c"]).await;
    let by = format!("{{alertmanager=\"http://{}/api/v2/alerts\"}}", server.address);
    until("the others are sent", || setup.metric(&format!("yagura_notifications_sent_total{by}")) == 2.0)
        .await;
    assert_eq!(setup.metric(&format!("yagura_notifications_queue_length{by}")), 1.0);
}

#[tokio::test]
async fn rules_of_all_and_of_each_are_applied() {
    let (setup, one, other) = (Setup::new(config()), Fake::new().await, Fake::new().await);
    setup.notifier.set_operators(operators(&format!(
        "alert_relabel_configs: [{{regex: replica, action: labeldrop}}]
alertmanagers:
- static_configs: [{{targets: ['{}']}}]
  alert_relabel_configs: [{{source_labels: [severity], target_label: urgency}}]
- static_configs: [{{targets: ['{}']}}]
  alert_relabel_configs: [{{source_labels: [severity], regex: page, action: keep}}]",
        one.address, other.address
    )));
    let page = alert(&[("alertname", "A"), ("severity", "page"), ("replica", "1")]);
    let ticket = alert(&[("alertname", "B"), ("severity", "ticket"), ("replica", "1")]);
    setup.notifier.notify(&TenantId::anonymous(), vec![page, ticket, alert(&[("replica", "1")])]);
    one.has(&["A", "B"]).await;
    other.has(&["A"]).await;
    assert_eq!(other.names(), ["A"]);
    let labels = &one.received()[0].alerts[0]["labels"];
    assert_eq!(labels.to_string(), r#"{"alertname":"A","severity":"page","urgency":"page"}"#);
}

#[tokio::test]
async fn what_waits_outlives_another_configuration() {
    let (address, setup) = (nobody(), Setup::new(config()));
    let set = |user: &str| {
        setup.notifier.set_operators(Alerting::from_urls(&format!("http://{user}@{address}")).unwrap());
    };
    set("before");
    setup.notify("a", &["one"]);
    set("before");
    setup.notify("a", &["two"]);
    set("after");
    let server = Fake::at(address, |_| Answer::default()).await;
    server.has(&["one", "two"]).await;
    for request in server.received() {
        assert_eq!(request.headers["authorization"], "Basic YWZ0ZXI6");
    }
}

#[tokio::test]
async fn what_waits_is_sent_before_the_end() {
    let (setup, server) = (Setup::new(config()), Fake::new().await);
    let urls = format!("http://{},http://{}", server.address, nobody());
    setup.notifier.set_operators(Alerting::from_urls(&urls).unwrap());
    setup.notify("a", &["one", "two"]);
    setup.drain.cancel();
    let start = SystemClock::new();
    setup.run.await.unwrap().unwrap();
    assert_eq!(server.names(), ["one", "two"]);
    let took = start.monotonic();
    assert!((Duration::from_secs(4)..Duration::from_secs(7)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn a_password_in_a_file_is_read_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "first\n").unwrap();
    let (setup, server) = (Setup::new(config()), Fake::new().await);
    setup.notifier.set_operators(operators(&format!(
        "alertmanagers: [{{authorization: {{credentials_file: '{}'}}, static_configs: [{{targets: ['{}']}}]}}]",
        file.display(),
        server.address
    )));
    setup.notify("a", &["one"]);
    server.has(&["one"]).await;
    std::fs::write(&file, "second").unwrap();
    setup.notify("a", &["two"]);
    server.has(&["two"]).await;
    let shown =
        server.received().into_iter().map(|r| r.headers["authorization"].to_str().unwrap().to_owned());
    assert_eq!(shown.collect::<Vec<_>>(), ["Bearer first", "Bearer second"]);
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_is_told_once_and_no_secret() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    // While there is one subscriber alone, whichever test comes first to a line decides for all whether it is logged.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let _guard = tracing::subscriber::set_default(subscriber);
    let server = Fake::answering(|at| Answer {
        status: if at < 3 { 500 } else { 200 },
        body: "because".into(),
        ..Answer::default()
    });
    let (server, setup) = (server.await, Setup::new(config()));
    setup.notifier.set_operators(
        Alerting::from_urls(&format!("http://me:hunter2@{},http://me:hunter2@nobody", server.address))
            .unwrap(),
    );
    setup.notify("a", &["one"]);
    until("four times", || server.received().len() == 4).await;
    setup.notify("a", &["two"]);
    server.has(&["two"]).await;
    setup.notifier.set_operators(Alerting::from_urls("").unwrap());
    let text = String::from_utf8(lines.0.lock().clone()).unwrap();
    let about = |part: &str| text.lines().filter(|l| l.contains(part)).count();
    assert_eq!(
        about("it answered 500: \\\"because\\\"") + about("it answered 500: \"because\""),
        1,
        "{text}"
    );
    assert_eq!(about("alerts are sent and taken"), 1, "{text}");
    assert_eq!(about("nobody knows nobody"), 1, "{text}");
    assert!(!text.contains("hunter2") && !text.contains("bWU6"), "{text}");
}
