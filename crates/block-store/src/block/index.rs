//! A block's index in memory.

use super::{
    LabelTable,
    footer::Footer,
    groups::Groups,
    logs::LogsIndex,
    postings::Postings,
    rows::{Row, Rows},
    section::Section,
    series::{Page, PageKind, decode_pages},
    starts::{self, PageStarts},
    symbols::Symbols,
    times::{self, TimePage},
};
use chunk::{Corrupt, Cursor};
use model::Labels;

/// The index of a block of either signal.
#[derive(Debug)]
pub(crate) enum BlockIndex {
    Metrics(MetricsIndex),
    Logs(LogsIndex),
}

/// The labels of all series or streams of a block, and who has which.
#[derive(Debug)]
pub(super) struct LabelIndex {
    pub(super) symbols: Symbols,
    pub(super) rows: Rows,
    pub(super) postings: Postings,
}

#[derive(Debug)]
pub(crate) struct MetricsIndex {
    pub(super) labels: LabelIndex,
    /// Of each series where its first page lies.
    first_pages: Vec<u64>,
    pub(super) groups: Groups,
    pub(super) times: Vec<TimePage>,
    /// Ascending by series, and by page.
    starts: Vec<PageStarts>,
}

/// What one row of the series table says; reused from row to row.
#[derive(Debug, Default)]
pub(super) struct SeriesRow {
    pub(super) labels: Row,
    pub(super) pages: Vec<Page>,
}

impl BlockIndex {
    pub(super) fn labels(&self) -> &LabelIndex {
        match self {
            Self::Metrics(index) => &index.labels,
            Self::Logs(index) => &index.labels,
        }
    }

    pub(super) fn metrics(&self) -> Result<&MetricsIndex, Corrupt> {
        match self {
            Self::Metrics(index) => Ok(index),
            Self::Logs(_) => Err(Corrupt("a block of logs among those of metrics")),
        }
    }

    pub(super) fn logs(&self) -> Result<&LogsIndex, Corrupt> {
        match self {
            Self::Logs(index) => Ok(index),
            Self::Metrics(_) => Err(Corrupt("a block of metrics among those of logs")),
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Metrics(index) => index.heap_bytes(),
            Self::Logs(index) => index.heap_bytes(),
        }
    }
}

impl LabelIndex {
    /// From the three sections; `rest` reads what follows the labels of each row.
    pub(super) fn decode(
        symbols: &[u8],
        rows: Vec<u8>,
        postings: Vec<u8>,
        rest: impl FnMut(&mut Cursor<'_>) -> Result<(), Corrupt>,
    ) -> Result<Self, Corrupt> {
        let symbols = Symbols::decode(symbols)?;
        let rows = Rows::decode(rows, &symbols, rest)?;
        let count = u32::try_from(rows.len()).map_err(|_| Corrupt("too many series"))?;
        let postings = Postings::decode(postings, &symbols, count)?;
        Ok(Self { symbols, rows, postings })
    }

    pub(super) fn of(&self, row: &Row) -> Labels {
        self.rows.labels(row, &self.symbols)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.symbols.heap_bytes() + self.rows.heap_bytes() + self.postings.heap_bytes()
    }
}

impl MetricsIndex {
    /// `bytes`: the object from where the first section begins (`start`).
    pub(super) fn decode(footer: &Footer, bytes: &[u8], start: u64) -> Result<Self, Corrupt> {
        let section = |section: &Section| section.find(bytes, start);
        let [groups, times, symbols, series, postings] = &footer.sections;
        let groups = Groups::decode(&section(groups)?, start)?;
        let times = times::decode(&section(times)?, groups.end())?;
        let (mut first_pages, mut offset, mut pages) = (Vec::new(), 0, Vec::new());
        let read_pages = |input: &mut Cursor<'_>| {
            first_pages.push(offset);
            decode_pages(input, offset, &mut pages)?;
            let unknown =
                |p: &Page| matches!(p.kind, PageKind::Float { time } if time as usize >= times.len());
            if pages.iter().any(unknown) {
                return Err(Corrupt("timestamps out of bounds"));
            }
            offset = pages.last().map_or(offset, Page::end);
            Ok(())
        };
        let labels =
            LabelIndex::decode(&section(symbols)?, section(series)?, section(postings)?, read_pages)?;
        let starts = starts::decode(labels.rows.behind(), times.len())?;
        Ok(Self { labels, first_pages, groups, times, starts })
    }

    /// What is needed to read all series in their order.
    pub(super) fn into_parts(self) -> (LabelTable, Groups, Vec<TimePage>, Vec<PageStarts>) {
        (self.labels.into_table(), self.groups, self.times, self.starts)
    }

    /// Reads a series into `row`.
    #[inline]
    pub(super) fn read(&self, series: u32, row: &mut SeriesRow) -> Result<(), Corrupt> {
        let mut input = self.labels.rows.read(series, &mut row.labels)?;
        let first = self.first_pages.get(series as usize).ok_or(Corrupt("series out of bounds"))?;
        decode_pages(&mut input, *first, &mut row.pages)?;
        starts::assign(&self.starts, series, &mut row.pages)
    }

    fn heap_bytes(&self) -> usize {
        let pages = self.times.len() * size_of::<TimePage>() + self.first_pages.len() * size_of::<u64>();
        let starts = self.starts.len() * size_of::<PageStarts>();
        pages + starts + self.groups.heap_bytes() + self.labels.heap_bytes()
    }
}
