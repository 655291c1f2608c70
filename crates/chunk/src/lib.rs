//! Pure encodings of samples, histograms and log lines: bytes in, bytes out, no I/O.
//!
//! An ingester appends to an [`OpenChunk`] and seals it into a [`SealedChunk`]; blocks
//! hold pages made by the functions here. Every page begins with a byte that names its
//! codec. Decoding never panics and never takes more memory than its bounds allow.

mod cursor;
mod histogram;
mod integers;
mod lines;
mod open;
mod sealed;
mod starts;
mod timestamps;
mod values;

pub use cursor::{Cursor, put_ivarint, put_uvarint};
pub use histogram::{MAX_HISTOGRAM_ITEMS, decode_histograms, encode_histograms, histogram_items};
pub use lines::{LinePage, MAX_PAGE_LINES, MAX_PAGE_TEXT, Unfit, encode_lines};
pub use open::OpenChunk;
pub use sealed::SealedChunk;
pub use starts::{StartRuns, decode_starts, encode_starts};
pub use timestamps::{decode_timestamps, encode_timestamps};
pub use values::{decode_values, encode_values};

/// The most samples that one page or chunk holds.
pub const MAX_PAGE_SAMPLES: usize = 65_536;

/// Bytes that no encoder wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("corrupt data: {0}")]
pub struct Corrupt(pub &'static str);
