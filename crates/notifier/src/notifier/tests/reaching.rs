//! What is reached for tenants, and what is not.

use super::{
    fake::{Answer, nobody},
    *,
};

const FAILED: &str = "yagura_notifications_failed_total{alertmanager=\"tenant\"}";

fn setup(networks: &str, names: Names) -> Setup {
    let config = NotifierConfig { tenant_networks: networks.parse().unwrap(), ..config() };
    Setup::with_lookup(config, Arc::new(names))
}

fn set(setup: &Setup, tenant: &str, targets: &str) {
    let alerting = tenants(&format!("alertmanagers: [{{static_configs: [{{targets: [{targets}]}}]}}]"));
    setup.notifier.set_tenants(&TenantId::new(tenant).unwrap(), Some(alerting));
}

#[tokio::test]
async fn a_tenants_own_are_used_in_place_of_the_operators() {
    let (setup, ours, theirs) =
        (setup("127.0.0.0/8", Names::default()), Fake::new().await, Fake::new().await);
    setup.notifier.set_operators(Alerting::from_urls(&format!("http://{}", ours.address)).unwrap());
    set(&setup, "a", &format!("'{}'", theirs.address));
    setup.notify("a", &["one"]);
    setup.notify("b", &["two"]);
    theirs.has(&["one"]).await;
    ours.has(&["two"]).await;
    let a = TenantId::new("a").unwrap();
    assert_eq!(setup.notifier.alertmanagers(&a), [format!("http://{}/api/v2/alerts", theirs.address)]);
    setup.notifier.set_tenants(&a, None);
    setup.notify("a", &["three"]);
    ours.has(&["three"]).await;
    assert_eq!((ours.names().len(), theirs.names().len()), (2, 1));
}

#[tokio::test]
async fn addresses_that_are_not_public_are_not_connected_to() {
    let server = Fake::new().await;
    let names = Names::default();
    names.addresses.lock().insert("inside.example".into(), vec![vec!["127.0.0.1", "::ffff:127.0.0.1"]]);
    let setup = setup("", names);
    let port = server.address.port();
    set(&setup, "a", &format!("'127.0.0.1:{port}', '[::ffff:127.0.0.1]:{port}', 'inside.example:{port}'"));
    setup.notify("a", &["one"]);
    until("three failures", || setup.metric(FAILED) >= 3.0).await;
    assert!(server.received().is_empty());
    let checked =
        setup.notifier.check(&tenants("alertmanagers: [{static_configs: [{targets: ['127.0.0.1']}]}]"));
    assert_eq!(checked.unwrap_err(), "target 127.0.0.1: this address is not allowed; use a public one");
}

/// The name has one address when it is checked and, a moment later, another: what was checked is connected to.
#[tokio::test]
async fn a_name_is_not_looked_up_again_behind_its_check() {
    let close = |_| Answer { headers: vec![("connection", "close".into())], ..Answer::default() };
    let port = nobody().port();
    let secret = Fake::at(([127, 0, 0, 1], port).into(), close).await;
    let open = Fake::at(([127, 0, 0, 2], port).into(), close).await;
    let names = Names::default();
    let answers =
        vec![vec!["127.0.0.2"], vec!["127.0.0.1"], vec!["127.0.0.1", "127.0.0.2"], vec!["127.0.0.1"]];
    names.addresses.lock().insert("rebinds.example".into(), answers);
    let setup = setup("127.0.0.2", names);
    set(&setup, "a", &format!("'rebinds.example:{port}'"));
    setup.notify("a", &["one"]);
    open.has(&["one"]).await;
    setup.notify("a", &["two"]);
    open.has(&["two"]).await;
    assert!(setup.metric(FAILED) >= 1.0);
    setup.notify("a", &["three"]);
    until("it fails", || setup.metric(FAILED) >= 2.0).await;
    assert_eq!(open.names(), ["one", "two"]);
    assert!(secret.received().is_empty());
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let inside = Fake::new().await;
    let to = format!("http://{}/latest/meta-data", inside.address);
    let server = Fake::answering(move |_| Answer {
        status: 307,
        headers: vec![("location", to.clone())],
        ..Answer::default()
    });
    let (server, setup) = (server.await, setup("127.0.0.0/8", Names::default()));
    set(&setup, "a", &format!("'{}'", server.address));
    setup.notify("a", &["one"]);
    until("it is refused", || setup.metric(FAILED) == 1.0).await;
    setup.notify("a", &["two"]);
    until("it is refused", || setup.metric(FAILED) == 2.0).await;
    assert_eq!(server.received().len(), 2);
    assert!(inside.received().is_empty());
}
