//! Lets a merge compute until something has to be read or put, sees to that, and so on.

use super::{
    MergeError, MergeFigures,
    outputs::{Outputs, WholeBlock},
};
use crate::block::blocking;

/// A merge between two waits: pure CPU work, off the async threads.
pub trait Work: Send + Sized + 'static {
    /// What has to be read.
    type Wants: Send + 'static;
    type Readers: Send;

    /// Goes on until something is wanted that is not here, a block is whole, or all is done.
    fn run(&mut self) -> Result<Step<Self::Wants>, MergeError>;

    fn read(
        &mut self,
        readers: &mut Self::Readers,
        wants: Self::Wants,
    ) -> impl Future<Output = Result<(), MergeError>> + Send;
}

pub enum Step<Wants> {
    Read(Wants),
    Put(WholeBlock),
    Done(MergeFigures),
}

pub async fn drive<W: Work>(
    mut work: W,
    mut readers: W::Readers,
    outputs: &mut Outputs<'_>,
) -> Result<MergeFigures, MergeError> {
    loop {
        let step;
        (work, step) = blocking(move || {
            let step = work.run();
            (work, step)
        })
        .await?;
        match step? {
            Step::Read(wants) => work.read(&mut readers, wants).await?,
            Step::Put(block) => outputs.put(block).await?,
            Step::Done(figures) => return Ok(figures),
        }
    }
}
