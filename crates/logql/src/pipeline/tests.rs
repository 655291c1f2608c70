//! What holds for every line: nothing panics, and the quick ways find what the slow ones find.

use super::*;
use crate::ast::{Expr, Stage as Written};
use proptest::prelude::*;

fn written(stages: &str) -> Vec<Written> {
    match crate::parse(&format!("{{app=\"a\"}} {stages}")).unwrap() {
        Expr::Logs(query) => query.stages,
        Expr::Metric(_) => panic!("{stages}"),
    }
}

fn run(stages: &str) -> PipelineRun {
    let mut run = PipelineRun::new(Arc::new(Pipeline::new(&written(stages)).unwrap()), usize::MAX);
    run.for_stream(&Labels::from_pairs([("app", "a"), ("lvl", "s")]));
    run
}

/// Lines that are nearly JSON or logfmt, and such that are nothing at all.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        ":",
        ",",
        "=",
        " ",
        "a",
        "lvl",
        "b",
        "1",
        "-2.5",
        "true",
        "null",
        "\\u",
        "d83d",
        "\\ude00",
        "\\n",
        "é",
        "\u{fffd}",
        "\n",
        "\x1b[31m",
        "{\"a\":",
        "\"b\":\"x\",",
        "}}",
        "lvl=x ",
        "a=\"y\" ",
        "1.2.3.4",
        "::1",
        "_entry",
        "10ms",
        "2KiB",
    ]);
    prop_oneof![
        4 => prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..60),
    ]
}

const STAGES: [&str; 16] = [
    "| json",
    "| json x=\"a\", y=\"a.b[0]\", z=\"[0][\\\"lvl\\\"]\"",
    "| logfmt",
    "| logfmt --strict --keep-empty",
    "| logfmt x=\"a\", y=\"lvl\"",
    "| pattern \"<x> <_>=<y>,<z>\"",
    "| pattern \"a<x>\"",
    "| regexp \"(?P<x>\\\\w+)[=:](?P<y>.)?\"",
    "| unpack",
    "| decolorize | json | logfmt",
    "| json | a > 1 | b > 1KB or lvl_extracted > 1s | x = ip(\"1.2.3.0/24\") or a != ip(\"::1\")",
    "|= ip(\"1.2.3.4\") or \"a\"",
    "|> \"<_>a<_>\" !> \"{<_>\"",
    "| json | label_format a=b, c=\"{{.a}}{{.lvl}}\" | drop b, a=\"1\" | keep c, app",
    "| logfmt | line_format \"{{.a}}{{.lvl}}x\" |= \"x\" | logfmt",
    "!~ \"(?i)xy|a{3}\" |~ \"[^b]\"",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_line_is_too_odd(lines in prop::collection::vec(line(), 1..8)) {
        for stages in STAGES {
            let mut run = run(stages);
            for line in &lines {
                if let Some(mut kept) = run.process(1, line, [("m", "1"), ("b", "sm")]) {
                    kept.label_set().unwrap();
                }
            }
            for set in run.label_sets().iter() {
                let all = set.all();
                prop_assert!(all.iter().zip(all.iter().skip(1)).all(|(a, b)| a.0 < b.0), "{stages} {all}");
            }
        }
    }

    /// Where a line has no error, labels that a query groups by are the same whether the parser
    /// takes everything or these alone.
    #[test]
    fn hinted_labels_are_those_of_a_full_extraction(lines in prop::collection::vec(line(), 1..8)) {
        for stages in STAGES.into_iter().filter(|s| !s.contains("line_format") && !s.contains("x=")) {
            let groups = ["a", "lvl_extracted", "a_b", "x"].map(str::to_owned);
            let of = |grouping| {
                let extractor = SampleExtractor::new(&written(stages), SampleValue::One, grouping).unwrap();
                let mut run = SampleRun::new(Arc::new(extractor), usize::MAX);
                run.for_stream(&Labels::from_pairs([("app", "a"), ("lvl", "s")]));
                run
            };
            let mut hinted = of(SeriesGrouping::By(groups.to_vec()));
            let mut full = of(SeriesGrouping::All);
            for line in &lines {
                let hinted_sample = hinted.process(1, line, [("b", "sm")]).unwrap();
                let full_sample = full.process(1, line, [("b", "sm")]).unwrap();
                let Some((h, f)) = hinted_sample.zip(full_sample) else {
                    prop_assert_eq!(hinted_sample.is_some(), full_sample.is_some(), "{} {:?}", stages, line);
                    continue;
                };
                let (h, f) = (hinted.series(h.series), full.series(f.series));
                if f.get(ERROR_LABEL).is_none() {
                    for group in &groups {
                        prop_assert_eq!(h.get(group), f.get(group), "{} {:?}", stages, line);
                    }
                }
            }
        }
    }

    #[test]
    fn candidates_are_all_lines_that_filters_keep(lines in prop::collection::vec(line(), 0..12)) {
        for stages in [
            "|= \"lvl\"", "|= \"a\" or \"{\"", "|~ \"a.*b\"", "|~ \"(?i)LVL|true\"", "|~ \"^a\"", "|~ \"a$\"", "|~ \"[^a]\"",
            "|~ \"\\\\ba\\\\b\"", "|~ \"a*\"", "|~ \"l?vl\" != \"a\"", "|> \"<_>a<_>\"", "|= \"a\\nb\"", "|~ \"(?m)^a$\"",
            "|~ \"a\\\\s\" or \"1\"", "|~ \"b+|(a|1)\"", "|~ \".*a.*\" |~ \"x|\"",
        ] {
            let mut run = run(stages);
            let mut page = model::Lines::default();
            lines.iter().for_each(|line| page.push(0, line, []));
            let slow: Vec<usize> = (0..page.len()).filter(|&at| run.process(0, page.line(at), []).is_some()).collect();
            let (mut quick, mut from) = (Vec::new(), 0);
            while let Some(offset) = run.pipeline().next_candidate(&page.text, from) {
                prop_assert!(offset >= from && offset < page.text.len());
                let at = page.line_at(offset);
                if run.process(0, page.line(at), []).is_some() {
                    quick.push(at);
                }
                from = page.ends[at] as usize + 1;
            }
            prop_assert_eq!(&quick, &slow, "{} {:?}", stages, lines);
            let needles = run.pipeline().needles();
            prop_assert!(slow.iter().all(|&at| needles.may_be_in(page.line(at))), "{}", stages);
        }
    }
}

