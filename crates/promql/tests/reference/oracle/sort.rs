//! The functions that put a vector into an order.

use super::{
    noise::Noise,
    table::{Sample, Vector},
};
use std::cmp::Ordering;

/// By value, histograms left out, NaN at the end.
pub fn by_value(vector: &Vector, descending: bool, noise: &Noise) -> Vector {
    let mut floats: Vec<(usize, &Sample)> =
        vector.iter().filter(|sample| sample.value.float().is_some()).enumerate().collect();
    floats.sort_by(|(i, a), (j, b)| {
        compare(a.value.float().unwrap_or(0.0), b.value.float().unwrap_or(0.0), descending)
            .then(noise.place(*i).cmp(&noise.place(*j)))
    });
    floats.into_iter().map(|(_, sample)| sample.clone()).collect()
}

/// NaN comes last in either direction.
pub fn compare(a: f64, b: f64, descending: bool) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ if descending => b.partial_cmp(&a).unwrap_or(Ordering::Equal),
        _ => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
    }
}

/// By the named labels in their natural order, then by all labels.
pub fn by_labels(vector: &Vector, names: &[&str], descending: bool) -> Vector {
    let mut sorted = vector.clone();
    sorted.sort_by(|a, b| {
        let value = |sample: &Sample, name: &str| sample.labels.get(name).unwrap_or("").to_owned();
        let by_name = names.iter().map(|name| natural(&value(a, name), &value(b, name)));
        let order = by_name.fold(Ordering::Equal, Ordering::then).then_with(|| a.labels.cmp(&b.labels));
        if descending { order.reverse() } else { order }
    });
    sorted
}

/// Numbers in names count as numbers: `i2` before `i10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (pieces(a), pieces(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => {
                let order = match (a.parse::<u64>(), b.parse::<u64>()) {
                    (Ok(a), Ok(b)) => a.cmp(&b),
                    _ => a.cmp(b),
                };
                if order.is_ne() {
                    return order;
                }
            }
        }
    }
}

/// Runs of digits and runs of other characters.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let same = |c: char| c.is_ascii_digit() == first.is_ascii_digit();
        let end = rest.find(|c| !same(c)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}
