//! Runs a page from its first block to its last.

use super::{
    compare::difference,
    parse::{Block, Kind, Output, Page},
    ports::Ports,
    programs::Programs,
    shell::{End, How, Shell, TERMINATED},
};
use crate::cluster::now;
use std::{fs, time::Duration};

/// Where Yagura listens without configuration.
const PORT: u16 = 9009;
/// How long a server may take to serve, and to print what its page shows.
const SERVER: Duration = Duration::from_secs(60);

/// How many blocks a page has of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub run: usize,
    pub compared: usize,
    pub files: usize,
    pub shown: usize,
    /// With the reasons.
    pub not_run: Vec<String>,
}

/// Runs a page; what is wrong, each with its place, if anything is.
pub fn run(page: &Page, programs: &Programs) -> Result<Tally, Vec<String>> {
    let mut ports = Ports::default();
    let address = format!("127.0.0.1:{}", ports.own(PORT));
    let variables =
        [("YAGURA__HTTP__LISTEN", address.clone()), ("YAGURA_ADDRESS", format!("http://{address}"))];
    let shell = Shell::start(programs, &variables);
    let mut run = Run { page, ports, shell, servers: Vec::new(), tally: Tally::default(), wrong: Vec::new() };
    for block in &page.blocks {
        if run.block(block).is_err() {
            break;
        }
    }
    run.end();
    if run.wrong.is_empty() { Ok(run.tally) } else { Err(run.wrong) }
}

/// The page cannot go on.
struct Over;

struct Run<'a> {
    page: &'a Page,
    ports: Ports,
    shell: Shell,
    servers: Vec<Server>,
    tally: Tally,
    wrong: Vec<String>,
}

#[derive(Clone, Copy)]
struct Server {
    /// Of the page.
    line: usize,
    /// Of the shell.
    block: usize,
    group: u32,
    port: Option<u16>,
}

