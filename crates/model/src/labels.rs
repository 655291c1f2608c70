//! Label sets: sorted, immutable, one allocation each.

use crate::quote;
use std::{borrow::Borrow, cmp::Ordering, fmt, sync::Arc};
use xxhash_rust::{
    xxh3::{xxh3_64, xxh3_128},
    xxh64::xxh64,
};

/// The label that holds a metric's name.
pub const METRIC_NAME: &str = "__name__";

/// A sorted set of label names and values without empty values.
///
/// All of it lies in one string: each name and each value behind its length. A length
/// under 127 is one character; a longer one is `\x7f` and five characters of 7 bits each,
/// most significant first. So the packed text is itself valid UTF-8, two equal sets are
/// equal bytes, and a set is cloned by counting a reference.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<str>);

const LONG: u8 = 0x7f;

fn push_str(out: &mut String, s: &str) {
    let len = s.len();
    if len < LONG as usize {
        out.push(len as u8 as char);
    } else {
        out.push(LONG as char);
        for shift in [28, 21, 14, 7, 0] {
            out.push((len >> shift & 0x7f) as u8 as char);
        }
    }
    out.push_str(s);
}

/// Splits the first packed string off `packed`; `None` where the text is not packed right.
fn split_str(packed: &str) -> Option<(&str, &str)> {
    let bytes = packed.as_bytes();
    let first = *bytes.first()?;
    let (start, len): (usize, usize) = if first < LONG {
        (1, first as usize)
    } else {
        let digits = bytes.get(1..6)?;
        (6, digits.iter().fold(0usize, |n, d| n << 7 | *d as usize))
    };
    let end = start.checked_add(len)?;
    Some((packed.get(start..end)?, packed.get(end..)?))
}

/// Where two byte strings first differ; the length of the shorter if they do not.
fn first_difference(a: &[u8], b: &[u8]) -> usize {
    const STEP: usize = 16;
    let alike = a.chunks_exact(STEP).zip(b.chunks_exact(STEP)).take_while(|(x, y)| x == y).count() * STEP;
    alike + a[alike..].iter().zip(&b[alike..]).take_while(|(x, y)| x == y).count()
}

impl Labels {
    pub fn empty() -> Self {
        Self("".into())
    }

    /// Sorts the pairs and drops those with an empty value. Of two pairs with one name the
    /// last stays.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut builder = LabelsBuilder::new();
        for (name, value) in pairs {
            builder.set(name.as_ref(), value.as_ref());
        }
        builder.build()
    }

    /// Packs pairs that are sorted by name, without repeats or empty values, in one pass.
    pub fn from_sorted<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut out = String::with_capacity(256);
        for (name, value) in pairs {
            push_str(&mut out, name);
            push_str(&mut out, value);
        }
        Self(out.into())
    }

    /// Takes back what `as_packed` gave; `None` if it is not a sorted, packed label set.
    pub fn from_packed(packed: &str) -> Option<Self> {
        let (mut rest, mut last) = (packed, None);
        while !rest.is_empty() {
            let (name, after) = split_str(rest)?;
            let (value, after) = split_str(after)?;
            if value.is_empty() || last.is_some_and(|l| l >= name) {
                return None;
            }
            (rest, last) = (after, Some(name));
        }
        Some(Self(packed.into()))
    }

    /// The packed form, for logs and wires of our own.
    pub fn as_packed(&self) -> &str {
        &self.0
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let mut rest = &*self.0;
        std::iter::from_fn(move || {
            let (name, after) = split_str(rest)?;
            let (value, after) = split_str(after)?;
            rest = after;
            Some((name, value))
        })
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    pub fn metric_name(&self) -> Option<&str> {
        self.get(METRIC_NAME)
    }

    pub fn len(&self) -> usize {
        self.iter().count()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A hash that is the same in every process and version: it may be stored, and it
    /// places a series on the ring.
    pub fn stable_hash(&self) -> u64 {
        xxh3_64(self.0.as_bytes())
    }

    /// The hash that Prometheus has for this set (xxHash64 of its packed form): the same series are
    /// picked where a hash decides.
    pub fn prometheus_hash(&self) -> u64 {
        let mut packed = Vec::with_capacity(self.0.len() + 8);
        for text in self.iter().flat_map(|(name, value)| [name, value]) {
            match u8::try_from(text.len()) {
                Ok(short) if short < u8::MAX => packed.push(short),
                // Three bytes of length are as much as a label may have.
                _ => packed.extend([u8::MAX].into_iter().chain((text.len() as u32).to_le_bytes()).take(4)),
            }
            packed.extend_from_slice(text.as_bytes());
        }
        xxh64(&packed, 0)
    }

    /// As `stable_hash`, wide enough to stand for the set itself.
    pub fn stable_hash_128(&self) -> u128 {
        xxh3_128(self.0.as_bytes())
    }

    /// This set without the labels that `drop` names.
    pub fn without(&self, drop: impl Fn(&str) -> bool) -> Self {
        Self::from_sorted(self.iter().filter(|(n, _)| !drop(n)))
    }

    pub fn without_name(&self) -> Self {
        self.without(|n| n == METRIC_NAME)
    }

    /// Bytes this set holds on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.0.len() + 2 * size_of::<usize>()
    }
}

