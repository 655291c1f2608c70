//! Lines of a file or of standard input, a batch at a time.

use anyhow::{Context, Result, bail};
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    time::Duration,
};
use tokio::{sync::mpsc, time::timeout};

/// The longest line.
const MAX_LINE: usize = 1 << 20;

/// Lines that are read ahead.
const AHEAD: usize = 64;

/// What came of lines is sent after so long, though there may be more in a moment.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reads on a thread of its own, for standard input may stand still.
pub struct LineReader {
    lines: mpsc::Receiver<Result<Vec<u8>>>,
}

impl LineReader {
    /// `-` is standard input.
    ///
    /// # Errors
    /// There is no such file.
    pub fn open(file: &str) -> Result<Self> {
        let input: Box<dyn Read + Send> = if file == "-" {
            Box::new(std::io::stdin())
        } else {
            Box::new(File::open(file).with_context(|| format!("cannot open {file}"))?)
        };
        let name = if file == "-" { "standard input" } else { file }.to_owned();
        let (send, lines) = mpsc::channel(AHEAD);
        std::thread::Builder::new()
            .name("lines".to_owned())
            .spawn(move || {
                let mut input = BufReader::new(input);
                loop {
                    let line = next(&mut input).with_context(|| name.clone()).transpose();
                    let Some(line) = line else { return };
                    let is_last = line.is_err();
                    if send.blocking_send(line).is_err() || is_last {
                        return;
                    }
                }
            })
            .context("cannot start a thread")?;
        Ok(Self { lines })
    }

    /// The next line, without its end; `Idle` if there is none yet although `has_some` wait to be sent.
    ///
    /// # Errors
    /// The input cannot be read, or a line is too long.
    pub async fn next(&mut self, has_some: bool) -> Result<Next> {
        let received = if has_some {
            match timeout(PATIENCE, self.lines.recv()).await {
                Ok(received) => received,
                Err(_) => return Ok(Next::Idle),
            }
        } else {
            self.lines.recv().await
        };
        received.map_or(Ok(Next::End), |line| line.map(Next::Line))
    }
}

pub enum Next {
    Line(Vec<u8>),
    Idle,
    End,
}

fn next(input: &mut impl BufRead) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = input.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(None);
    }
    if read > MAX_LINE {
        bail!("a line is longer than {} MiB", MAX_LINE >> 20);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line))
}
