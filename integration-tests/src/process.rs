//! A child process whose output is kept and which never outlives its test.

use std::{
    fs::{self, File},
    net::{IpAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it prints goes behind what is in the file `log`.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let out = File::options().create(true).append(true).open(log).unwrap();
        let errors = out.try_clone().unwrap();
        let child = command.stdin(Stdio::null()).stdout(out).stderr(errors).spawn();
        let child = child.unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        Self { child, log: log.to_owned() }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status();
        assert!(status.unwrap().success(), "cannot send {name}");
    }

    /// Waits for the process to end by itself.
    pub async fn ended(&mut self, within: Duration) -> ExitStatus {
        let polls = within.as_millis() / 20;
        for _ in 0..polls {
            if let Some(status) = self.has_ended() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the process did not end within {within:?}; its log:\n{}", self.log());
    }

    /// User and system CPU seconds so far.
    pub fn cpu_seconds(&self) -> f64 {
        const TICKS_PER_SECOND: f64 = 100.0;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap());
        ticks.sum::<f64>() / TICKS_PER_SECOND
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most that `resident_bytes` ever was, or since `forget_peak`.
    pub fn peak_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    pub fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.id()), "5").unwrap();
    }

    fn memory(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|l| l.strip_prefix(field)).unwrap();
        let kib: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
        kib * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of the loopback interface that nobody had a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A port that nobody has at `ip` and that a process can have again after a restart: below those that the
/// system gives to outgoing connections. No two tests of a program get the same one, for a process that is
/// killed for a while does not hold its own.
pub fn lasting_port(ip: IpAddr) -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 22_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    loop {
        // Programs that run at the same time begin at different places.
        let place = std::process::id().wrapping_mul(997).wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed));
        let port = (FIRST + place % COUNT) as u16;
        if TcpListener::bind((ip, port)).is_ok() {
            return port;
        }
    }
}