impl Ord for Labels {
    /// By name, then value, pair after pair; a prefix comes first (Prometheus's order).
    fn cmp(&self, other: &Self) -> Ordering {
        // Packed text cannot be compared as it is, for lengths come before letters. But sets
        // that are compared (sorting, merging) mostly begin alike: what is alike is passed
        // over in large steps, and only the first string that differs is looked at.
        let (a, b) = (&*self.0, &*other.0);
        let differ = first_difference(a.as_bytes(), b.as_bytes());
        let mut at = 0;
        while let (Some((left, rest)), Some((right, _))) = (split_str(&a[at..]), split_str(&b[at..])) {
            let end = a.len() - rest.len();
            if differ < end {
                return left.cmp(right);
            }
            at = end;
        }
        a.len().cmp(&b.len())
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Borrow<str> for Labels {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Display for Labels {
    /// As Prometheus prints a label set: `{__name__="up", job="node"}`. Names that are not
    /// plain identifiers are quoted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (name, value)) in self.iter().enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            if is_plain_name(name) {
                write!(f, "{comma}{name}={}", quote(value))?;
            } else {
                write!(f, "{comma}{}={}", quote(name), quote(value))?;
            }
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

pub(crate) fn is_plain_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Puts a label set together, or takes one apart and changes it.
#[derive(Clone, Debug, Default)]
pub struct LabelsBuilder {
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn from_labels(labels: &Labels) -> Self {
        Self { pairs: labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect() }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        match self.pairs.iter().position(|(n, _)| n == name) {
            Some(at) if value.is_empty() => {
                self.pairs.swap_remove(at);
            }
            Some(at) => value.clone_into(&mut self.pairs[at].1),
            None if value.is_empty() => {}
            None => self.pairs.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.set(name, "")
    }

    pub fn build(&mut self) -> Labels {
        self.pairs.sort_unstable();
        Labels::from_sorted(self.pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn order_is_that_of_pairs_not_of_packed_bytes() {
        let long = Labels::from_pairs([("a", "a".repeat(200))]);
        let short = Labels::from_pairs([("a", "b")]);
        assert!(long < short);
        assert!(Labels::empty() < long);
        assert!(Labels::from_pairs([("a", "b"), ("c", "d")]) > short);
    }

    #[test]
    fn prints_as_prometheus_does() {
        let labels = Labels::from_pairs([("job", "a\"b"), ("__name__", "up"), ("x.y", "1"), ("gone", "")]);
        assert_eq!(labels.to_string(), r#"{__name__="up", job="a\"b", "x.y"="1"}"#);
    }

    #[test]
    fn broken_packed_text_is_refused() {
        for bad in ["\u{5}a", "\u{1}a", "\u{1}a\u{0}", "\u{7f}aaaaa", "\u{1}b\u{1}x\u{1}a\u{1}x"] {
            assert!(Labels::from_packed(bad).is_none(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn order_is_that_of_the_pairs(
            a in prop::collection::btree_map("[ab]{1,20}", "[ab]{1,150}", 0..5),
            b in prop::collection::btree_map("[ab]{1,20}", "[ab]{1,150}", 0..5),
            shared in prop::collection::btree_map("[AB]{1,3}", "[ab]{1,40}", 0..4),
        ) {
            let set = |own: &std::collections::BTreeMap<String, String>| {
                shared.iter().chain(own).map(|(n, v)| (n.clone(), v.clone())).collect::<Vec<_>>()
            };
            let (a, b) = (set(&a), set(&b));
            prop_assert_eq!(Labels::from_pairs(a.clone()).cmp(&Labels::from_pairs(b.clone())), a.cmp(&b));
        }

        #[test]
        fn packing_keeps_every_pair(map in prop::collection::btree_map(".{0,200}", ".{1,300}", 0..8)) {
            let labels = Labels::from_pairs(&map);
            let back: Vec<_> = labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            prop_assert_eq!(back, map.clone().into_iter().collect::<Vec<_>>());
            prop_assert_eq!(Labels::from_packed(labels.as_packed()), Some(labels.clone()));
            for (name, value) in &map {
                prop_assert_eq!(labels.get(name), Some(value.as_str()));
            }
        }
    }
}
