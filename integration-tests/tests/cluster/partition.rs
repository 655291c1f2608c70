//! Row 13: members that cannot reach each other, in one direction or both.

use integration_tests::{
    Cluster, Fate, Layout, Ledger, Load, OwnNetwork, Role, Traffic, Version, now, own_network, soak, tell,
};
use std::time::Duration;
use tokio::time::sleep;

const NAME: &str = "cluster::partition::row_13_partitions_make_no_false_acknowledgement";

/// Cuts or mends the wires from all of some members to all of others.
fn wires(cluster: &Cluster, from: &[String], to: &[String], cut: bool) {
    for (from, to) in from.iter().flat_map(|from| to.iter().map(move |to| (from, to))) {
        match cut {
            true => cluster.network.cut(from, to),
            false => cluster.network.mend(from, to),
        }
    }
}

/// How long it takes until each of `sends` writes in a row is acknowledged.
async fn healed(cluster: &Cluster, ledger: &mut Ledger, sends: usize) -> Duration {
    let (start, targets) = (now(), cluster.bases(Role::Distributor));
    let mut in_a_row = 0;
    while in_a_row < sends {
        let taken = ledger.send_to_one_of(&cluster.http, &targets).await == Fate::Acknowledged;
        in_a_row = if taken { in_a_row + 1 } else { 0 };
        assert!(start.elapsed() < Duration::from_secs(60), "a minute after it was mended writes still fail");
        sleep(Duration::from_millis(50)).await;
    }
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_13_partitions_make_no_false_acknowledgement() {
    match own_network(NAME) {
        OwnNetwork::Inside => {}
        OwnNetwork::Passed => return,
        OwnNetwork::NotPermitted => {
            return tell("skipped: network namespaces are not permitted here (row 13)");
        }
    }
    let long = Duration::from_secs(if soak() { 60 } else { 8 });
    let cluster = Cluster::start(Layout::default().namespaces()).await;
    let ingesters = cluster.of(Role::Ingester);
    let distributors = cluster.of(Role::Distributor);
    let readers = cluster.of(Role::Querier);
    let mut probe = Ledger::new("probe", 5, Version::V2).replicated();

    // One ingester, which nobody reaches and which reaches nobody; then it hears and cannot answer;
    // then it can speak and hears nothing. Two remain each time, and nobody notices.
    let traffic = Traffic::start(&cluster, Load::default()).await;
    sleep(Duration::from_secs(2)).await;
    let others = [distributors.clone(), readers.clone()].concat();
    let alone = &ingesters[..1];
    for (out, back) in [(true, true), (true, false), (false, true)] {
        for (cut, from, to) in [(out, alone, &others[..]), (back, &others[..], alone)] {
            if cut {
                wires(&cluster, from, to, true);
            }
        }
        sleep(long).await;
        for (cut, from, to) in [(out, alone, &others[..]), (back, &others[..], alone)] {
            if cut {
                wires(&cluster, from, to, false);
            }
        }
        let after = healed(&cluster, &mut probe, 10).await;
        assert!(after < Duration::from_secs(15), "it healed after {after:?}");
        sleep(Duration::from_secs(2)).await;
    }
    let report =
        traffic.finish(&cluster, "row 13, one ingester cut off, in both directions and in each").await;
    report.nobody_noticed();

    // Two of three, as the distributors see it: nothing may be acknowledged, and nothing that was is lost.
    let traffic = Traffic::start_as(&cluster, "cut", Load::default()).await;
    sleep(Duration::from_secs(2)).await;
    let pair = &ingesters[1..];
    wires(&cluster, &distributors, pair, true);
    let mut taken = 0;
    let start = now();
    while start.elapsed() < long {
        let fate = probe.send_to_one_of(&cluster.http, &cluster.bases(Role::Distributor)).await;
        // What was on its way when the wires were cut may have arrived.
        taken += usize::from(fate == Fate::Acknowledged && start.elapsed() > Duration::from_secs(1));
    }
    wires(&cluster, &distributors, pair, false);
    let after = healed(&cluster, &mut probe, 10).await;
    let report = traffic.finish(&cluster, "row 13, two ingesters of three cut off").await;
    tell(&format!("row 13: {taken} false acknowledgements; writes were taken {after:?} after it was mended"));
    assert_eq!(taken, 0, "writes were acknowledged that only one ingester can have");
    assert!(after < Duration::from_secs(15), "it healed after {after:?}");
    report.something_was_done();
    report.nothing_was_wrong();
    for querier in &readers {
        probe.check_at(&cluster.http, &cluster.member(querier).base()).await;
    }
}
