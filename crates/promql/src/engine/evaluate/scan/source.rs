//! Where a scan's series come from: samples of all that it reads, or pieces of time with figures or samples each.

use crate::engine::{
    evaluate::Evaluator,
    plan::Input,
    rollups::{Cover, Leaf, Source as PieceSource},
};
use model::Labels;
use service_api::{Error, Reservation, Result, Series};
use vectors::Steps;

/// The series of a scan, sorted by labels.
pub(super) enum Source<'a> {
    Samples(&'a [Series]),
    Joined(Joined<'a>),
}

/// Series that are in some of several sets.
pub(super) struct Joined<'a> {
    pub cover: &'a Cover,
    /// Of each piece one for each figure, or one with samples.
    sets: Vec<&'a [Series]>,
    labels: Vec<&'a Labels>,
    /// For each series and set its place in the set.
    places: Vec<u32>,
    _held: Reservation,
}

/// What stands for a series that is not in a set.
const NOWHERE: u32 = u32::MAX;

impl<'a> Source<'a> {
    /// Of a scan for these steps.
    pub fn of(evaluator: &Evaluator<'a>, input: Input, steps: &Steps) -> Result<Self> {
        let leaf = match input {
            Input::Select(_) => None,
            Input::Candidate(at) => evaluator.leaves.get(at),
        };
        let Some(Leaf::Covered(cover)) = leaf else { return Ok(Self::Samples(evaluator.selected(input))) };
        if cover.steps != *steps {
            return Err(Error::internal("rollups were read for other steps than those that are evaluated"));
        }
        Joined::new(evaluator, cover).map(Self::Joined)
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Samples(series) => series.len(),
            Self::Joined(joined) => joined.labels.len(),
        }
    }

    pub fn labels(&self, at: usize) -> &Labels {
        match self {
            Self::Samples(series) => &series[at].labels,
            Self::Joined(joined) => joined.labels[at],
        }
    }
}

impl<'a> Joined<'a> {
    fn new(evaluator: &Evaluator<'a>, cover: &'a Cover) -> Result<Self> {
        let mut sets: Vec<&[Series]> = Vec::new();
        for piece in &cover.pieces {
            match &piece.source {
                PieceSource::Samples(select) => sets.push(evaluator.selected(Input::Select(*select))),
                PieceSource::Rollups { sets: figures, .. } => {
                    sets.extend(figures.iter().map(|set| &set.series[..]));
                }
            }
        }
        let total: usize = sets.iter().map(|set| set.len()).sum();
        let mut held = evaluator.reserve(total * size_of::<(&Labels, u32, u32)>())?;
        let mut all: Vec<(&Labels, u32, u32)> = Vec::with_capacity(total);
        for (of, set) in (0u32..).zip(&sets) {
            all.extend((0u32..).zip(*set).map(|(at, series)| (&series.labels, of, at)));
        }
        evaluator.ctx.check()?;
        // Sorted runs one behind the other, which a stable sort merges.
        all.sort_by(|a, b| a.0.cmp(b.0));
        let (mut labels, mut places): (Vec<&Labels>, Vec<u32>) = (Vec::new(), Vec::new());
        for same in all.chunk_by(|a, b| a.0 == b.0) {
            held.grow(size_of::<&Labels>() + sets.len() * size_of::<u32>())?;
            labels.push(same[0].0);
            let first = places.len();
            places.resize(first + sets.len(), NOWHERE);
            same.iter().for_each(|(_, of, at)| places[first + *of as usize] = *at);
        }
        Ok(Self { cover, sets, labels, places, _held: held })
    }

    /// A series in one of the sets, if it is there.
    pub fn series(&self, at: usize, set: usize) -> Option<&'a Series> {
        match self.places[at * self.sets.len() + set] {
            NOWHERE => None,
            place => self.sets[set].get(place as usize),
        }
    }
}
