//! Questions to a block's index about labels.

use super::{
    index::LabelIndex,
    reader::{BlockReader, blocking},
    rows::Row,
    select::PlanError,
};
use model::{Labels, Matcher};
use service_api::{ReadContext, Reservation, Result};
use std::collections::BTreeSet;

/// Values that are listed where they are asked for: less work than a change of threads.
const FEW_VALUES: usize = 1024;
/// Series or texts between two looks at whether a query is to go on.
const CHECK_EVERY: usize = 1024;

impl BlockReader {
    /// The label sets that match any of the matcher sets (all, if there is none), sorted.
    pub(crate) async fn series(
        &self,
        ctx: &ReadContext,
        matcher_sets: &[Vec<Matcher>],
    ) -> Result<Counted<Vec<Labels>>> {
        let sets = matcher_sets.to_vec();
        self.ask(
            ctx,
            |_| false,
            move |index, count| {
                let (mut row, mut found) = (Row::default(), Vec::new());
                for series in matching_any(index, &sets, count)? {
                    index.rows.read(series, &mut row)?;
                    let labels = index.of(&row);
                    count.item(size_of::<Labels>() + labels.heap_bytes())?;
                    found.push(labels);
                }
                Ok(found)
            },
        )
        .await
    }

    pub(crate) async fn label_names(
        &self,
        ctx: &ReadContext,
        matcher_sets: &[Vec<Matcher>],
    ) -> Result<Counted<BTreeSet<String>>> {
        let sets = matcher_sets.to_vec();
        self.ask(
            ctx,
            |_| false,
            move |index, count| {
                let mut found: BTreeSet<u32> = BTreeSet::new();
                if sets.is_empty() {
                    found.extend(index.postings.names());
                } else {
                    let mut row = Row::default();
                    for series in matching_any(index, &sets, count)? {
                        count.item(0)?;
                        index.rows.read(series, &mut row)?;
                        found.extend(index.rows.names(&row));
                    }
                }
                texts(index, found, count)
            },
        )
        .await
    }

    pub(crate) async fn label_values(
        &self,
        ctx: &ReadContext,
        name: &str,
        matcher_sets: &[Vec<Matcher>],
    ) -> Result<Counted<BTreeSet<String>>> {
        let here = |index: &LabelIndex| {
            let values = index.symbols.find(name).map_or(0, |name| index.postings.values(name).len());
            matcher_sets.is_empty() && values <= FEW_VALUES
        };
        let (name, sets) = (name.to_owned(), matcher_sets.to_vec());
        self.ask(ctx, here, move |index, count| {
            let Some(name) = index.symbols.find(&name) else { return Ok(BTreeSet::new()) };
            let mut found: BTreeSet<u32> = BTreeSet::new();
            if sets.is_empty() {
                found.extend(index.postings.values(name).iter().map(|v| v.symbol));
            } else {
                let mut row = Row::default();
                for series in matching_any(index, &sets, count)? {
                    count.item(0)?;
                    index.rows.read(series, &mut row)?;
                    let at = index.rows.names(&row).binary_search(&name).ok();
                    found.extend(at.and_then(|at| row.values.get(at)));
                }
            }
            texts(index, found, count)
        })
        .await
    }

    /// Answers a question to the index: off the async threads, unless it is so small that it
    /// can be answered `here`.
    async fn ask<T: Send + 'static>(
        &self,
        ctx: &ReadContext,
        here: impl FnOnce(&LabelIndex) -> bool,
        question: impl FnOnce(&LabelIndex, &mut Count) -> Result<T, PlanError> + Send + 'static,
    ) -> Result<Counted<T>> {
        ctx.check()?;
        let index = self.index().await?;
        let here = here(index.labels());
        let mut count = Count { reservation: ctx.budget.reserve(0)?, ctx: ctx.clone(), items: 0 };
        let answer = move || {
            Ok(Counted { found: question(index.labels(), &mut count)?, reservation: count.reservation })
        };
        let answer = if here { answer() } else { blocking(answer).await? };
        answer.map_err(|e| self.plan_error(e))
    }
}

/// What a block has answered, and the memory that it takes.
pub(crate) struct Counted<T> {
    pub(crate) found: T,
    pub(crate) reservation: Reservation,
}

/// Keeps an answer that is being collected within its query's bounds.
struct Count {
    ctx: ReadContext,
    reservation: Reservation,
    items: usize,
}

impl Count {
    /// Counts one thing looked at, and the memory that is kept of it.
    fn item(&mut self, bytes: usize) -> Result<()> {
        self.items += 1;
        if self.items.is_multiple_of(CHECK_EVERY) {
            self.ctx.check()?;
        }
        if bytes == 0 { Ok(()) } else { self.reservation.grow(bytes) }
    }
}

fn texts(
    index: &LabelIndex,
    symbols: BTreeSet<u32>,
    count: &mut Count,
) -> Result<BTreeSet<String>, PlanError> {
    let mut found = BTreeSet::new();
    for symbol in symbols {
        let text = index.symbols.get(symbol);
        count.item(size_of::<String>() + text.len())?;
        found.insert(text.to_owned());
    }
    Ok(found)
}

fn matching_any(index: &LabelIndex, sets: &[Vec<Matcher>], count: &mut Count) -> Result<Vec<u32>, PlanError> {
    let [first, rest @ ..] = sets else { return index.matching(&count.ctx, &[]) };
    let mut found = index.matching(&count.ctx, first)?;
    for set in rest {
        count.ctx.check()?;
        found.extend(index.matching(&count.ctx, set)?);
    }
    if !rest.is_empty() {
        found.sort_unstable();
        found.dedup();
    }
    Ok(found)
}
