//! A block's index in memory.

use super::{
    footer::{Footer, Section},
    groups::Groups,
    postings::Postings,
    series::SeriesTable,
    symbols::Symbols,
    times::{self, TimePage},
};
use chunk::Corrupt;

#[derive(Debug)]
pub(crate) struct BlockIndex {
    pub(super) groups: Groups,
    pub(super) times: Vec<TimePage>,
    pub(super) symbols: Symbols,
    pub(super) series: SeriesTable,
    pub(super) postings: Postings,
}

impl BlockIndex {
    /// `bytes`: the object from where the first section begins (`start`).
    pub(super) fn decode(footer: &Footer, bytes: &[u8], start: u64) -> Result<Self, Corrupt> {
        let section = |section: &Section| {
            let at = (section.offset - start) as usize;
            let stored = bytes.get(at..at + section.stored as usize).ok_or(Corrupt("cut short"))?;
            section.decompress(stored)
        };
        let [groups, times, symbols, series, postings] = &footer.sections;
        let groups = Groups::decode(&section(groups)?, start)?;
        let times = times::decode(&section(times)?, groups.end())?;
        let symbols = Symbols::decode(&section(symbols)?)?;
        let series = SeriesTable::decode(section(series)?, &symbols, times.len())?;
        let count = u32::try_from(series.len()).map_err(|_| Corrupt("too many series"))?;
        let postings = Postings::decode(section(postings)?, &symbols, count)?;
        Ok(Self { groups, times, symbols, series, postings })
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let times = self.times.len() * size_of::<TimePage>();
        let parts = [self.groups.heap_bytes(), self.symbols.heap_bytes(), self.series.heap_bytes()];
        times + self.postings.heap_bytes() + parts.iter().sum::<usize>()
    }
}
