//! Deletions, as they apply.

use crate::Selection;
use block_store::Deletion;
use model::{Labels, Signal, TimeRange};
use service_api::{Cut, Error, Omit, Result};

/// What some deletions leave out.
#[derive(Clone)]
pub struct Deletions(Vec<(TimeRange, Vec<Selection>)>);

impl Deletions {
    /// # Errors
    /// One of them cannot be understood, so that nobody can say what is left: it was written by a newer
    /// version.
    pub fn new<'a>(signal: Signal, deletions: impl IntoIterator<Item = &'a Deletion>) -> Result<Self> {
        let one = |deletion: &Deletion| {
            let queries = deletion.queries.iter().map(|query| Selection::parse(signal, query));
            let selections = queries.collect::<Result<Vec<_>>>().map_err(|e| {
                Error::internal(format!("deletion {} cannot be understood: {}", deletion.id, e.message))
            })?;
            Ok((deletion.range(), selections))
        };
        Ok(Self(deletions.into_iter().map(one).collect::<Result<_>>()?))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Omit for Deletions {
    fn of(&self, labels: &Labels) -> Cut {
        let mut cut = Cut::default();
        for (range, selections) in &self.0 {
            for selection in selections.iter().filter(|selection| selection.matches(labels)) {
                cut.add(*range, selection.lines.clone());
            }
        }
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use block_store::Ulid;
    use model::Lines;

    fn deletion(queries: &[&str], min_time: i64, max_time: i64) -> Deletion {
        let queries = queries.iter().map(|&query| query.to_owned()).collect();
        Deletion { id: Ulid::from_parts(9, 9), queries, min_time, max_time, due: 0, heads_until: 0 }
    }

    #[test]
    fn a_series_is_cut_by_each_deletion_of_which_a_selector_matches() {
        let up = deletion(&["up{job=\"a\"}", "down"], 5, 9);
        let all = deletion(&["{job=~\".+\"}"], 20, 30);
        let deletions = Deletions::new(Signal::Metrics, [&up, &all]).unwrap();
        let cut = |pairs: &[(&str, &str)]| deletions.of(&Labels::from_pairs(pairs.iter().copied()));
        let of_up = cut(&[("__name__", "up"), ("job", "a")]);
        assert!(of_up.covers(TimeRange::new(5, 9)) && of_up.covers(TimeRange::new(20, 30)));
        assert!(!of_up.touches(TimeRange::new(10, 19)));
        let of_down = cut(&[("__name__", "down")]);
        assert!(of_down.covers(TimeRange::new(5, 9)) && !of_down.touches(TimeRange::new(20, 30)));
        assert!(cut(&[("__name__", "up")]).is_empty());
    }

    #[test]
    fn of_lines_those_that_the_query_keeps() {
        let query = "{app=\"a\"} |= \"x\" | level=\"debug\"";
        let deletions = Deletions::new(Signal::Logs, [&deletion(&[query], 0, 9)]).unwrap();
        let labels = Labels::from_pairs([("app", "a")]);
        let mut lines = Lines::default();
        for (time, text, level) in
            [(1, "x", "debug"), (2, "x", "info"), (3, "y", "debug"), (10, "x", "debug")]
        {
            lines.push(time * 1_000_000, text.as_bytes(), [("level", level)]);
        }
        let cut = deletions.of(&labels);
        assert!(cut.touches(TimeRange::new(0, 0)) && !cut.covers(TimeRange::new(0, 0)));
        assert_eq!(cut.of_stream(&labels).take_out(&mut lines), 1);
        assert_eq!(lines.timestamps, [2_000_000, 3_000_000, 10_000_000]);
        assert!(deletions.of(&Labels::from_pairs([("app", "b")])).is_empty());
    }

    #[test]
    fn what_selects_everything_or_is_none_is_refused() {
        for (signal, bad) in [
            (Signal::Metrics, "{}"),
            (Signal::Metrics, "{a=~\".*\"}"),
            (Signal::Metrics, "rate(a[5m])"),
            (Signal::Logs, "{}"),
            (Signal::Logs, "rate({app=\"a\"}[5m])"),
            (Signal::Logs, "{app=\"a\"} |~ \"(\""),
        ] {
            assert!(Selection::parse(signal, bad).is_err(), "{bad}");
        }
    }
}
