//! `verify`: reads every byte of blocks and says what is wrong.

use crate::{
    Outcome, Tools,
    human::{bytes, count, many, time},
};
use anyhow::{Context, Result};
use block_store::{BlockMeta, Ulid, unlisted_objects, verify_block};
use model::{Signal, TenantId};
use std::io::Write;

#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// All if none.
    pub tenant: Option<String>,
    pub signal: Option<Signal>,
    /// Ids, or beginnings of them; all blocks if none.
    pub blocks: Vec<String>,
    /// Has blocks that were set aside, and are sound, read again.
    pub restore: bool,
}

#[derive(Default)]
struct Totals {
    blocks: u64,
    bytes: u64,
    damaged: u64,
    unlisted: u64,
}

pub async fn verify(tools: &Tools, options: &VerifyOptions, out: &mut dyn Write) -> Result<Outcome> {
    let mut totals = Totals::default();
    for tenant in tools.tenants(options.tenant.as_deref()).await? {
        let wanted = wanted(tools, &tenant, options).await?;
        let bytes = wanted.iter().map(|(_, block)| block.bytes).sum();
        let progress = tools.progress(&format!("verifying {tenant}"), Some(bytes));
        for (signal, block) in &wanted {
            let read = |bytes| progress.add(bytes);
            let bucket = tools.manifests.bucket();
            let found = verify_block(bucket, &tenant, *signal, block, &read).await;
            let found = found.with_context(|| format!("block {} of {signal} of {tenant}", block.id))?;
            totals.blocks += 1;
            totals.bytes += block.bytes;
            totals.damaged += u64::from(!found.problems.is_empty());
            for problem in &found.problems {
                writeln!(out, "{tenant} {signal} {}: {problem}", block.id)?;
            }
            if found.problems.is_empty() && block.damaged.is_some() {
                let said = restore(tools, &tenant, (*signal, block.id), options.restore).await?;
                writeln!(out, "{tenant} {signal} {}: {said}", block.id)?;
            }
            if found.more > 0 {
                writeln!(out, "{tenant} {signal} {}: and {} more problems", block.id, count(found.more))?;
            }
        }
        if options.blocks.is_empty() {
            for signal in Tools::signals(options.signal) {
                totals.unlisted += name_unlisted(tools, &tenant, signal, out).await?;
            }
        }
    }
    let Totals { blocks, bytes: read, damaged, unlisted } = totals;
    writeln!(
        out,
        "{}, {} read: {} damaged; {} that no list names",
        many(blocks, "block"),
        bytes(read),
        count(damaged),
        many(unlisted, "object")
    )?;
    Ok(if damaged > 0 { Outcome::Bad } else { Outcome::Good })
}

/// What is to be said of a block that was set aside, and is sound.
async fn restore(
    tools: &Tools,
    tenant: &TenantId,
    (signal, block): (Signal, Ulid),
    restores: bool,
) -> Result<&'static str> {
    if !restores {
        return Ok("it is set aside, and sound: with --restore it is read again");
    }
    tools.manifests.restore(tenant, signal, block).await?;
    Ok("it was set aside, and is sound: it is read again")
}

async fn wanted(
    tools: &Tools,
    tenant: &TenantId,
    options: &VerifyOptions,
) -> Result<Vec<(Signal, BlockMeta)>> {
    let mut wanted = Vec::new();
    for block in &options.blocks {
        wanted.push(tools.find(tenant, options.signal, block).await?);
    }
    if options.blocks.is_empty() {
        for signal in Tools::signals(options.signal) {
            let blocks = tools.listed(tenant, signal).await?;
            wanted.extend(blocks.into_iter().map(|block| (signal, block)));
        }
    }
    Ok(wanted)
}

async fn name_unlisted(tools: &Tools, tenant: &TenantId, signal: Signal, out: &mut dyn Write) -> Result<u64> {
    let unlisted = unlisted_objects(&tools.manifests, tenant, signal).await?;
    for object in &unlisted {
        writeln!(
            out,
            "{tenant} {signal} {}: no list names this object ({}, of {}): it is about to be listed, or to be removed",
            object.name,
            bytes(object.size),
            time(object.modified)
        )?;
    }
    Ok(unlisted.len() as u64)
}
