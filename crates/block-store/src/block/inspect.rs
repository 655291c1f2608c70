//! What a block is made of, from its footer and its index alone.

use super::{
    BlockIndex,
    footer::{AnyFooter, FOOTER_LEN},
    index::{LabelIndex, MetricsIndex, SeriesRow},
    logs::{LogsFooter, LogsIndex},
    reader::{TAIL_BYTES, blocking},
    rows::Row,
    section::Section,
    series::PageKind,
    verify::{Object, Stop},
};
use crate::{BlockMeta, Bucket};
use chunk::Corrupt;
use model::{METRIC_NAME, Signal, TenantId};
use service_api::{Error, Result};

/// A section with its sizes, stored and before zstd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedSection {
    pub name: String,
    pub offset: u64,
    pub stored: u64,
    pub raw: u64,
}

/// All pages of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InspectedPages {
    pub kind: &'static str,
    pub count: u64,
    pub bytes: u64,
}

/// A label name: how many values it has, and how many series or streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedLabel {
    pub name: String,
    pub values: u64,
    pub series: u64,
}

/// A metric, with the number of its series; or a stream, with its lines and the bytes of its pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Largest {
    pub name: String,
    pub count: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspected {
    pub footer_bytes: u64,
    pub sections: Vec<InspectedSection>,
    pub pages: Vec<InspectedPages>,
    /// In which pages of samples are read; 0 for lines, whose pages are read on their own.
    pub groups: u64,
    /// Those with the most values first.
    pub labels: Vec<InspectedLabel>,
    /// The largest first: metrics by series, streams by bytes.
    pub largest: Vec<Largest>,
}

/// Reads footer and index of a block. `most`: how many of its metrics or streams are named.
pub async fn inspect_block(
    bucket: &Bucket,
    tenant: &TenantId,
    signal: Signal,
    meta: &BlockMeta,
    most: usize,
) -> Result<Inspected> {
    let object = Object::new(bucket, tenant, signal, meta);
    let opened = async {
        object.check_size().await?;
        let start = meta.bytes.saturating_sub(TAIL_BYTES);
        let tail = object.part(start..meta.bytes).await?;
        let footer = AnyFooter::decode(signal, &tail, meta.bytes)?;
        let range = footer.index_range();
        let bytes = object.part(range.clone()).await?;
        let inspect = move || {
            let index = footer.index(&bytes, range.start)?;
            inspect(&footer, &index, &tail, start + tail.len() as u64, most)
        };
        Ok::<_, Stop>(blocking(inspect).await??)
    };
    opened.await.map_err(|stop| match stop {
        Stop::Failed(error) => error,
        Stop::Damaged(why) => Error::internal(format!("block {} is damaged: {why}", meta.id)),
    })
}

fn inspect(
    footer: &AnyFooter,
    index: &BlockIndex,
    tail: &[u8],
    size: u64,
    most: usize,
) -> Result<Inspected, Corrupt> {
    let (sections, footer_bytes) = sections(footer, tail, size)?;
    let mut found = Inspected {
        footer_bytes,
        sections,
        pages: Vec::new(),
        groups: 0,
        labels: labels(index.labels()),
        largest: Vec::new(),
    };
    match index {
        BlockIndex::Metrics(index) => {
            found.pages = sample_pages(index)?;
            found.groups = index.groups.len() as u64;
            found.largest = largest_metrics(&index.labels, most);
        }
        BlockIndex::Logs(index) => {
            let bytes = index.pages.iter().map(|page| u64::from(page.len)).sum();
            found.pages.push(InspectedPages { kind: "lines", count: index.pages.len() as u64, bytes });
            found.largest = largest_streams(index, most)?;
        }
    }
    Ok(found)
}

