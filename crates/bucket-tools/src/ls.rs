//! `ls`: who has blocks, and which.

use crate::{
    Tools,
    human::{bytes, count, many, time},
    table::Table,
};
use anyhow::Result;
use block_store::BlockMeta;
use model::{Signal, TenantId};
use serde_json::json;
use std::io::Write;

#[derive(Clone, Debug, Default)]
pub struct LsOptions {
    /// Whose blocks are to be listed one by one; of all tenants only the sums if nobody's.
    pub tenant: Option<String>,
    pub signal: Option<Signal>,
    /// One JSON object a line.
    pub json: bool,
}

pub async fn ls(tools: &Tools, options: &LsOptions, out: &mut dyn Write) -> Result<()> {
    let tenants = tools.tenants(options.tenant.as_deref()).await?;
    let mut lists = Vec::new();
    for tenant in tenants {
        for signal in Tools::signals(options.signal) {
            let blocks = tools.listed(&tenant, signal).await?;
            if !blocks.is_empty() {
                lists.push((tenant.clone(), signal, blocks));
            }
        }
    }
    match (options.tenant.is_some(), options.json) {
        (true, false) => print_blocks(&lists, out),
        (true, true) => lists.iter().try_for_each(|(tenant, signal, blocks)| {
            blocks.iter().try_for_each(|block| Ok(writeln!(out, "{}", block_json(tenant, *signal, block))?))
        }),
        (false, false) => print_sums(&tools.url, &lists, out),
        (false, true) => lists.iter().try_for_each(|list| Ok(writeln!(out, "{}", sum_json(list))?)),
    }
}

type List = (TenantId, Signal, Vec<BlockMeta>);

/// What the blocks of a list are together.
struct Sum {
    blocks: u64,
    samples: u64,
    bytes: u64,
    min_time: i64,
    max_time: i64,
}

impl Sum {
    fn of(blocks: &[BlockMeta]) -> Self {
        Self {
            blocks: blocks.len() as u64,
            samples: blocks.iter().map(|b| b.samples).sum(),
            bytes: blocks.iter().map(|b| b.bytes).sum(),
            min_time: blocks.iter().map(|b| b.min_time).min().unwrap_or(0),
            max_time: blocks.iter().map(|b| b.max_time).max().unwrap_or(0),
        }
    }
}

fn print_sums(url: &str, lists: &[List], out: &mut dyn Write) -> Result<()> {
    if lists.is_empty() {
        writeln!(out, "no blocks are listed in {url}")?;
        return Ok(());
    }
    let mut table =
        Table::new(&["tenant", "signal", ">blocks", ">samples or lines", ">bytes", "first", "last"]);
    for (tenant, signal, blocks) in lists {
        let sum = Sum::of(blocks);
        table.row(vec![
            tenant.to_string(),
            signal.to_string(),
            count(sum.blocks),
            count(sum.samples),
            bytes(sum.bytes),
            time(sum.min_time),
            time(sum.max_time),
        ]);
    }
    Ok(table.print(out)?)
}

fn sum_json((tenant, signal, blocks): &List) -> serde_json::Value {
    let Sum { blocks, samples, bytes, min_time, max_time } = Sum::of(blocks);
    json!({
        "tenant": tenant.as_str(), "signal": signal.as_str(), "blocks": blocks, "samples": samples,
        "bytes": bytes, "min_time": min_time, "max_time": max_time,
    })
}

fn print_blocks(lists: &[List], out: &mut dyn Write) -> Result<()> {
    for (at, (_, signal, blocks)) in lists.iter().enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        let (series, samples) = match signal {
            Signal::Metrics => (">series", ">samples"),
            Signal::Logs => (">streams", ">lines"),
        };
        let titles = [signal.as_str(), "first", "last", ">level", series, samples, ">bytes", "source"];
        let mut table = Table::new(&titles);
        for block in blocks {
            table.row(vec![
                block.id.to_string(),
                time(block.min_time),
                time(block.max_time),
                block.level.to_string(),
                count(block.series),
                count(block.samples),
                bytes(block.bytes),
                block.damaged.as_ref().map_or(block.source.clone(), |why| format!("set aside: {why}")),
            ]);
        }
        table.print(out)?;
        let sum = Sum::of(blocks);
        let what = samples.trim_start_matches('>');
        writeln!(out, "{}, {} {what}, {}", many(sum.blocks, "block"), count(sum.samples), bytes(sum.bytes))?;
    }
    if lists.is_empty() {
        writeln!(out, "no blocks are listed")?;
    }
    Ok(())
}

fn block_json(tenant: &TenantId, signal: Signal, block: &BlockMeta) -> serde_json::Value {
    json!({
        "tenant": tenant.as_str(), "signal": signal.as_str(), "block": block.id.to_string(),
        "min_time": block.min_time, "max_time": block.max_time, "level": block.level, "series": block.series,
        "samples": block.samples, "text_bytes": block.text_bytes, "bytes": block.bytes,
        "source": block.source, "created": block.created, "damaged": block.damaged,
    })
}
