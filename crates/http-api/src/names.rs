//! Names that label syntax can hold, made of names that it cannot.
//!
//! The rules are those of OpenTelemetry's translation to Prometheus, as its module `otlptranslator` carries
//! them out.

use std::borrow::Cow;

/// A label's name as Loki writes it: what is no letter or digit becomes `_`, several of which become one.
/// Names that begin and end with `__` keep that, and one that begins with a digit gets `key_` before it.
pub fn label_name(name: &str) -> Cow<'_, str> {
    if is_clean(name) {
        return Cow::Borrowed(name);
    }
    let reserved = name.len() >= 4 && name.starts_with("__") && name.ends_with("__");
    let inner = if reserved { &name[2..name.len() - 2] } else { name };
    let mut out = String::with_capacity(name.len() + 4);
    if !reserved && inner.starts_with(|c: char| c.is_ascii_digit()) {
        out.push_str("key_");
    }
    let around = if reserved { "__" } else { "" };
    out.push_str(around);
    let mut gap = false;
    for c in inner.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !gap {
            out.push('_');
        }
        gap = !c.is_ascii_alphanumeric();
    }
    out.push_str(around);
    Cow::Owned(out)
}

/// Whether `label_name` gives the name back as it is.
fn is_clean(name: &str) -> bool {
    let mut last = b'a';
    let clean = name.bytes().all(|b| {
        let ok = b.is_ascii_alphanumeric() || (b == b'_' && last != b'_');
        last = b;
        ok
    });
    clean && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// A label's name as Prometheus writes that of an OTLP attribute: every other character becomes `_`. One that
/// begins with a digit gets `key_` before it, and one that begins with a single `_` gets `key`.
pub fn attribute_label(name: &str) -> String {
    let mut out: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert_str(0, "key_");
    } else if out.starts_with('_') && !out.starts_with("__") {
        out.insert_str(0, "key");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_named_as_loki_does() {
        for (name, label) in [
            ("trace_id", "trace_id"),
            ("http.method", "http_method"),
            ("a..b", "a_b"),
            ("a__b", "a_b"),
            ("__a.b__", "__a_b__"),
            ("1x", "key_1x"),
            ("_u", "_u"),
            ("größe", "gr_e"),
            ("", ""),
        ] {
            assert_eq!(label_name(name), label, "{name}");
        }
    }

    #[test]
    fn attributes_are_named_as_prometheus_does() {
        for (name, label) in [
            ("http.method", "http_method"),
            ("a..b", "a__b"),
            ("__a.b__", "__a_b__"),
            ("1x", "key_1x"),
            ("_u", "key_u"),
            (".u", "key_u"),
        ] {
            assert_eq!(attribute_label(name), label, "{name}");
        }
    }
}
