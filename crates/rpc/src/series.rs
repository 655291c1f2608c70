//! Selected series on the wire: encoded chunks there, series that decode here, replicas as one.

mod chunks;
mod decode;
mod frames;
mod remote;
mod replicas;
#[cfg(test)]
mod tests;

pub(crate) use frames::SeriesFrames;
pub(crate) use remote::ReceivedSeries;
pub use replicas::merge_replicas;
