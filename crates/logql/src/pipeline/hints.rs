//! Which labels a query uses, so that parsers take no others.

use super::{ERROR_LABEL, SeriesGrouping, label_filter, stage::Stage};

/// What parsers have to extract.
#[derive(Debug, Default)]
pub struct Hints {
    /// The labels that are used; if there are none, all are.
    required: Vec<String>,
    none: bool,
    preserve_error: bool,
}

impl Hints {
    /// Every label.
    pub fn all() -> Self {
        Self::default()
    }

    /// Those that the stages of a metric query and its grouping name. With `without`, or
    /// where series keep all labels, that is every label.
    pub fn of_metric(
        grouping: &SeriesGrouping,
        unwrapped: Option<&str>,
        used: impl Iterator<Item = Used>,
    ) -> Self {
        let groups: &[String] = match grouping {
            SeriesGrouping::By(labels) => labels,
            SeriesGrouping::NoLabels => &[],
            SeriesGrouping::All | SeriesGrouping::Without(_) => return Self::all(),
        };
        let mut required: Vec<String> = Vec::new();
        for used in used {
            match used {
                Used::Label(label) => required.push(label),
                Used::Unknown => return Self::all(),
            }
        }
        required.extend(groups.iter().cloned());
        required.extend(unwrapped.map(str::to_owned));
        // A parser knows only later that a label will get the suffix, and a field may be
        // called so itself: both names may be meant.
        let plain: Vec<String> =
            required.iter().filter_map(|l| l.strip_suffix("_extracted")).map(str::to_owned).collect();
        required.extend(plain);
        required.sort_unstable();
        required.dedup();
        let preserve_error = required.iter().any(|label| label == ERROR_LABEL);
        Self { none: required.is_empty(), required, preserve_error }
    }

    /// Whether no label at all is used.
    pub fn no_labels(&self) -> bool {
        self.none
    }

    #[inline]
    pub fn wants(&self, name: &str) -> bool {
        self.required.is_empty() || self.requires(name)
    }

    /// Whether `name` is one of those that are counted for `is_complete`.
    #[inline]
    pub fn requires(&self, name: &str) -> bool {
        self.required.iter().any(|label| label == name)
    }

    /// Whether a wanted label may begin so.
    pub fn wants_prefix(&self, prefix: &str) -> bool {
        self.required.is_empty() || self.required.iter().any(|label| label.starts_with(prefix))
    }

    /// Whether `found` of the used labels are all.
    pub fn is_complete(&self, found: usize) -> bool {
        !self.required.is_empty() && found == self.required.len()
    }

    /// Whether the query looks at errors of parsers itself.
    pub fn preserve_error(&self) -> bool {
        self.preserve_error
    }
}

/// A use of labels in a stage.
pub enum Used {
    Label(String),
    /// Labels that cannot be told beforehand.
    Unknown,
}

/// What the stages of a pipeline use.
pub fn used_by(stages: &[Stage]) -> impl Iterator<Item = Used> {
    let mut used = Vec::new();
    for stage in stages {
        match stage {
            Stage::LabelFilter(filter) => {
                label_filter::labels(filter, &mut |label| used.push(Used::Label(label.to_owned())));
            }
            Stage::LineFormat(template) => template.used(&mut used),
            Stage::LabelFormat(formats) => formats.used(&mut used),
            Stage::Lines(_) | Stage::Parser(..) | Stage::Decolorize(_) | Stage::Drop(_) | Stage::Keep(_) => {}
        }
    }
    used.into_iter()
}
