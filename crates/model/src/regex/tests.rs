//! Tests of label value expressions: what matches, what is refused, what is known of them.

use super::*;
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn regex(pattern: &str) -> ValueRegex {
    ValueRegex::new(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"))
}

#[test]
fn values_match_as_a_whole_and_as_in_go() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        ("foo", &["foo"], &["", "fo", "foobar", "xfoo", "foo\n"]),
        ("foo|bar|", &["foo", "bar", ""], &["foobar"]),
        ("^(?:foo|bar)$", &["foo", "bar"], &["foox"]),
        (".*", &["", "a", "a\nb"], &[]),
        (".+", &["a", "\n"], &[""]),
        ("foo.*", &["foo", "foo\nbar"], &["fo", "xfoo"]),
        ("foo.+", &["foob"], &["foo"]),
        (".*foo", &["foo", "xfoo"], &["foox"]),
        (".+foo", &["éfoo"], &["foo"]),
        (".*foo.*", &["foo", "xfoox"], &["fo"]),
        (".+foo.+", &["éfooé", "foofoofoo"], &["foo", "foox", "xfoo"]),
        (".+foo.*", &["xfoo", "foofoo"], &["foo", "foox"]),
        ("(?i)FOO", &["foo", "Foo"], &["fo"]),
        (r"\d+", &["12"], &["١٢", ""]),
        (r"\w+", &["a_1"], &["é"]),
        (r"[\w-]+", &["a-b"], &["é"]),
        (r"[^\d]", &["a", "١"], &["1"]),
        (r"[\D]", &["a"], &["1"]),
        (r"a\sb", &["a b", "a\tb"], &["a\u{a0}b", "a\u{b}b"]),
        (r"é\b.*", &["éa"], &["é", "éé"]),
        (r".*\bfoo\b.*", &["a foo b", "éfooé"], &["afoob"]),
        (r"a\Bb", &["ab"], &["a b"]),
        (r"\Qa.b|c\E+", &["a.b|c", "a.b|cc"], &["axb"]),
        (r"\Qa.b", &["a.b"], &["axb"]),
        (r"\141\x62\x{63}", &["abc"], &[]),
        (r"a{2}", &["aa"], &["a"]),
        (r"a{,2}", &["a{,2}"], &["", "a", "aa"]),
        (r"a{b}{", &["a{b}{"], &[]),
        (r"a{01}", &["a{01}"], &["a"]),
        (r"[[]", &["["], &["]"]),
        (r"[]a]", &["]", "a"], &["b"]),
        (r"[a&&b]", &["a", "&", "b"], &[""]),
        (r"[a-]", &["a", "-"], &["b"]),
        (r"[--a]", &["-", "0", "a"], &["+"]),
        (r"[a~~b[c]+", &["~", "[", "c"], &["d"]),
        (r"[[:alpha:]]+", &["abc"], &["1", "é"]),
        (r"[[:^digit:]x]", &["x", "é"], &["1"]),
        (r"\pL+", &["é"], &["1"]),
        (r"\p{^Greek}", &["a"], &["α"]),
        (r"[\p{Greek}b]", &["α", "b"], &["a"]),
        (r"(?P<name>a)(?<other>b)", &["ab"], &[]),
        (r"(?)a", &["a"], &[]),
        (r"(?-s).", &["a"], &["\n"]),
        (r"(?s-i:.)", &["\n"], &[]),
        (r"a\.b\_c\-d", &["a.b_c-d"], &["axb_c-d"]),
        (r"a#b c", &["a#b c"], &[]),
        (r"\Aab\z", &["ab"], &[]),
        (r"[0-9]{1,3}(\.[0-9]{1,3}){3}:9\d{3}", &["10.0.0.1:9090"], &["10.0.0.1:80"]),
    ];
    for (pattern, good, bad) in cases {
        let regex = regex(pattern);
        for value in *good {
            assert!(regex.is_match(value), "{pattern} should match {value:?}: {regex:?}");
        }
        for value in *bad {
            assert!(!regex.is_match(value), "{pattern} should not match {value:?}: {regex:?}");
        }
    }
}

