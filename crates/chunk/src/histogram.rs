//! Pages of native histograms.
//!
//! The byte 1, a varint with the length of the timestamps' page, that page, and then for each
//! histogram a byte (bits 0-1: counter reset hint; bit 2: a new layout follows), with bit 2
//! the layout (`layout.rs`), the sum, and the counts in the layout's order: count, zero
//! count, positive and negative buckets. Integers are varints of their difference to the
//! sample before, floats are XORed with it. A new layout begins with zeros.

mod layout;

use crate::{
    Corrupt, Cursor, MAX_PAGE_SAMPLES,
    cursor::{put_ivarint, put_trimmed, put_uvarint},
    decode_timestamps, encode_timestamps,
};
use layout::Layout;
use model::{Buckets, CounterResetHint, Histogram, HistogramSample};

const DIFFERENCES: u8 = 1;
const NEW_LAYOUT: u8 = 4;

/// The most spans, buckets and custom bounds that the histograms of one page have in all:
/// what bounds the memory that decoding may take.
pub const MAX_HISTOGRAM_ITEMS: usize = 1 << 22;

/// Spans, buckets and custom bounds of one histogram.
pub fn histogram_items(histogram: &Histogram) -> usize {
    let buckets = match &histogram.buckets {
        Buckets::Integer { positive, negative, .. } => positive.len() + negative.len(),
        Buckets::Float { positive, negative, .. } => positive.len() + negative.len(),
    };
    let spans = histogram.positive_spans.len() + histogram.negative_spans.len();
    buckets + spans + histogram.custom_values.len()
}

/// Appends a page of at most `MAX_PAGE_SAMPLES` histograms with at most
/// `MAX_HISTOGRAM_ITEMS` items. Their number is for the caller to keep.
pub fn encode_histograms(samples: &[HistogramSample], out: &mut Vec<u8>) {
    out.push(DIFFERENCES);
    let timestamps: Vec<i64> = samples.iter().map(|s| s.timestamp).collect();
    let mut page = Vec::new();
    encode_timestamps(&timestamps, &mut page);
    put_uvarint(out, page.len() as u64);
    out.extend_from_slice(&page);
    let (mut layout, mut counts, mut sum) = (None, Vec::new(), 0u64);
    for HistogramSample { histogram, .. } in samples {
        let next = Layout::of(histogram);
        let new = layout.as_ref() != Some(&next);
        out.push(hint_number(histogram.counter_reset_hint) | if new { NEW_LAYOUT } else { 0 });
        if new {
            next.encode(out);
            counts.clear();
            counts.resize(next.counts(), 0);
            layout = Some(next);
        }
        put_trimmed(out, histogram.sum.to_bits() ^ sum);
        sum = histogram.sum.to_bits();
        put_counts(&histogram.buckets, &mut counts, out);
    }
}

/// Appends the `count` histograms of a page. On an error `out` may have grown.
pub fn decode_histograms(page: &[u8], count: usize, out: &mut Vec<HistogramSample>) -> Result<(), Corrupt> {
    if count > MAX_PAGE_SAMPLES {
        return Err(Corrupt("too many samples"));
    }
    let mut input = Cursor::new(page);
    if input.byte()? != DIFFERENCES {
        return Err(Corrupt("unknown codec of histograms"));
    }
    let len = input.count(page.len())?;
    let mut timestamps = Vec::new();
    decode_timestamps(input.take(len)?, count, &mut timestamps)?;
    let (mut layout, mut counts, mut sum, mut items) = (None, Vec::<u64>::new(), 0u64, 0);
    for timestamp in timestamps {
        let head = input.byte()?;
        if head & NEW_LAYOUT != 0 {
            let next = Layout::decode(&mut input)?;
            counts.clear();
            counts.resize(next.counts(), 0);
            layout = Some(next);
        }
        let layout: &Layout = layout.as_ref().ok_or(Corrupt("no layout"))?;
        items += layout.items();
        if items > MAX_HISTOGRAM_ITEMS {
            return Err(Corrupt("histograms too large"));
        }
        sum ^= input.trimmed()?;
        for count in &mut counts {
            *count = match layout.float {
                false => count.wrapping_add(input.ivarint()? as u64),
                true => *count ^ input.trimmed()?,
            };
        }
        let histogram = layout.histogram(hint_of(head)?, f64::from_bits(sum), &counts);
        out.push(HistogramSample { timestamp, histogram });
    }
    Ok(())
}

fn put_counts(buckets: &Buckets, last: &mut [u64], out: &mut Vec<u8>) {
    match buckets {
        Buckets::Integer { count, zero_count, positive, negative } => {
            let buckets = positive.iter().chain(negative).map(|d| *d as u64);
            for (count, last) in [*count, *zero_count].into_iter().chain(buckets).zip(last) {
                put_ivarint(out, count.wrapping_sub(*last) as i64);
                *last = count;
            }
        }
        Buckets::Float { count, zero_count, positive, negative } => {
            let counts = [count, zero_count].into_iter().chain(positive).chain(negative);
            for (count, last) in counts.map(|c| c.to_bits()).zip(last) {
                put_trimmed(out, count ^ *last);
                *last = count;
            }
        }
    }
}

fn hint_number(hint: CounterResetHint) -> u8 {
    match hint {
        CounterResetHint::Unknown => 0,
        CounterResetHint::Reset => 1,
        CounterResetHint::NotReset => 2,
        CounterResetHint::Gauge => 3,
    }
}

fn hint_of(head: u8) -> Result<CounterResetHint, Corrupt> {
    match head & !NEW_LAYOUT {
        0 => Ok(CounterResetHint::Unknown),
        1 => Ok(CounterResetHint::Reset),
        2 => Ok(CounterResetHint::NotReset),
        3 => Ok(CounterResetHint::Gauge),
        _ => Err(Corrupt("unknown kind of histogram")),
    }
}

#[cfg(test)]
mod tests;
