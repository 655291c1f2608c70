//! `import`: blocks of Prometheus, and of Thanos, Cortex and Mimir, become blocks of ours.

mod block;
mod order;
mod source;
mod window;

use crate::{
    Outcome, Tools,
    day_blocks::{Bounds, DayBlocks},
    human::{bytes, count, many, time},
};
use anyhow::{Result, bail};
use block::SourceBlock;
use model::{LabelsBuilder, Signal, TenantId};
use order::InOrder;
use service_api::SampleBuffer;
use source::Source;
use std::{collections::HashSet, io::Write, path::Path};

#[derive(Clone, Debug, Default)]
pub struct ImportOptions {
    pub tenant: String,
    /// A folder, or `s3://BUCKET/PREFIX`: of a block, or of blocks.
    pub from: String,
    /// ULIDs; all that are found if none.
    pub blocks: Vec<String>,
    /// What all series are given, over labels of the same name.
    pub labels: Vec<(String, String)>,
    pub dry_run: bool,
    /// Also what is past the tenant's retention.
    pub force: bool,
}

/// What a tenant's blocks say that came out of this one.
fn source_name(ulid: &str) -> String {
    format!("import of {ulid}")
}

pub async fn import(tools: &Tools, options: &ImportOptions, out: &mut dyn Write) -> Result<Outcome> {
    let tenant = TenantId::new(&options.tenant)?;
    let source = Source::open(&options.from, &tools.s3).await?;
    let wanted = source.blocks(&options.blocks).await?;
    let mut outcome = Outcome::Good;
    let listed = tools.listed(&tenant, Signal::Metrics).await?;
    let mut imported: HashSet<String> = listed.into_iter().map(|block| block.source).collect();
    for block in &wanted {
        let skipped = match block.reason_to_skip() {
            Some(reason) => Some((reason, Outcome::Good)),
            None if imported.contains(&source_name(block.ulid())) => {
                Some(("it has been imported before".to_owned(), Outcome::Good))
            }
            None => past_retention(tools, &tenant, block, options.force).map(|why| (why, Outcome::Bad)),
        };
        if let Some((reason, as_what)) = skipped {
            writeln!(out, "{}: skipped: {reason}", block.ulid())?;
            if as_what == Outcome::Bad {
                outcome = Outcome::Bad;
            }
            continue;
        }
        if options.dry_run {
            writeln!(out, "{}: would be imported: {}", block.ulid(), said_of(block))?;
            continue;
        }
        match one(tools, &tenant, block, &options.labels).await {
            Ok(line) => {
                writeln!(out, "{}: {line}", block.ulid())?;
                imported.insert(source_name(block.ulid()));
            }
            // The others may be better.
            Err(error) => {
                writeln!(out, "{}: not imported: {error:#}", block.ulid())?;
                outcome = Outcome::Bad;
            }
        }
        out.flush()?;
    }
    if wanted.is_empty() {
        writeln!(out, "no blocks in {}", options.from)?;
    }
    Ok(outcome)
}

/// The time range and the size of a block.
fn said_of(block: &SourceBlock) -> String {
    let (range, stats) = (block.meta.time_range(), block.meta.stats);
    let (from, to) = (time(range.start), time(range.end));
    format!("{from} to {to}, {} series, {}", count(stats.num_series), many(stats.num_samples, "sample"))
}

fn past_retention(tools: &Tools, tenant: &TenantId, block: &SourceBlock, force: bool) -> Option<String> {
    let end = block.meta.time_range().end;
    if force || !tools.is_past_retention(tenant, end) {
        return None;
    }
    let end = time(end);
    Some(format!(
        "it ends at {end}, which is past the retention of tenant {tenant} (limits.retention), so that it would be \
         removed at once; --force imports it nevertheless"
    ))
}

/// Imports a block; gives what is to be said of that.
async fn one(
    tools: &Tools,
    tenant: &TenantId,
    block: &SourceBlock,
    labels: &[(String, String)],
) -> Result<String> {
    let mut blocks = DayBlocks::new(&tools.scratch, &source_name(block.ulid()), Bounds::default())?;
    let found = read(tools, block, labels, &mut blocks).await?;
    let finished = blocks.finish()?;
    let (made, size, samples) = (finished.blocks(), finished.bytes(), finished.samples());
    let was = block.bytes();
    if !finished.list(tools, tenant).await? {
        return Ok("skipped: somebody else has imported it meanwhile".to_owned());
    }
    let mut line = format!(
        "{} series, {} in {}, {} (it took {})",
        count(found.series),
        many(samples, "sample"),
        many(made as u64, "block"),
        bytes(size),
        bytes(was)
    );
    if found.deleted > 0 {
        line += &format!("; its tombstones have deleted {}", many(found.deleted, "sample"));
    }
    if found.repeated > 0 {
        line += &format!("; {} had the time of another", many(found.repeated, "sample"));
    }
    Ok(line)
}

#[derive(Default)]
struct Found {
    series: u64,
    deleted: u64,
    repeated: u64,
}

/// Reads all series of a block.
async fn read(
    tools: &Tools,
    block: &SourceBlock,
    labels: &[(String, String)],
    blocks: &mut DayBlocks,
) -> Result<Found> {
    let progress = tools.progress(&format!("importing {}", block.ulid()), Some(block.bytes()));
    let more: Vec<(&str, &str)> = {
        let own = labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        block.meta.external_labels().chain(own).collect()
    };
    let mut reader = block.open(&progress).await?;
    let (mut found, mut samples) = (Found::default(), SampleBuffer::default());
    let mut series = InOrder::new(!more.is_empty());
    loop {
        while !series.is_full() {
            let Some((reference, mut entry)) = reader.next().await? else {
                series.end();
                break;
            };
            if !more.is_empty() {
                let mut builder = LabelsBuilder::from_labels(&entry.labels);
                for (name, value) in &more {
                    builder.set(name, value);
                }
                entry.labels = builder.build();
            }
            series.push(reference, entry)?;
        }
        let Some((reference, entry)) = series.pop() else { break };
        samples.clear();
        found.deleted += reader.samples(reference, &entry, &mut samples).await?;
        found.repeated += block::in_time_order(&mut samples);
        found.series += 1;
        blocks.add(&entry.labels, &samples)?;
    }
    let said = block.meta.stats.num_series;
    if said > 0 && said != found.series {
        bail!("its meta.json says that it has {said} series, but its index has {}", found.series);
    }
    Ok(found)
}

/// Whether something looks like a place on this machine, and not like an address.
fn is_local(from: &str) -> bool {
    !from.contains("://") && !from.starts_with("file:") || Path::new(from).exists()
}
