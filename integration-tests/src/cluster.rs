//! A cluster as people run it: processes of each role, a real etcd, a bucket behind S3's protocol.

mod etcd;
mod layout;
mod member;
mod network;
mod ring;

pub use etcd::Etcd;
pub use layout::Layout;
pub use member::{Member, Role};
pub use network::{Network, OwnNetwork, own_network};
pub use ring::RingMember;

use crate::{balancer::Balancer, http::Http, process::lasting_port, s3::S3, yagura::binary};
use futures::future::join_all;
use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::time::sleep;

const BUCKET: &str = "bucket";
const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples/cluster.yaml");

/// Everything ends when this is dropped. If that is because a test failed, the last lines of every
/// member's log are shown.
#[derive(Debug)]
pub struct Cluster {
    pub http: Http,
    pub s3: S3,
    pub etcd: Etcd,
    pub network: Network,
    members: BTreeMap<String, Member>,
    balancers: BTreeMap<Role, Balancer>,
    layout: Layout,
    folder: TempDir,
    /// One cluster at a time: two cores do not carry more, and figures are to mean something.
    _turn: File,
}

impl Cluster {
    /// Starts all of it and waits until everybody is ready and sees everybody.
    pub async fn start(layout: Layout) -> Self {
        let turn = tokio::task::spawn_blocking(take_turn).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let network = match layout.namespaces {
            true => Network::namespaces(folder.path()),
            false => Network::Loopback,
        };
        let bucket = folder.path().join("s3").join(BUCKET);
        match &layout.bucket {
            None => fs::create_dir_all(&bucket).unwrap(),
            Some(other) => copy_folder(other, &bucket, &|_| true),
        }
        let s3 = S3::start(&folder.path().join("s3"), network.hub()).await;
        let etcd = Etcd::start(&folder.path().join("etcd"), network.hub()).await;
        let (members, balancers) = Default::default();
        let http = layout.token.as_deref().map_or_else(Http::default, Http::with_token);
        let mut cluster = Self { http, s3, etcd, network, members, balancers, layout, folder, _turn: turn };
        let Layout { ingesters, distributors, queriers, compactors, rulers, .. } = cluster.layout;
        for (role, count) in [
            (Role::Ingester, ingesters),
            (Role::Distributor, distributors),
            (Role::Querier, queriers),
            (Role::Compactor, compactors),
            (Role::Ruler, rulers),
        ] {
            for _ in 0..count {
                cluster.prepare(role).await;
            }
        }
        // One ingester of each zone before the others: until there are three zones, replicas of one
        // entry may share one, and reads do without a whole zone only `forget_after` later.
        let zones = cluster.layout.zones.len();
        let mut names = cluster.of(Role::Ingester);
        let first = Vec::from_iter(names.drain(..zones.min(ingesters)));
        let others = [Role::Distributor, Role::Querier, Role::Compactor, Role::Ruler];
        names.extend(others.map(|role| cluster.of(role)).concat());
        cluster.run(&first).await;
        cluster.run(&names).await;
        cluster.settled().await;
        cluster
    }

    /// Adds a member and waits until everybody sees it.
    pub async fn add(&mut self, role: Role) -> String {
        let name = self.prepare(role).await;
        self.run(&[&name]).await;
        self.settled().await;
        name
    }

    /// A member that does not run yet, on addresses of its own.
    async fn prepare(&mut self, role: Role) -> String {
        let number = (0..).find(|n| !self.members.contains_key(&format!("{}-{n}", role.word()))).unwrap();
        let name = format!("{}-{number}", role.word());
        let ip = self.network.host(&name).await;
        let zones = &self.layout.zones;
        let zone = if zones.is_empty() { String::new() } else { zones[number % zones.len()].clone() };
        let address = || SocketAddr::new(ip, lasting_port(self.network.hub()));
        let (http, grpc) = (address(), address());
        let folder = self.folder.path().join(&name);
        fs::create_dir_all(&folder).unwrap();
        let member = Member { name: name.clone(), role, zone, http, grpc, folder, process: None };
        self.members.insert(name.clone(), member);
        self.balancers.entry(role).or_default();
        name
    }

    /// Starts members that do not run, all at once, and waits until they are ready. Says how long the
    /// slowest took.
    pub async fn run(&mut self, names: &[impl AsRef<str>]) -> Duration {
        let start = now();
        for name in names {
            self.spawn(name.as_ref());
        }
        for name in names {
            self.ready(name.as_ref()).await;
        }
        start.elapsed()
    }

