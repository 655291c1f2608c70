//! Alertmanagers that are found in DNS and in files.

use super::*;

const EVERY: Duration = Duration::from_secs(1);

#[tokio::test]
async fn services_are_found_and_what_waits_for_them_is_sent() {
    let (one, other) = (Fake::new().await, Fake::new().await);
    let names = Arc::new(Names::default());
    let setup = Setup::with_lookup(config(), names.clone());
    setup.notifier.set_operators(operators(
        "alertmanagers: [{dns_sd_configs: [{names: [_am._tcp.example], refresh_interval: 1s}]}]",
    ));
    // Nobody answers yet.
    setup.notify("a", &["early"]);
    until("a failure", || setup.metric("yagura_notifications_failed_lookups_total") >= 1.0).await;
    assert_eq!(setup.metric("yagura_notifications_queue_length{alertmanager=\"undiscovered\"}"), 1.0);
    let answers =
        vec![vec![one.address.to_string()], vec![one.address.to_string(), other.address.to_string()]];
    names.services.lock().insert("_am._tcp.example".into(), answers);
    one.has(&["early"]).await;
    until("two", || setup.notifier.alertmanagers(&TenantId::anonymous()).len() == 2).await;
    setup.notify("a", &["late"]);
    one.has(&["late"]).await;
    other.has(&["late"]).await;
    // A lookup that fails is no reason to forget them.
    names.services.lock().clear();
    tokio::time::sleep(EVERY + EVERY / 2).await;
    setup.notify("a", &["later"]);
    one.has(&["later"]).await;
    names.services.lock().insert("_am._tcp.example".into(), vec![Vec::new()]);
    until("none", || setup.notifier.alertmanagers(&TenantId::anonymous()).is_empty()).await;
    until("they are gone", || setup.metric("yagura_notifications_alertmanagers_discovered") == 0.0).await;
}

#[tokio::test]
async fn files_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Fake::new().await;
    let setup = Setup::new(config());
    setup.notifier.set_operators(operators(&format!(
        "alertmanagers: [{{file_sd_configs: [{{files: ['{}/*.yml'], refresh_interval: 1s}}]}}]",
        folder.path().display()
    )));
    setup.notify("a", &["early"]);
    std::fs::write(folder.path().join("am.yml"), format!("- targets: ['{}']", server.address)).unwrap();
    server.has(&["early"]).await;
}

/// A server that is started again under a new address gets what waited for it under the old one.
#[tokio::test]
async fn what_waits_follows_to_a_new_address() {
    let (gone, server) = (fake::nobody(), Fake::new().await);
    let names = Names::default();
    let answers = vec![vec![gone.to_string()], vec![server.address.to_string()]];
    names.services.lock().insert("am".into(), answers);
    let setup = Setup::with_lookup(config(), Arc::new(names));
    setup
        .notifier
        .set_operators(operators("alertmanagers: [{dns_sd_configs: [{names: [am], refresh_interval: 1s}]}]"));
    until("found", || !setup.notifier.alertmanagers(&TenantId::anonymous()).is_empty()).await;
    setup.notify("a", &["one"]);
    server.has(&["one"]).await;
}
