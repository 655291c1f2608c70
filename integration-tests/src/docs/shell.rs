//! The bash that runs the blocks of one page, and everything that it starts.

use super::programs::Programs;
use crate::cluster::now;
use std::{
    fs,
    io::Write,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// What bash says of a program that does nothing about `SIGTERM`.
pub(super) const TERMINATED: i32 = 128 + 15;

const DRIVER: &str = include_str!("shell.sh");

/// How often it is looked whether a block has ended.
const POLL: Duration = Duration::from_millis(10);
/// How long one block may take, and all blocks of a page.
const BLOCK: Duration = Duration::from_secs(60);
const PAGE: Duration = Duration::from_secs(360);
/// How long a server may take to end when it is told to, as much as the systemd unit gives it.
const STOP: Duration = Duration::from_secs(45);
/// How long its shell may be there alone after that.
const ALONE: Duration = Duration::from_secs(2);

/// More than this is no example.
const MOST_OUTPUT: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct Shell {
    child: Child,
    input: ChildStdin,
    /// `pwd` of the page at its beginning; `home` and what the driver writes lie beside it.
    folder: TempDir,
    blocks: usize,
    until: Instant,
    groups: Vec<u32>,
}

/// How a block is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Run,
    Try,
    Serve,
}

/// How a block ended.
#[derive(Debug)]
pub(super) enum End {
    /// With this code; of a server it is its process group.
    Status(u32),
    /// With this code, and the shell with it; the line of the block, if it is known.
    Died(i32, Option<usize>),
    TooLate,
}

impl Shell {
    pub(super) fn start(programs: &Programs, variables: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let part = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path).unwrap();
            path
        };
        let (page, control, home, temporary) = (part("page"), part("control"), part("home"), part("tmp"));
        programs.sources(&page);
        // On a terminal curl shows no progress either.
        fs::write(home.join(".curlrc"), "no-progress-meter\n").unwrap();
        let driver = control.join("shell.sh");
        fs::write(&driver, DRIVER).unwrap();
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc"]).arg(&driver).arg(&control).current_dir(&page);
        // Nothing of who runs the tests, above all none of Yagura's variables.
        command.env_clear().env("PATH", programs.path()).env("HOME", home).env("TMPDIR", temporary);
        command.envs([("LC_ALL", "C.UTF-8"), ("TZ", "UTC")]).envs(variables.iter().map(|(k, v)| (k, v)));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|e| panic!("the documentation needs bash: {e}"));
        let input = child.stdin.take().unwrap();
        let groups = vec![child.id()];
        Self { child, input, folder, blocks: 0, until: now() + PAGE, groups }
    }

    /// Where the page's files are.
    pub(super) fn page(&self) -> PathBuf {
        self.folder.path().join("page")
    }

    fn control(&self, block: usize, ending: &str) -> PathBuf {
        self.folder.path().join("control").join(format!("{block}.{ending}"))
    }

    /// Runs a block and gives its number, too.
    pub(super) fn block(&mut self, how: How, text: &str) -> (usize, End) {
        self.blocks += 1;
        let block = self.blocks;
        fs::write(self.control(block, "sh"), text).unwrap();
        let _ = fs::remove_file(self.line());
        let how_word = match how {
            How::Run => "run",
            How::Try => "try",
            How::Serve => "serve",
        };
        // A shell that has died is seen below.
        let _ = writeln!(self.input, "{how_word} {block}");
        let until = now() + BLOCK;
        while now() < until {
            let status = fs::read_to_string(self.control(block, "status")).unwrap_or_default();
            if let Some(status) = status.strip_suffix('\n') {
                let status = status.parse().unwrap();
                if how == How::Serve {
                    self.groups.push(status);
                }
                return (block, End::Status(status));
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                let line = fs::read_to_string(self.line()).ok().and_then(|line| line.trim().parse().ok());
                return (block, End::Died(status.code().unwrap_or(-1), line));
            }
            if !self.wait() {
                break;
            }
        }
        (block, End::TooLate)
    }

    fn line(&self) -> PathBuf {
        self.folder.path().join("control/line")
    }

    /// Lets a moment pass, if the page has one left.
    pub(super) fn wait(&self) -> bool {
        sleep(POLL);
        now() < self.until
    }

    /// What a block has printed so far.
    pub(super) fn output(&self, block: usize) -> String {
        let path = self.control(block, "out");
        if fs::metadata(&path).is_ok_and(|about| about.len() > MOST_OUTPUT) {
            return format!("(more than {MOST_OUTPUT} bytes)");
        }
        String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
    }

    /// The code with which a server has ended.
    pub(super) fn ended(&self, block: usize) -> Option<i32> {
        fs::read_to_string(self.control(block, "ended")).ok()?.trim().parse().ok()
    }

    /// Tells a server to stop, as a service manager would, and waits until all of its group have ended, so that none
    /// holds a port any more. What is wrong about how they did is the error.
    pub(super) fn stop(&mut self, block: usize, group: u32) -> Result<(), String> {
        let leader = group.to_string();
        let members = || processes(|process| is_member(process, group).unwrap_or(false));
        // Its shell is left alone while it may learn how they end: bash forgets it when a signal comes.
        for process in members().iter().filter(|process| **process != leader) {
            signal("TERM", process);
        }
        let (begun, mut others_were_there) = (now(), now());
        loop {
            let members = members();
            if members.is_empty() {
                break;
            }
            if now() >= begun + STOP {
                return Err(format!("did not end within {} s of being told to stop", STOP.as_secs()));
            }
            if members != [leader.as_str()] {
                others_were_there = now();
            } else if now() >= others_were_there + ALONE {
                signal("TERM", &leader);
            }
            sleep(POLL);
        }
        self.groups.retain(|other| *other != group);
        match self.ended(block) {
            Some(0 | TERMINATED) => Ok(()),
            Some(code) => Err(format!("ended with {code} when it was told to stop")),
            None => Err("took the place of its shell, so that nobody knows how it ended".to_owned()),
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        for group in &self.groups {
            signal("KILL", &format!("-{group}"));
        }
        let _ = self.child.wait();
        // They write to the folder, which is removed next. What left its group is known by its variables.
        let home = format!("HOME={}", self.folder.path().join("home").display());
        for _ in 0..500 {
            let left = processes(|process| has_variable(process, &home).unwrap_or(false));
            if left.is_empty() {
                return;
            }
            for process in left {
                signal("KILL", &process);
            }
            sleep(POLL);
        }
    }
}

/// To a process, or to a group with a minus before its number.
fn signal(name: &str, target: &str) {
    let mut kill = Command::new("kill");
    let _ = kill.args(["-s", name, "--", target]).stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// The numbers of the processes that are so.
fn processes(is_wanted: impl Fn(&Path) -> bool) -> Vec<String> {
    let all = fs::read_dir("/proc").unwrap().filter_map(Result::ok).map(|entry| entry.path());
    let wanted = all.filter(|path| is_wanted(path));
    wanted.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
}

/// Whether a process lives and is of the group. One that has ended and that nobody has asked about does not.
fn is_member(process: &Path, group: u32) -> Option<bool> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?;
    Some(fields.nth(1)? == group.to_string() && state != "Z")
}

/// Only of processes of the same user; others are none that we have started.
fn has_variable(process: &Path, variable: &str) -> Option<bool> {
    let variables = fs::read(process.join("environ")).ok()?;
    Some(variables.split(|byte| *byte == 0).any(|one| one == variable.as_bytes()))
}