impl Run<'_> {
    fn block(&mut self, block: &Block) -> Result<(), Over> {
        match &block.kind {
            Kind::Shown => self.tally.shown += 1,
            Kind::NotRun { reason } => {
                self.tally.not_run.push(format!("{}: {reason}", self.place(block.line)))
            }
            Kind::File { name } => {
                let path = self.shell.page().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, self.ports.there(&block.text)).unwrap();
                self.tally.files += 1;
            }
            Kind::Run { code, output } => {
                self.run(block, *code, output.as_ref())?;
                self.tally.run += 1;
            }
            Kind::Server { ready, output } => {
                self.serve(block, ready.as_deref(), output.as_ref())?;
                self.tally.run += 1;
            }
        }
        Ok(())
    }

    fn run(&mut self, block: &Block, code: i32, output: Option<&Output>) -> Result<(), Over> {
        let how = if code == 0 { How::Run } else { How::Try };
        let (number, end) = self.shell.block(how, &self.ports.there(&block.text));
        let came = self.ports.back(&self.shell.output(number));
        let has_died = matches!(end, End::Died(..));
        let (ended, line) = match end {
            End::Status(status) => (status as i32, None),
            // Nothing behind it on the page would be run.
            End::Died(status, _) if status == code => {
                let what = "ended the shell of the page, as `exit` and `exec` do";
                self.tell(block.line, &format!("{what}:\n{}", shown(&block.text, &came)));
                return Err(Over);
            }
            End::Died(status, line) => (status, line),
            End::TooLate => {
                self.tell(block.line, &format!("did not end in time:\n{}", shown(&block.text, &came)));
                return Err(Over);
            }
        };
        if ended != code {
            let line = line.filter(|line| *line <= block.text.lines().count()).unwrap_or(0);
            let missing = if ended == 127 { "; a program that the page needs is not installed" } else { "" };
            let wanted = if code == 0 { String::new() } else { format!(", not with {code}") };
            self.tell(
                block.line + line,
                &format!("ended with {ended}{wanted}{missing}:\n{}", shown(&block.text, &came)),
            );
        } else if let Some(output) = output {
            self.compare(block, output, &came);
        } else if !came.trim().is_empty() {
            let what = "printed something, and the page shows no output";
            self.tell(block.line, &format!("{what}:\n{}", shown(&block.text, &came)));
        }
        if has_died { Err(Over) } else { Ok(()) }
    }

    fn compare(&mut self, block: &Block, output: &Output, came: &str) {
        self.tally.compared += 1;
        if let Some(what) = difference(&output.text, came, output.form) {
            let expected = indented(&output.text);
            self.tell(output.line, &format!("{what}\n{}\n  expected:\n{expected}", shown(&block.text, came)));
        }
    }

    fn serve(&mut self, block: &Block, ready: Option<&str>, output: Option<&Output>) -> Result<(), Over> {
        let default = format!("curl --silent --fail http://127.0.0.1:{PORT}/ready");
        let ready = ready.unwrap_or(&default);
        let port = Ports::first(ready);
        // It takes the place of one that is there already.
        let before = |server: &Server| port.is_some() && server.port == port;
        if let Some(place) = self.servers.iter().position(before) {
            let server = self.servers.remove(place);
            if !self.stop(server) {
                return Err(Over);
            }
        }
        let (number, end) = self.shell.block(How::Serve, &self.ports.there(&block.text));
        let End::Status(group) = end else {
            self.tell(block.line, "the shell could not start this server");
            return Err(Over);
        };
        let ready = self.ports.there(ready);
        let until = now() + SERVER;
        loop {
            let (_, end) = self.shell.block(How::Try, &ready);
            if matches!(end, End::Status(0)) {
                break;
            }
            let ended = self.shell.ended(number).map(|code| format!("ended with {code}"));
            let in_time = (0..5).all(|_| self.shell.wait()) && now() < until && matches!(end, End::Status(_));
            if let Some(what) = ended.or_else(|| (!in_time).then(|| "was not ready in time".to_owned())) {
                let came = self.ports.back(&self.shell.output(number));
                self.tell(block.line, &format!("this server {what}:\n{}", shown(&block.text, &came)));
                return Err(Over);
            }
        }
        self.servers.push(Server { line: block.line, block: number, group, port });
        let Some(output) = output else { return Ok(()) };
        let mut came = String::new();
        while now() < until {
            came = self.ports.back(&self.shell.output(number));
            if difference(&output.text, &came, output.form).is_none() || !self.shell.wait() {
                break;
            }
        }
        self.compare(block, output, &came);
        Ok(())
    }

    /// Stops the servers, the last one first: those before it may be what it needs for a clean end.
    fn end(&mut self) {
        while let Some(server) = self.servers.pop() {
            if self.stop(server) && !self.wrong.is_empty() {
                self.tell_end(server, "the end of what this server says");
            }
        }
    }

    /// Stops a server and says whether it has ended well.
    fn stop(&mut self, server: Server) -> bool {
        // How it ends when its page has told it to, itself.
        const TOLD: &[i32] = &[0, 128 + 9, TERMINATED];
        let wrong = match self.shell.ended(server.block) {
            Some(code) if TOLD.contains(&code) => None,
            Some(code) => Some(format!("ended with {code}")),
            None => self.shell.stop(server.block, server.group).err(),
        };
        if let Some(what) = &wrong {
            self.tell_end(server, &format!("this server {what}"));
        }
        wrong.is_none()
    }

    /// Says something about a server, and the end of what it has printed.
    fn tell_end(&mut self, server: Server, what: &str) {
        let came = self.ports.back(&self.shell.output(server.block));
        let last: Vec<&str> = came.lines().rev().take(10).collect();
        let last: String = last.into_iter().rev().flat_map(|line| [line, "\n"]).collect();
        self.tell(server.line, &format!("{what}:\n{}", indented(&last)));
    }

    fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.page.name)
    }

    fn tell(&mut self, line: usize, what: &str) {
        self.wrong.push(format!("{}: {what}", self.place(line)));
    }
}

/// A block and what has come of it.
fn shown(commands: &str, came: &str) -> String {
    format!("{}\n  came:\n{}", indented(commands), indented(came))
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}
