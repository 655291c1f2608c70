//! One native histogram in a record.

use chunk::{Corrupt, Cursor, MAX_HISTOGRAM_ITEMS, histogram_items, put_ivarint, put_uvarint};
use model::{Buckets, CounterResetHint, Histogram, Span};

const HINTS: [CounterResetHint; 4] =
    [CounterResetHint::Unknown, CounterResetHint::Reset, CounterResetHint::NotReset, CounterResetHint::Gauge];
const FLOAT: u8 = 0x80;
const MAX_ITEMS: usize = 1 << 20;

/// `hint|kind schema zero-threshold sum spans spans counts buckets buckets bounds`.
pub fn put(out: &mut Vec<u8>, h: &Histogram) {
    let hint = HINTS.iter().position(|hint| *hint == h.counter_reset_hint).unwrap_or(0) as u8;
    out.push(hint | if matches!(h.buckets, Buckets::Float { .. }) { FLOAT } else { 0 });
    put_ivarint(out, i64::from(h.schema));
    put_float(out, h.zero_threshold);
    put_float(out, h.sum);
    put_spans(out, &h.positive_spans);
    put_spans(out, &h.negative_spans);
    match &h.buckets {
        Buckets::Integer { count, zero_count, positive, negative } => {
            put_uvarint(out, *count);
            put_uvarint(out, *zero_count);
            for buckets in [positive, negative] {
                put_uvarint(out, buckets.len() as u64);
                buckets.iter().for_each(|&delta| put_ivarint(out, delta));
            }
        }
        Buckets::Float { count, zero_count, positive, negative } => {
            put_float(out, *count);
            put_float(out, *zero_count);
            put_floats(out, positive);
            put_floats(out, negative);
        }
    }
    put_floats(out, &h.custom_values);
}

/// Whether `read` takes what `put` writes, and a block can hold it.
pub fn fits(h: &Histogram) -> bool {
    let (positive, negative) = match &h.buckets {
        Buckets::Integer { positive, negative, .. } => (positive.len(), negative.len()),
        Buckets::Float { positive, negative, .. } => (positive.len(), negative.len()),
    };
    let lists = [positive, negative, h.positive_spans.len(), h.negative_spans.len(), h.custom_values.len()];
    // The other bound is that of a page in a block: what does not fit one would fail its window for ever.
    lists.into_iter().all(|items| items <= MAX_ITEMS) && histogram_items(h) <= MAX_HISTOGRAM_ITEMS
}

pub fn read(rest: &mut Cursor<'_>) -> Result<Histogram, Corrupt> {
    let kind = rest.byte()?;
    let hint = HINTS.get((kind & !FLOAT) as usize).copied();
    let counter_reset_hint = hint.ok_or(Corrupt("counter reset hint out of bounds"))?;
    let schema = i32::try_from(rest.ivarint()?).map_err(|_| Corrupt("schema out of bounds"))?;
    let (zero_threshold, sum) = (read_float(rest)?, read_float(rest)?);
    let (positive_spans, negative_spans) = (read_spans(rest)?, read_spans(rest)?);
    let buckets = if kind & FLOAT == 0 {
        let (count, zero_count) = (rest.uvarint()?, rest.uvarint()?);
        let positive = read_list(rest, |rest| rest.ivarint())?;
        Buckets::Integer { count, zero_count, positive, negative: read_list(rest, |rest| rest.ivarint())? }
    } else {
        let (count, zero_count) = (read_float(rest)?, read_float(rest)?);
        let positive = read_list(rest, read_float)?;
        Buckets::Float { count, zero_count, positive, negative: read_list(rest, read_float)? }
    };
    let custom_values = read_list(rest, read_float)?;
    let read = Histogram {
        counter_reset_hint,
        schema,
        zero_threshold,
        sum,
        positive_spans,
        negative_spans,
        buckets,
        custom_values,
    };
    if fits(&read) { Ok(read) } else { Err(Corrupt("too many buckets")) }
}

fn put_float(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

fn put_floats(out: &mut Vec<u8>, values: &[f64]) {
    put_uvarint(out, values.len() as u64);
    values.iter().for_each(|&value| put_float(out, value));
}

fn put_spans(out: &mut Vec<u8>, spans: &[Span]) {
    put_uvarint(out, spans.len() as u64);
    for span in spans {
        put_ivarint(out, i64::from(span.offset));
        put_uvarint(out, u64::from(span.length));
    }
}

fn read_float(rest: &mut Cursor<'_>) -> Result<f64, Corrupt> {
    Ok(f64::from_bits(u64::from_le_bytes(rest.array()?)))
}

fn read_spans(rest: &mut Cursor<'_>) -> Result<Vec<Span>, Corrupt> {
    read_list(rest, |rest| {
        let offset = i32::try_from(rest.ivarint()?).map_err(|_| Corrupt("span out of bounds"))?;
        let length = u32::try_from(rest.uvarint()?).map_err(|_| Corrupt("span out of bounds"))?;
        Ok(Span { offset, length })
    })
}

fn read_list<'a, T>(
    rest: &mut Cursor<'a>,
    mut each: impl FnMut(&mut Cursor<'a>) -> Result<T, Corrupt>,
) -> Result<Vec<T>, Corrupt> {
    let count = rest.count(MAX_ITEMS)?;
    (0..count).map(|_| each(rest)).collect()
}