    /// Starts a member and waits for nothing.
    pub fn spawn(&mut self, name: &str) {
        let member = &self.members[name];
        assert!(member.process.is_none(), "{name} runs already");
        self.balancers[&member.role].remove(&member.base());
        let mut command = self.network.command(name, &binary());
        command.current_dir(&member.folder).env_clear().envs(env::var_os("PATH").map(|path| ("PATH", path)));
        // The file that operators begin with is tried with every test.
        command.arg(format!("--config.file={EXAMPLE}"));
        let all = [member.settings(), self.settings(), self.layout.set.clone()];
        for setting in all.iter().flatten() {
            command.args(["--set", setting]);
        }
        let process = crate::process::Process::start(command, &member.log());
        self.member_mut(name).process = Some(process);
    }

    /// What all members have in common.
    fn settings(&self) -> Vec<String> {
        let mut set = self.s3.settings(BUCKET);
        set.extend(
            [
                "log.format=json",
                "ring.etcd.prefix=yagura-test/",
                "multitenancy.enabled=false",
                "ring.heartbeat_timeout=6s",
            ]
            .map(str::to_owned),
        );
        set.push(format!("ring.etcd.endpoints={}", self.etcd.url()));
        set
    }

    /// Waits until a running member says that it is ready.
    pub async fn ready(&mut self, name: &str) {
        let (http, url) = (self.http.clone(), format!("{}/ready", self.member(name).base()));
        let mut last = String::new();
        let start = now();
        while start.elapsed() < Duration::from_secs(60) {
            let process = self.member_mut(name).process();
            if let Some(status) = process.has_ended() {
                panic!("{name} ended with {status}:\n{}", process.log());
            }
            match http.get(&url).await {
                Ok(answer) if answer.status == 200 => {
                    let member = self.member(name);
                    self.balancers[&member.role].add(&member.base());
                    return;
                }
                Ok(answer) => last = answer.body,
                Err(error) => last = error.to_string(),
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("{name} was not ready within a minute: {last}");
    }

    /// Waits until distributors and queriers see the running ingesters as active, and nobody else.
    pub async fn settled(&self) {
        let running = self.running(Role::Ingester);
        self.ring_shows(
            "the running ingesters, and they alone, as active",
            Duration::from_secs(60),
            |ring| {
                let active = ring.iter().filter(|member| member.is_active()).map(|member| &member.id);
                active.eq(running.iter())
            },
        )
        .await;
    }

    /// Waits until the ingesters that every running distributor and querier sees are as wanted.
    pub async fn ring_shows(&self, what: &str, within: Duration, wanted: impl Fn(&[RingMember]) -> bool) {
        let start = now();
        for watcher in [self.running(Role::Distributor), self.running(Role::Querier)].concat() {
            loop {
                let ring = self.ring(&watcher).await;
                if wanted(&ring) {
                    break;
                }
                let late = start.elapsed() > within;
                assert!(!late, "after {within:?} {watcher} does not see {what}, but {ring:?}");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    /// The ingesters as one member sees them.
    pub async fn ring(&self, watcher: &str) -> Vec<RingMember> {
        Self::ring_at(&self.http, &format!("{}/ring", self.member(watcher).base())).await
    }

    /// As [`Self::ring`], for those who have no cluster at hand.
    pub async fn ring_at(http: &Http, url: &str) -> Vec<RingMember> {
        match http.send("GET", url, &[("accept", "application/json")], Vec::new()).await {
            Ok(answer) if answer.status == 200 => ring::members(&answer.body, Role::Ingester.word()),
            Ok(answer) => panic!("{url}: {} {}", answer.status, answer.body),
            Err(_) => Vec::new(),
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self, name: &str) {
        let member = self.member_mut(name);
        member.process().kill();
        member.process = None;
    }

    /// SIGTERM, and how long the process took to end well.
    pub async fn stop(&mut self, name: &str) -> Duration {
        let start = now();
        let member = self.member_mut(name);
        member.process().signal("TERM");
        let status = member.process().ended(Duration::from_secs(60)).await;
        assert!(status.success(), "{name} ended with {status} after SIGTERM");
        member.process = None;
        start.elapsed()
    }

    /// Has an ingester leave for good: it flushes what it has, leaves the ring and ends.
    pub async fn leave(&mut self, name: &str) {
        let url = format!("{}/ingester/shutdown", self.member(name).base());
        let answer = self.http.send("POST", &url, &[], Vec::new()).await.unwrap();
        assert_eq!(answer.status / 100, 2, "{url}: {}", answer.body);
        let status = self.member_mut(name).process().ended(Duration::from_secs(60)).await;
        assert!(status.success(), "{name} ended with {status} when it left");
        if let Some(member) = self.members.remove(name) {
            self.balancers[&member.role].remove(&member.base());
        }
    }

    /// What the button at `/ring` does, for an ingester that does not run and never will again.
    pub async fn forget(&mut self, name: &str) {
        assert!(self.member(name).process.is_none(), "{name} runs");
        let url = format!("{}/ring", self.member(&self.running(Role::Querier)[0]).base());
        let answer = self.http.post_form(&url, &[("role", "ingester"), ("forget", name)]).await.unwrap();
        assert_eq!(answer.status, 200, "{url}: {}", answer.body);
        self.members.remove(name);
        self.ring_shows("that it is gone", Duration::from_secs(10), |ring| ring.iter().all(|m| m.id != name))
            .await;
    }

    /// Takes the disk of a member that does not run.
    pub fn erase_disk(&mut self, name: &str) {
        let member = self.member(name);
        assert!(member.process.is_none(), "{name} runs");
        fs::remove_dir_all(member.data()).unwrap();
    }

    /// Flushes what one ingester has.
    pub async fn flush(&self, name: &str) {
        let url = format!("{}/flush", self.member(name).base());
        let answer = self.http.send("POST", &url, &[], Vec::new()).await.unwrap();
        assert_eq!(answer.status / 100, 2, "{url}: {}", answer.body);
    }

    pub fn member(&self, name: &str) -> &Member {
        self.members.get(name).unwrap_or_else(|| panic!("there is no {name}"))
    }

    pub fn member_mut(&mut self, name: &str) -> &mut Member {
        self.members.get_mut(name).unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// All members, running or not.
    pub fn names(&self) -> Vec<String> {
        self.members.keys().cloned().collect()
    }

    /// All members of a role, running or not.
    pub fn of(&self, role: Role) -> Vec<String> {
        self.members.values().filter(|m| m.role == role).map(|m| m.name.clone()).collect()
    }

    pub fn running(&self, role: Role) -> Vec<String> {
        let running = self.members.values().filter(|m| m.role == role && m.process.is_some());
        running.map(|m| m.name.clone()).collect()
    }

    /// What those who write or read know of a role's members.
    pub fn balancer(&self, role: Role) -> Balancer {
        self.balancers[&role].clone()
    }

    /// Addresses of all members of a role, running or not.
    pub fn bases(&self, role: Role) -> Vec<String> {
        self.members.values().filter(|m| m.role == role).map(Member::base).collect()
    }

    /// Resident bytes of all running members of a role together.
    pub fn resident_bytes(&self, role: Role) -> u64 {
        let of_role = self.members.values().filter(|m| m.role == role);
        of_role.filter_map(|m| m.process.as_ref()).map(crate::process::Process::resident_bytes).sum()
    }

    /// CPU seconds of all running members together.
    pub fn cpu_seconds(&self) -> f64 {
        self.members
            .values()
            .filter_map(|m| m.process.as_ref())
            .map(crate::process::Process::cpu_seconds)
            .sum()
    }

    /// The folder in which the bucket's objects lie.
    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join("s3").join(BUCKET)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Flushes what all running ingesters have.
    pub async fn flush_all(&self) {
        let names = self.running(Role::Ingester);
        join_all(names.iter().map(|name| self.flush(name))).await;
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        for member in self.members.values() {
            let log = fs::read_to_string(member.log()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(40)..].join("\n");
            eprintln!("--- the end of {}'s log:\n{last}", member.name);
        }
    }
}

/// Copies those files of a folder that are wanted by their paths in it.
pub fn copy_folder(from: &Path, to: &Path, wanted: &dyn Fn(&Path) -> bool) {
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        fs::create_dir_all(to.join(&folder)).unwrap();
        for entry in fs::read_dir(from.join(&folder)).unwrap().flatten() {
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if wanted(&path) {
                fs::copy(entry.path(), to.join(&path)).unwrap();
            }
        }
    }
}

/// Waits for its turn across all threads and programs that test clusters.
fn take_turn() -> File {
    let path = env::current_exe().unwrap().with_file_name("cluster.lock");
    let file = File::options().create(true).append(true).open(&path).unwrap();
    file.lock().unwrap_or_else(|e| panic!("cannot lock {}: {e}", path.display()));
    file
}

#[allow(clippy::disallowed_methods, reason = "real processes live in real time")]
pub fn now() -> Instant {
    Instant::now()
}