#[test]
fn what_go_refuses_is_refused_in_its_words() {
    for (pattern, reason) in [
        ("*", "missing argument to repetition operator: `*`"),
        ("a|+", "missing argument to repetition operator: `+`"),
        ("{5}", "missing argument to repetition operator: `{5}`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a*?+", "invalid nested repetition operator: `*?+`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("(a", "missing closing ): `(a`"),
        ("a)", "unexpected ): `a)`"),
        ("a\\", "trailing backslash at end of expression: ``"),
        ("[a", "missing closing ]: `[a`"),
        ("[b-a]", "invalid character class range: `b-a`"),
        ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?<!a)", "invalid or unsupported Perl syntax: `(?<`"),
        ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
        ("(?P<a-b>c)", "invalid named capture: `(?P<a-b>`"),
        ("(?P<a>b)(?P<a>c)", "duplicate capture group name: `a`"),
        (r"\C", r"invalid escape sequence: `\C`"),
        (r"\Z", r"invalid escape sequence: `\Z`"),
        (r"(a)\1", r"invalid escape sequence: `\1`"),
        (r"\é", r"invalid escape sequence: `\é`"),
    ] {
        let error = ValueRegex::new(pattern).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), format!("error parsing regexp: {reason}"), "{pattern}");
    }
}

#[test]
fn lists_of_values_are_known() {
    let cases: &[(&str, Option<&[&str]>)] = &[
        ("foo", Some(&["foo"])),
        ("", Some(&[""])),
        ("c|a|b|a", Some(&["a", "b", "c"])),
        ("foo(bar|baz)?", Some(&["foo", "foobar", "foobaz"])),
        ("^(node-[12]|api)$", Some(&["api", "node-1", "node-2"])),
        ("(?i)ab", Some(&["AB", "Ab", "aB", "ab"])),
        ("a.b", None),
        ("a*", None),
        ("[0-9]{3}", None),
    ];
    for (pattern, values) in cases {
        let expected = values.map(|v| v.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>());
        assert_eq!(regex(pattern).values(), expected.as_deref(), "{pattern}");
    }
    let many: Vec<String> = (0..5000).map(|i| format!("pod-{i:05}")).collect();
    assert_eq!(regex(&many.join("|")).values(), Some(many.as_slice()));
}

#[test]
fn prefixes_are_known() {
    for (pattern, prefix) in [
        ("foo.*", "foo"),
        ("^foo(bar)\\d", "foobar"),
        ("foo|fob", "fo"),
        ("(?i)foo", ""),
        (".*foo", ""),
        ("fo+", "f"),
    ] {
        assert_eq!(regex(pattern).prefix(), prefix, "{pattern}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "real time is what is bounded here")]
fn bombs_are_refused_quickly() {
    let long_list = "a{1000}|".repeat(30_000);
    let bombs = [
        "((((a{1000}){1000}){1000}){1000})".to_owned(),
        "(((.{100}){100}){100})".to_owned(),
        "(?i)((\\w{50}){50}){50}x".to_owned(),
        "(".repeat(100_000),
        format!("{}a{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("{}x+", "\\pL".repeat(80_000)),
        "\\pL{1000}".repeat(90),
        long_list,
        "x".repeat(MAX_LENGTH + 1),
        format!("{}y*", "(a|b|c|d|e|f)?".repeat(15_000)),
        "(.*)*".repeat(50_000),
    ];
    for bomb in bombs {
        let start = Instant::now();
        let _ = ValueRegex::new(&bomb);
        let took = start.elapsed();
        // Ten times the bound of the release build: tests are built without optimisation and
        // run beside each other.
        assert!(took < Duration::from_millis(1000), "{:.30}… took {took:?}", bomb);
    }
}

proptest! {
    #[test]
    fn nothing_panics(pattern in "[a-c\\\\\\[\\](){}|*+?^$.,0-9:PQEdwsbxpi<>=!&~-]{0,40}", value in "[a-c\\n]{0,4}") {
        if let Ok(regex) = ValueRegex::new(&pattern) {
            let matched = regex.is_match(&value);
            if let Some(values) = regex.values() {
                prop_assert_eq!(values.contains(&value), matched);
            }
            if matched {
                prop_assert!(value.starts_with(regex.prefix()), "{} {}", pattern, value);
            }
        }
    }

    #[test]
    fn short_cuts_say_what_the_automaton_says(
        before in prop::sample::select(vec!["", ".*", ".+"]),
        text in "[ab]{0,3}",
        after in prop::sample::select(vec!["", ".*", ".+"]),
        value in "[ab]{0,6}",
    ) {
        let pattern = format!("{before}{text}{after}");
        let automaton = compile(&whole(&pattern)).unwrap();
        prop_assert_eq!(regex(&pattern).is_match(&value), automaton.is_match(&value));
    }
}
