//! When two histograms are the same.

use crate::{Buckets, FloatHistogram, Span};

impl FloatHistogram {
    /// Whether both hold the same data, as PromQL's `==` asks: the same buckets, empty ones included, with
    /// the same bits of counts and sum. Spans of no length and the counter reset hint do not matter.
    pub fn equals(&self, other: &Self) -> bool {
        let sides_match = |one: &Buckets, other: &Buckets| {
            effective_spans(&one.spans).eq(effective_spans(&other.spans))
                && same_bits(&one.counts, &other.counts)
        };
        self.schema == other.schema
            && (!self.uses_custom_buckets() || self.custom_values == other.custom_values)
            && self.zero_threshold == other.zero_threshold
            && same_bits(&self.totals(), &other.totals())
            && sides_match(&self.negative, &other.negative)
            && sides_match(&self.positive, &other.positive)
    }

    fn totals(&self) -> [f64; 3] {
        [self.count, self.sum, self.zero_count]
    }
}

/// Equality of every field, floats by their bits.
impl PartialEq for FloatHistogram {
    fn eq(&self, other: &Self) -> bool {
        self.counter_reset_hint == other.counter_reset_hint
            && self.schema == other.schema
            && self.zero_threshold.to_bits() == other.zero_threshold.to_bits()
            && same_bits(&self.totals(), &other.totals())
            && self.positive == other.positive
            && self.negative == other.negative
            && same_bits(&self.custom_values, &other.custom_values)
    }
}

/// The same spans and the same bits of counts.
impl PartialEq for Buckets {
    fn eq(&self, other: &Self) -> bool {
        self.spans == other.spans && same_bits(&self.counts, &other.counts)
    }
}

fn same_bits(one: &[f64], other: &[f64]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// The spans without those of no length, whose offsets go to the span after them.
fn effective_spans(spans: &[Span]) -> impl Iterator<Item = Span> + '_ {
    let mut skipped = 0_i32;
    spans.iter().filter_map(move |span| {
        let offset = skipped.wrapping_add(span.offset);
        skipped = if span.length == 0 { offset } else { 0 };
        (span.length > 0).then_some(Span { offset, length: span.length })
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::histogram;

    #[test]
    fn equal_data_may_be_laid_out_with_spans_of_no_length() {
        let h = histogram("count=3 sum=nan pos=-2[1]3[2]");
        for same in ["count=3 sum=nan pos=-2[1]1[]2[2]0[]", "hint=gauge count=3 sum=nan pos=1[]-3[1]3[2]"] {
            assert!(h.equals(&histogram(same)), "{same}");
            assert_ne!(h, histogram(same));
        }
        for other in [
            "count=3 sum=nan pos=-2[1,0]2[2]",
            "count=4 sum=nan pos=-2[1]3[2]",
            "count=3 sum=nan neg=-2[1]3[2]",
            "count=3 sum=nan pos=-2[1]",
            "schema=1 count=3 sum=nan pos=-2[1]3[2]",
            "zero=0@0.1 count=3 sum=nan pos=-2[1]3[2]",
            "zero=-0@0 count=3 sum=nan pos=-2[1]3[2]",
        ] {
            assert!(!h.equals(&histogram(other)), "{other}");
        }
        let custom = histogram("schema=custom pos=0[1] bounds=1,2");
        assert!(!custom.equals(&histogram("schema=custom pos=0[1] bounds=1,3")));
        assert!(!h.equals(&custom));
    }

    #[test]
    fn equality_is_of_bits() {
        assert_eq!(histogram("sum=nan zero=1@nan"), histogram("sum=nan zero=1@nan"));
        assert_ne!(histogram("sum=0"), histogram("sum=-0"));
    }
}
