//! `backfill`: OpenMetrics text becomes blocks.
//!
//! The text may be in any order of time and of series. It is read once; what does not fit into memory lies in
//! sorted runs on disk (`runs.rs`), which are merged into series.

mod runs;

use crate::{
    Tools,
    day_blocks::{Bounds, DayBlocks, Finished},
    human::{bytes, count, many, time},
    progress::Progress,
};
use anyhow::{Context, Result, bail};
use model::TenantId;
use runs::Runs;
use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Write},
};
use tsdb::TextParser;
use xxhash_rust::xxh3::Xxh3;

/// A line that is longer is a mistake.
const MOST_LINE: usize = 1 << 20;

#[derive(Clone, Debug, Default)]
pub struct BackfillOptions {
    pub tenant: String,
    /// A file, or `-` for standard input.
    pub file: String,
    pub dry_run: bool,
    /// Also if all of it is past the tenant's retention.
    pub force: bool,
}

pub async fn backfill(tools: &Tools, options: &BackfillOptions, out: &mut dyn Write) -> Result<()> {
    let tenant = TenantId::new(&options.tenant)?;
    let file = &options.file;
    let (input, size): (Box<dyn Read>, _) = if file == "-" {
        (Box::new(std::io::stdin()), None)
    } else {
        let opened = File::open(file).with_context(|| format!("cannot open {file}"))?;
        let size = opened.metadata().ok().map(|metadata| metadata.len());
        (Box::new(opened), size)
    };
    let progress = tools.progress("reading", size);
    let mut runs = Runs::new(&tools.scratch)?;
    let hash = read(BufReader::new(input), &mut runs, &progress).with_context(|| name(file).to_owned())?;
    drop(progress);
    let mut blocks = DayBlocks::new(&tools.scratch, "", Bounds::default())?;
    let merged = runs.merge(|labels, samples| blocks.add(labels, samples))?;
    // Known by what was in it, so that the same text is not taken twice.
    let finished = blocks.finish()?.with_source(&format!("backfill of {hash:032x}"));
    let Some(range) = finished.range() else {
        writeln!(out, "there are no samples in {}", name(file))?;
        return Ok(());
    };
    check_retention(tools, &tenant, range.end, options.force)?;
    let mut line = format!(
        "{} series, {} from {} to {}: {}, {}",
        count(merged.series),
        many(finished.samples(), "sample"),
        time(range.start),
        time(range.end),
        many(finished.blocks() as u64, "block"),
        bytes(finished.bytes())
    );
    if merged.repeated > 0 {
        line += &format!("; {} had the time of another before", many(merged.repeated, "sample"));
    }
    writeln!(out, "{}", list(tools, &tenant, finished, options.dry_run, line).await?)?;
    Ok(())
}

async fn list(
    tools: &Tools,
    tenant: &TenantId,
    finished: Finished,
    dry_run: bool,
    line: String,
) -> Result<String> {
    if dry_run {
        return Ok(format!("would be written: {line}"));
    }
    if finished.list(tools, tenant).await? {
        return Ok(line);
    }
    Ok("skipped: the same text has been read before".to_owned())
}

fn name(file: &str) -> &str {
    if file == "-" { "standard input" } else { file }
}

fn check_retention(tools: &Tools, tenant: &TenantId, end: i64, force: bool) -> Result<()> {
    if force || !tools.is_past_retention(tenant, end) {
        return Ok(());
    }
    bail!(
        "the last sample is of {}, which is past the retention of tenant {tenant} (limits.retention): the blocks \
         would be removed at once; --force writes them nevertheless",
        time(end)
    )
}

/// Reads all samples; gives a hash of the text.
fn read(mut input: impl BufRead, runs: &mut Runs, progress: &Progress) -> Result<u128> {
    let (mut parser, mut line, mut hash) = (TextParser::default(), Vec::new(), Xxh3::new());
    loop {
        line.clear();
        let read = input.by_ref().take(MOST_LINE as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            parser.finish()?;
            return Ok(hash.digest128());
        }
        if read > MOST_LINE {
            bail!("a line is longer than {}", bytes(MOST_LINE as u64));
        }
        hash.update(&line);
        progress.add(read as u64);
        if let Some(sample) = parser.line(&line)? {
            runs.add(sample)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Console;
    use runtime::ManualClock;
    use std::sync::Arc;

    fn read_text(text: &str) -> Result<u128> {
        let progress = Progress::new(Console::Quiet, Arc::new(ManualClock::at(0)), "", None);
        read(text.as_bytes(), &mut Runs::new(&std::env::temp_dir())?, &progress)
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let error = read_text("a 1 1\nb 1 x\n# EOF\n").unwrap_err().to_string();
        assert_eq!(error, "line 2, column 5: this is not a timestamp in seconds: \"x\"");
        let error = read_text("a 1 1\n").unwrap_err().to_string();
        assert!(error.contains("# EOF"), "{error}");
        let error = read_text(&"x".repeat(MOST_LINE + 1)).unwrap_err().to_string();
        assert!(error.contains("longer than 1.0 MiB"), "{error}");
    }

    #[test]
    fn the_same_text_is_known_again() {
        assert_eq!(read_text("a 1 1\n# EOF\n").unwrap(), read_text("a 1 1\n# EOF\n").unwrap());
        assert_ne!(read_text("a 1 1\n# EOF\n").unwrap(), read_text("a 1 2\n# EOF\n").unwrap());
    }
}
