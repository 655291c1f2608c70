//! The harness itself: a fault that does not happen shows nothing.

use integration_tests::{
    Etcd, Ledger, Network, OwnNetwork, S3, S3Faults, Settings, Version, own_network, tell,
};
use std::{fs, net::Ipv4Addr, path::Path, process::Command, time::Duration};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_fails_as_it_is_told_and_comes_back() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("bucket")).unwrap();
    let mut s3 = S3::start(root.path(), Ipv4Addr::LOCALHOST.into()).await;
    let set = s3.settings("bucket");
    let settings = Settings::new(&set.iter().map(String::as_str).collect::<Vec<_>>());
    let yagura = settings.start().await;
    let mut ledger = Ledger::new("harness", 10, Version::V2);
    for (n, faults) in [
        S3Faults { errors: 30, ..S3Faults::default() },
        S3Faults { cuts: 30, ..S3Faults::default() },
        S3Faults { delay: Duration::from_millis(20), ..S3Faults::default() },
    ]
    .into_iter()
    .enumerate()
    {
        s3.set_faults(faults);
        let mut flushed = false;
        for _ in 0..20 {
            ledger.send(&yagura.http, yagura.base()).await;
            flushed |= yagura.post("/flush", &[], Vec::new()).await.status / 100 == 2;
        }
        assert!(flushed, "not one of 20 flushes succeeded with {faults:?}");
        let (_, broken) = s3.counts();
        assert!(broken > 5 * n as u64, "nothing was broken by {faults:?}");
    }
    s3.set_faults(S3Faults::default());
    s3.go_away().await;
    assert!(tokio::net::TcpStream::connect(s3.url().trim_start_matches("http://")).await.is_err());
    s3.come_back().await;
    assert_eq!(yagura.post("/flush", &[], Vec::new()).await.status / 100, 2);
    assert!(yagura.stop().await.success());
    fs::remove_dir_all(settings.data_dir()).unwrap();
    ledger.check(&settings.start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn etcd_comes_back_as_it_was_empty_or_older() {
    let folder = tempfile::tempdir().unwrap();
    let mut etcd = Etcd::start(&folder.path().join("etcd"), Ipv4Addr::LOCALHOST.into()).await;
    etcd.put("one", "1");
    let old = etcd.snapshot();
    etcd.put("two", "2");
    etcd.go_away();
    etcd.come_back().await;
    assert_eq!(etcd.keys(), ["one", "two"]);
    etcd.erase();
    etcd.come_back().await;
    assert_eq!(etcd.keys(), [""; 0]);
    etcd.restore(&old);
    etcd.come_back().await;
    assert_eq!(etcd.keys(), ["one"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wires_are_cut_in_one_direction() {
    match own_network("cluster::harness::wires_are_cut_in_one_direction") {
        OwnNetwork::Inside => {}
        OwnNetwork::Passed => return,
        OwnNetwork::NotPermitted => return tell("skipped: network namespaces are not permitted here"),
    }
    let folder = tempfile::tempdir().unwrap();
    let mut network = Network::namespaces(folder.path());
    let (one, two) = (network.host("one").await, network.host("two").await);
    // Whether a connection is made, and so whether packets go both ways.
    let reaches = |network: &Network, from: &str, to: std::net::IpAddr| {
        let mut command: Command = network.command(from, Path::new("timeout"));
        command.args(["2", "bash", "-c", &format!("exec 3<>/dev/tcp/{to}/9 || [[ $? = 1 ]]")]);
        let output = command.output().unwrap();
        // Refused is an answer too: nobody listens there.
        String::from_utf8_lossy(&output.stderr).contains("refused")
    };
    assert!(reaches(&network, "one", two) && reaches(&network, "two", one));
    network.cut("one", "two");
    assert!(!reaches(&network, "one", two), "what one sends must not arrive");
    assert!(!reaches(&network, "two", one), "what one answers must not arrive");
    assert!(reaches(&network, "one", network.hub()), "only one wire was to be cut");
    network.mend("one", "two");
    assert!(reaches(&network, "one", two) && reaches(&network, "two", one));
}
