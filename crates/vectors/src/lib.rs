//! Vectors over the steps of a query, and what PromQL and LogQL both do with them.

mod aggregate;
mod compensated;
mod histograms;
mod label_replace;
mod labels;
mod matching;
mod operator;
mod order;
mod quantile;
mod reach;
mod row;
mod steps;
mod stretch;

pub use aggregate::{Groups, HistogramNotes, Kind, Limit, Limited, Top};
pub use compensated::{add_compensated, compensated_mean};
pub use histograms::{Histograms, Sample};
pub use label_replace::{LabelReplace, check_value_length};
pub use labels::{LabelChoice, merge_same_labels, without_metadata};
pub use matching::{Cardinality, Duplicate, Fill, Pairs, SetOp, VectorMatching, set_operation};
pub use operator::{Arithmetic, Comparison, ScalarOp};
pub use order::{ascending, descending};
pub use quantile::quantile;
pub use reach::Reach;
pub use row::{Row, RowRef, Rows, absent, each, has_values, is_absent, row_bytes};
pub use steps::Steps;
pub use stretch::{Evaluate, Stretch, Table};