/// All sections, and how many bytes come behind them.
pub(super) fn sections(
    footer: &AnyFooter,
    tail: &[u8],
    size: u64,
) -> Result<(Vec<InspectedSection>, u64), Corrupt> {
    let named = |name: String, section: &Section| InspectedSection {
        name,
        offset: section.offset,
        stored: section.stored,
        raw: section.raw,
    };
    Ok(match footer {
        AnyFooter::Metrics(footer) => {
            let names = ["groups", "times", "symbols", "series", "postings"];
            let sections = names.iter().zip(&footer.sections);
            (sections.map(|(name, place)| named((*name).to_owned(), place)).collect(), FOOTER_LEN as u64)
        }
        AnyFooter::Logs(_) => {
            let all = LogsFooter::with_all_sections(tail, size)?.sections;
            let sections = all.iter().map(|(number, place)| named(LogsFooter::name(*number), place));
            (sections.collect(), LogsFooter::len(all.len()))
        }
    })
}

/// Of each kind how many pages there are.
fn sample_pages(index: &MetricsIndex) -> Result<Vec<InspectedPages>, Corrupt> {
    let kind = |kind| InspectedPages { kind, count: 0, bytes: 0 };
    let (mut floats, mut histograms) = (kind("floats"), kind("histograms"));
    let mut row = SeriesRow::default();
    for series in 0..index.labels.rows.len() as u32 {
        index.read(series, &mut row)?;
        for page in &row.pages {
            let pages = match page.kind {
                PageKind::Float { .. } => &mut floats,
                PageKind::Histogram { .. } => &mut histograms,
            };
            pages.count += 1;
            pages.bytes += u64::from(page.len);
        }
    }
    let bytes = index.times.iter().map(|page| u64::from(page.len)).sum();
    let times = InspectedPages { kind: "timestamps", count: index.times.len() as u64, bytes };
    Ok(vec![floats, histograms, times])
}

fn labels(index: &LabelIndex) -> Vec<InspectedLabel> {
    let label = |name| {
        let values = index.postings.values(name);
        let series = values.iter().map(|value| u64::from(value.count)).sum();
        InspectedLabel { name: index.symbols.get(name).to_owned(), values: values.len() as u64, series }
    };
    let mut labels: Vec<_> = index.postings.names().map(label).collect();
    labels.sort_by(|a, b| b.values.cmp(&a.values).then_with(|| a.name.cmp(&b.name)));
    labels
}

fn largest_metrics(index: &LabelIndex, most: usize) -> Vec<Largest> {
    let values = index.symbols.find(METRIC_NAME).map_or(&[][..], |name| index.postings.values(name));
    let mut values: Vec<_> = values.iter().map(|value| (value.count, value.symbol)).collect();
    values.sort_unstable_by_key(|(count, symbol)| (std::cmp::Reverse(*count), *symbol));
    let metric = |(count, symbol): &(u32, u32)| Largest {
        name: index.symbols.get(*symbol).to_owned(),
        count: u64::from(*count),
        bytes: 0,
    };
    values.iter().take(most).map(metric).collect()
}

fn largest_streams(index: &LogsIndex, most: usize) -> Result<Vec<Largest>, Corrupt> {
    let sizes = |stream: u32| {
        let pages = index.pages_of(stream).filter_map(|page| index.pages.get(page as usize));
        pages.fold((0, 0), |(bytes, lines), p| (bytes + u64::from(p.len), lines + u64::from(p.lines)))
    };
    let mut streams: Vec<_> =
        (0..index.labels.rows.len() as u32).map(|stream| (sizes(stream), stream)).collect();
    streams.sort_unstable_by_key(|((bytes, _), stream)| (std::cmp::Reverse(*bytes), *stream));
    let mut row = Row::default();
    let stream = |((bytes, lines), stream): &((u64, u64), u32)| {
        index.labels.rows.read(*stream, &mut row)?;
        Ok(Largest { name: index.labels.of(&row).to_string(), count: *lines, bytes: *bytes })
    };
    streams.iter().take(most).map(stream).collect()
}
