//! Where the members of a cluster live: all on loopback, or each in a network namespace of its own
//! whose wires can be cut, in one direction too.

use crate::process::Process;
use std::{
    collections::BTreeMap,
    env,
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};
use tokio::time::sleep;

/// Set for a test that was started again in a network of its own.
const INSIDE: &str = "YAGURA_OWN_NETWORK";

/// What a packet is sent to instead of its receiver: a station that nobody is.
const NOBODY: &str = "02:00:00:00:00:fe";

/// Whether a test may make namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnNetwork {
    /// This process is alone in its network: go on.
    Inside,
    /// The test was run in a process that is, and passed.
    Passed,
    NotPermitted,
}

/// Runs the test `name` of this program again in a network that nobody else sees. There it is root,
/// whoever runs it.
pub fn own_network(name: &str) -> OwnNetwork {
    if env::var_os(INSIDE).is_some() {
        return OwnNetwork::Inside;
    }
    let ways: [&[&str]; 2] = [&["--net"], &["--user", "--map-root-user", "--net"]];
    let works =
        |way: &&&[&str]| Command::new("unshare").args(**way).args(["ip", "link"]).output().is_ok_and(ok);
    let Some(way) = ways.iter().find(works) else { return OwnNetwork::NotPermitted };
    let mut command = Command::new("unshare");
    command.args(*way).arg(env::current_exe().unwrap()).args([name, "--exact", "--nocapture"]);
    let status = command.env(INSIDE, "1").status().unwrap();
    assert!(status.success(), "{name} failed in its own network");
    OwnNetwork::Passed
}

/// The network of one cluster.
#[derive(Debug)]
pub enum Network {
    Loopback,
    Namespaces(Namespaces),
}

/// A bridge in this process's namespace, and a namespace for each member behind it.
#[derive(Debug)]
pub struct Namespaces {
    folder: PathBuf,
    hosts: BTreeMap<String, Host>,
}

#[derive(Debug)]
struct Host {
    ip: IpAddr,
    /// Keeps the namespace while no member runs in it.
    holder: Process,
}

impl Network {
    /// For a process that is [`OwnNetwork::Inside`].
    pub fn namespaces(folder: &Path) -> Self {
        ip(&["link", "set", "lo", "up"]);
        ip(&["link", "add", "bridge", "type", "bridge"]);
        ip(&["address", "add", "10.99.0.1/24", "dev", "bridge"]);
        ip(&["link", "set", "bridge", "up"]);
        Self::Namespaces(Namespaces { folder: folder.to_owned(), hosts: BTreeMap::new() })
    }

    /// Where the test itself is, and etcd and the bucket with it.
    pub fn hub(&self) -> IpAddr {
        match self {
            Self::Loopback => Ipv4Addr::LOCALHOST.into(),
            Self::Namespaces(_) => Ipv4Addr::new(10, 99, 0, 1).into(),
        }
    }

    /// The address of a host, which is made if there is none of that name.
    pub async fn host(&mut self, name: &str) -> IpAddr {
        match self {
            Self::Loopback => Ipv4Addr::LOCALHOST.into(),
            Self::Namespaces(namespaces) => namespaces.host(name).await,
        }
    }

    /// The command that runs `program` on a host.
    pub fn command(&self, host: &str, program: &Path) -> Command {
        match self {
            Self::Loopback => Command::new(program),
            Self::Namespaces(namespaces) => {
                let mut command = enter(&namespaces.hosts[host]);
                command.arg(program);
                command
            }
        }
    }

    /// What `from` sends to `to` gets lost from now on, and nobody is told.
    pub fn cut(&self, from: &str, to: &str) {
        self.neighbour(from, to, &["replace"], &["lladdr", NOBODY, "nud", "permanent"]);
    }

    /// Undoes [`Self::cut`].
    pub fn mend(&self, from: &str, to: &str) {
        self.neighbour(from, to, &["del"], &[]);
    }

    fn neighbour(&self, from: &str, to: &str, verb: &[&str], rest: &[&str]) {
        let Self::Namespaces(namespaces) = self else { panic!("only namespaces have wires to cut") };
        let address = namespaces.hosts[to].ip.to_string();
        let mut command = enter(&namespaces.hosts[from]);
        command.args(["ip", "neighbour"]).args(verb).args([&address, "dev", "wire"]).args(rest);
        must(&mut command);
    }
}

impl Namespaces {
    async fn host(&mut self, name: &str) -> IpAddr {
        if let Some(host) = self.hosts.get(name) {
            return host.ip;
        }
        let number = self.hosts.len() + 10;
        let address = Ipv4Addr::new(10, 99, 0, number as u8);
        let mut command = Command::new("unshare");
        command.args(["--net", "sleep", "infinity"]);
        let holder = Process::start(command, &self.folder.join(format!("{name}.network")));
        let pid = holder.id().to_string();
        // Until `unshare` has done its work the process is still in our namespace.
        let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
        while namespace(&pid) == namespace("self") {
            sleep(Duration::from_millis(5)).await;
        }
        let (here, there) = (format!("to-{number}"), format!("at-{number}"));
        ip(&["link", "add", &here, "type", "veth", "peer", "name", &there]);
        ip(&["link", "set", &here, "master", "bridge", "up"]);
        ip(&["link", "set", &there, "netns", &pid, "name", "wire"]);
        let host = Host { ip: address.into(), holder };
        for args in [
            ["link", "set", "lo", "up"].as_slice(),
            &["address", "add", &format!("{address}/24"), "dev", "wire"],
            &["link", "set", "wire", "up"],
        ] {
            must(enter(&host).arg("ip").args(args));
        }
        self.hosts.insert(name.to_owned(), host);
        address.into()
    }
}

fn enter(host: &Host) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["--target", &host.holder.id().to_string(), "--net", "--"]);
    command
}

fn ip(args: &[&str]) {
    must(Command::new("ip").args(args));
}

fn must(command: &mut Command) {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(ok(output), "{command:?}: {error}");
}

fn ok(output: Output) -> bool {
    output.status.success()
}
