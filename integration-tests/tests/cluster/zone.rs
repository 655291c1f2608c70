//! Row 15: one zone of three is gone.

use integration_tests::{Cluster, Layout, Load, Role, Traffic, soak};
use std::time::Duration;
use tokio::time::sleep;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_15_a_zone_of_three_is_gone() {
    let away = Duration::from_secs(if soak() { 300 } else { 10 });
    let layout = Layout::default().ingesters(6).distributors(3).queriers(3).zones(&["a", "b", "c"]);
    let mut cluster = Cluster::start(layout).await;
    let traffic = Traffic::start(&cluster, Load::default()).await;
    sleep(Duration::from_secs(3)).await;
    let in_zone = |cluster: &Cluster, role| {
        Vec::from_iter(cluster.of(role).into_iter().filter(|name| cluster.member(name).zone == "b"))
    };
    let (ingesters, distributors, queriers) = (
        in_zone(&cluster, Role::Ingester),
        in_zone(&cluster, Role::Distributor),
        in_zone(&cluster, Role::Querier),
    );
    assert_eq!((ingesters.len(), distributors.len(), queriers.len()), (2, 1, 1));
    // Everybody in it at the same moment. A load balancer sees connections break and goes on elsewhere.
    let all = [ingesters, distributors, queriers].concat();
    for name in &all {
        cluster.kill(name);
    }
    sleep(away).await;
    cluster.run(&all).await;
    cluster.settled().await;
    sleep(Duration::from_secs(1)).await;
    let report = traffic.finish(&cluster, &format!("row 15, a zone of three gone for {away:?}")).await;
    report.nobody_noticed();
}