#[test]
fn needles_are_what_every_line_has() {
    for (stages, expected) in [
        ("|= \"foo\" |~ \"a+bar.*x\" != \"no\"", vec!["bar", "foo", "x"]),
        ("|~ \"(?i)foo\"", vec![]),
        ("|= \"a\" or \"b\"", vec![]),
        ("|> \"<_>id=<_> end\"", vec![" end", "id="]),
        ("| json |= \"x\"", vec!["x"]),
        ("| line_format \"y\" |= \"y\"", vec![]),
        ("| unpack |= \"y\"", vec![]),
    ] {
        let needles = Pipeline::new(&written(stages)).unwrap().needles();
        let mut texts: Vec<_> = needles.texts().map(|text| str::from_utf8(text).unwrap()).collect();
        texts.sort_unstable();
        // "a" of `a+` is one too.
        texts.retain(|text| *text != "a");
        assert_eq!(texts, expected, "{stages}");
    }
}

#[test]
fn equal_labels_have_one_id_and_ids_are_bounded() {
    let pipeline = Arc::new(Pipeline::new(&written("| logfmt")).unwrap());
    let mut run = PipelineRun::new(pipeline, 2);
    run.for_stream(&Labels::from_pairs([("app", "a")]));
    let mut id = |line: &str| run.process(0, line.as_bytes(), []).unwrap().label_set();
    let first = id("a=1 b=2");
    assert_eq!(id("b=2 a=1"), first);
    assert_ne!(id("a=1"), first);
    assert_eq!(id("a=2"), Err(LabelsError::TooManySets));
    assert_eq!(id("a=1 b=2"), first);
    run.clear_label_sets();
    assert!(run.label_sets().is_empty());
}

#[test]
fn objects_whose_names_would_grow_without_bound_are_passed_over() {
    let depth = 20_000;
    let deep = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let long = format!("{{\"{}\":{{\"a\":1}}}}", "x".repeat(2000));
    for line in [deep, long] {
        let mut run = run("| json");
        let mut kept = run.process(0, line.as_bytes(), []).unwrap();
        let id = kept.label_set().unwrap();
        assert!(run.label_sets().get(id).parsed.is_empty());
    }
}

#[test]
fn a_line_has_no_more_labels_than_fit() {
    let formats: Vec<_> = (0..200).map(|n| format!("l{n}=`{{{{repeat 60000 \"a\"}}}}`")).collect();
    let mut made = run(&format!("| label_format {}", formats.join(",")));
    let mut kept = made.process(0, b"x", []).unwrap();
    assert_eq!(kept.label_set(), Err(LabelsError::TooLong));
    // One long name for many fields.
    let fields: Vec<_> = (0..10_000).map(|n| format!("\"{n}\":1")).collect();
    let long = format!("{{\"{}\":{{{}}}}}", "p".repeat(1000), fields.join(","));
    let mut parsed = run("| json");
    assert_eq!(parsed.process(0, long.as_bytes(), []).unwrap().label_set(), Err(LabelsError::TooLong));
    let id = parsed.process(0, b"{\"a\":1}", []).unwrap().label_set().unwrap();
    assert_eq!(parsed.label_sets().get(id).parsed.to_string(), "{a=\"1\"}");
    // Many labels that are not large are all there, and the first of one name stays.
    let many: Vec<_> = (0..500).chain(0..500).enumerate().map(|(at, n)| format!("n{n}={at}")).collect();
    let mut parsed = run("| logfmt");
    let id = parsed.process(0, many.join(" ").as_bytes(), [("m", "n1")]).unwrap().label_set().unwrap();
    let labels = parsed.label_sets().get(id).parsed.clone();
    assert_eq!((labels.len(), labels.get("n499"), labels.get("n0")), (500, Some("499"), Some("0")));
}
