//! Appends on the wire: columns out of a batch, and a batch out of columns.

mod cache;
mod encode;
mod logs;
mod outcome;
#[cfg(test)]
mod tests;
mod unpack;

pub(crate) use cache::EncodedCache;
pub use encode::encode_append;
pub use logs::{decode_append_logs, encode_append_logs};
pub(crate) use outcome::{from_response, to_response};
pub use unpack::decode_append;

use service_api::{Error, LabelSource, Result, Wanted};

/// The places in the batch of what `which` selects, in the order in which they are sent.
fn selected(which: &Wanted, len: usize) -> Box<dyn ExactSizeIterator<Item = usize> + '_> {
    match which {
        Wanted::All => Box::new(0..len),
        Wanted::Keys(indexes) => Box::new(indexes.iter().map(|at| *at as usize)),
        Wanted::Named(named) => Box::new(named.iter().map(|(at, _)| *at as usize)),
    }
}

/// The place in the batch of what was sent as number `at`.
fn original(which: &Wanted, at: u32) -> Option<u32> {
    match which {
        Wanted::All => Some(at),
        Wanted::Keys(indexes) => indexes.get(at as usize).copied(),
        Wanted::Named(named) => named.get(at as usize).map(|(index, _)| *index),
    }
}

/// Begins a bytes field, whose content of `len` bytes the caller appends.
fn column(tag: u32, len: usize, out: &mut Vec<u8>) {
    prost::encoding::encode_key(tag, prost::encoding::WireType::LengthDelimited, out);
    prost::encoding::encode_varint(len as u64, out);
}

/// A batch that came over the wire has labels only where they were named.
struct NoLabels;

impl LabelSource for NoLabels {
    fn pairs(&self, _: usize, _: &mut dyn FnMut(&str, &str)) -> Result<()> {
        Err(Error::internal("the labels of this series did not come with it"))
    }
}
