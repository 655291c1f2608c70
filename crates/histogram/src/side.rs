//! The buckets on one side of zero, as an ascending sequence of indexes and counts.

use crate::{Buckets, Span};

impl Buckets {
    /// Indexes of the buckets, from the one next to zero.
    pub(crate) fn indexes(&self) -> impl Iterator<Item = i32> + '_ {
        let mut end = 0_i32;
        self.spans.iter().flat_map(move |span| {
            let start = end.wrapping_add(span.offset);
            end = start.wrapping_add(span.length as i32);
            (0..span.length).map(move |at| start.wrapping_add(at as i32))
        })
    }

    /// Indexes and counts, from the bucket next to zero.
    pub(crate) fn ascending(&self) -> impl Iterator<Item = (i32, f64)> + '_ {
        self.indexes().zip(self.counts.iter().copied())
    }

    /// Indexes and counts, from the bucket farthest from zero.
    pub(crate) fn descending(&self) -> impl Iterator<Item = (i32, f64)> + '_ {
        let mut end = self
            .spans
            .iter()
            .fold(0_i32, |end, span| end.wrapping_add(span.offset).wrapping_add(span.length as i32));
        let indexes = self.spans.iter().rev().flat_map(move |span| {
            let last = end.wrapping_sub(1);
            end = end.wrapping_sub(span.length as i32).wrapping_sub(span.offset);
            (0..span.length).map(move |at| last.wrapping_sub(at as i32))
        });
        indexes.zip(self.counts.iter().rev().copied())
    }

    /// Removes empty buckets and joins spans that touch.
    pub(crate) fn compact(&mut self) {
        let touches = |span: &Span| span.offset == 0;
        let is_compact = self.counts.iter().all(|count| *count != 0.0)
            && self.spans.iter().all(|span| span.length > 0)
            && !self.spans.iter().skip(1).any(touches);
        if !is_compact {
            *self = self.ascending().filter(|(_, count)| *count != 0.0).collect();
        }
    }

    /// Merges buckets `2^by` to one.
    pub(crate) fn reduce(&mut self, by: u32) {
        if by > 0 {
            *self = reduced(self.ascending(), by, |sum, count| *sum += count).collect();
        }
    }
}

/// Takes buckets in ascending order; the spans come out as few and as long as can be.
impl FromIterator<(i32, f64)> for Buckets {
    fn from_iter<I: IntoIterator<Item = (i32, f64)>>(buckets: I) -> Self {
        let mut layout = Layout::default();
        let counts = buckets.into_iter().map(|(index, count)| {
            layout.push(index);
            count
        });
        let counts = counts.collect();
        Self { spans: layout.spans, counts }
    }
}

/// Spans that grow bucket by bucket.
#[derive(Default)]
pub(crate) struct Layout {
    pub(crate) spans: Vec<Span>,
    /// The index after the last bucket.
    end: i32,
}

impl Layout {
    /// Appends the bucket `index`, which is above all so far.
    pub(crate) fn push(&mut self, index: i32) {
        match self.spans.last_mut() {
            Some(span) if index == self.end => span.length += 1,
            _ => self.spans.push(Span { offset: index.wrapping_sub(self.end), length: 1 }),
        }
        self.end = index.wrapping_add(1);
    }

    /// How many buckets there would be between the last one and `index`; `None` if there is none yet.
    pub(crate) fn gap(&self, index: i32) -> Option<i32> {
        (!self.spans.is_empty()).then_some(index.wrapping_sub(self.end))
    }
}

/// The index of the bucket that takes in bucket `index` when `2^by` are merged to one.
fn reduced_index(index: i32, by: u32) -> i32 {
    (index.wrapping_sub(1) >> by.min(31)).wrapping_add(1)
}

/// Ascending buckets with `2^by` merged to one, what they hold added up in order.
pub(crate) fn reduced<T>(
    buckets: impl Iterator<Item = (i32, T)>,
    by: u32,
    add: impl Fn(&mut T, T),
) -> impl Iterator<Item = (i32, T)> {
    let mut buckets = buckets.map(move |(index, value)| (reduced_index(index, by), value)).peekable();
    std::iter::from_fn(move || {
        let (index, mut sum) = buckets.next()?;
        while let Some((_, value)) = buckets.next_if(|next| next.0 == index) {
            add(&mut sum, value);
        }
        Some((index, sum))
    })
}

/// Two ascending sequences as one; what both have of an index comes together.
pub(crate) fn merged<A, B>(
    left: impl Iterator<Item = (i32, A)>,
    right: impl Iterator<Item = (i32, B)>,
) -> impl Iterator<Item = (i32, Option<A>, Option<B>)> {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    std::iter::from_fn(move || {
        let index = match (left.peek(), right.peek()) {
            (Some((l, _)), Some((r, _))) => *l.min(r),
            (Some((only, _)), None) | (None, Some((only, _))) => *only,
            (None, None) => return None,
        };
        let l = left.next_if(|next| next.0 == index).map(|(_, value)| value);
        let r = right.next_if(|next| next.0 == index).map(|(_, value)| value);
        Some((index, l, r))
    })
}

#[cfg(test)]
mod tests;
