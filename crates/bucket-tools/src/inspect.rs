//! `inspect`: what a block is made of.

use crate::{
    Tools,
    human::{bytes, count, time},
    table::Table,
};
use anyhow::Result;
use block_store::{BlockMeta, Inspected, inspect_block};
use model::Signal;
use std::io::Write;

/// Metrics, streams and label names that are shown.
const MOST: usize = 10;

#[derive(Clone, Debug, Default)]
pub struct InspectOptions {
    pub tenant: String,
    pub signal: Option<Signal>,
    /// A block's id, or the beginning of one.
    pub block: String,
}

pub async fn inspect(tools: &Tools, options: &InspectOptions, out: &mut dyn Write) -> Result<()> {
    let tenant = tools.tenant(&options.tenant).await?;
    let (signal, meta) = tools.find(&tenant, options.signal, &options.block).await?;
    let found = inspect_block(tools.manifests.bucket(), &tenant, signal, &meta, MOST).await?;
    writeln!(out, "block {} of {signal} of tenant {tenant}", meta.id)?;
    writeln!(out, "from     {}\nto       {}", time(meta.min_time), time(meta.max_time))?;
    writeln!(out, "source   {}, made {}, level {}", meta.source, time(meta.created), meta.level)?;
    sizes(signal, &meta, &found, out)?;
    sections(&meta, &found, out)?;
    labels(&found, out)?;
    largest(signal, &found, out)
}

fn sizes(signal: Signal, meta: &BlockMeta, found: &Inspected, out: &mut dyn Write) -> Result<()> {
    let pages: u64 = found.pages.iter().map(|pages| pages.bytes).sum();
    let each = |bytes: u64, of: u64| bytes as f64 / of.max(1) as f64;
    match signal {
        Signal::Metrics => {
            writeln!(out, "holds    {} series, {} samples", count(meta.series), count(meta.samples))?;
            writeln!(
                out,
                "takes    {}: {:.3} B a sample in pages, {:.3} B with all else, {:.1} B of index a series",
                bytes(meta.bytes),
                each(pages, meta.samples),
                each(meta.bytes, meta.samples),
                each(meta.bytes.saturating_sub(pages), meta.series),
            )?;
        }
        Signal::Logs => {
            let text = bytes(meta.text_bytes);
            writeln!(
                out,
                "holds    {} streams, {} lines, {text} of text",
                count(meta.series),
                count(meta.samples)
            )?;
            writeln!(
                out,
                "takes    {}: text {:.1} times as large as its pages, {:.1} B a line",
                bytes(meta.bytes),
                each(meta.text_bytes, pages),
                each(meta.bytes, meta.samples),
            )?;
        }
    }
    Ok(())
}

fn sections(meta: &BlockMeta, found: &Inspected, out: &mut dyn Write) -> Result<()> {
    let mut table = Table::new(&["part", ">number", ">stored", ">before zstd"]);
    for pages in found.pages.iter().filter(|pages| pages.count > 0) {
        let name = format!("pages of {}", pages.kind);
        table.row(vec![name, count(pages.count), bytes(pages.bytes), String::new()]);
    }
    if found.groups > 0 {
        table.row(vec!["page groups".into(), count(found.groups), String::new(), String::new()]);
    }
    for section in &found.sections {
        let name = format!("section {}", section.name);
        table.row(vec![name, String::new(), bytes(section.stored), bytes(section.raw)]);
    }
    table.row(vec!["footer".into(), String::new(), bytes(found.footer_bytes), String::new()]);
    table.row(vec!["all".into(), String::new(), bytes(meta.bytes), String::new()]);
    writeln!(out)?;
    Ok(table.print(out)?)
}

fn labels(found: &Inspected, out: &mut dyn Write) -> Result<()> {
    let mut table = Table::new(&["label", ">values", ">series"]);
    for label in found.labels.iter().take(MOST) {
        table.row(vec![label.name.clone(), count(label.values), count(label.series)]);
    }
    writeln!(out)?;
    table.print(out)?;
    if found.labels.len() > MOST {
        writeln!(out, "and {} more", found.labels.len() - MOST)?;
    }
    Ok(())
}

fn largest(signal: Signal, found: &Inspected, out: &mut dyn Write) -> Result<()> {
    let mut table = match signal {
        Signal::Metrics => Table::new(&["metric", ">series"]),
        Signal::Logs => Table::new(&["stream", ">lines", ">bytes"]),
    };
    for one in &found.largest {
        let mut row = vec![one.name.clone(), count(one.count)];
        if signal == Signal::Logs {
            row.push(bytes(one.bytes));
        }
        table.row(row);
    }
    writeln!(out)?;
    Ok(table.print(out)?)
}
