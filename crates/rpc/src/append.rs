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

/// What `which` selects of a batch's series or streams, in the order in which it is sent.
fn pick<'a, T>(all: &'a [T], which: &Wanted) -> Result<Vec<&'a T>> {
    let get = |at: &u32| all.get(*at as usize).ok_or_else(|| Error::internal("no such series in the batch"));
    match which {
        Wanted::All => Ok(all.iter().collect()),
        Wanted::Keys(indexes) => indexes.iter().map(get).collect(),
        Wanted::Named(named) => named.iter().map(|(at, _)| get(at)).collect(),
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

/// Appends `len` numbers of `N` bytes, which costs less at once than one by one.
fn put<const N: usize>(len: usize, numbers: impl Iterator<Item = [u8; N]>, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + N * len, 0);
    out[start..].as_chunks_mut::<N>().0.iter_mut().zip(numbers).for_each(|(slot, number)| *slot = number);
}

/// A batch that came over the wire has labels only where they were named.
struct NoLabels;

impl LabelSource for NoLabels {
    fn pairs(&self, _: usize, _: &mut dyn FnMut(&str, &str)) -> Result<()> {
        Err(Error::internal("the labels of this series did not come with it"))
    }
}
