//! Text and what is read of it, or what is said of it.

use super::*;
use proptest::prelude::*;

/// All lines, each as its series, value and time; or the error.
fn read(text: &str) -> Result<Vec<String>, String> {
    let (mut parser, mut found) = (TextParser::default(), Vec::new());
    for line in text.split_inclusive('\n') {
        if let Some(Sample { labels, timestamp, value }) =
            parser.line(line.as_bytes()).map_err(|e| e.to_string())?
        {
            found.push(format!("{labels} {value} {timestamp}"));
        }
    }
    parser.finish().map_err(|e| e.to_string())?;
    Ok(found)
}

#[test]
fn samples_are_read() {
    let text = r#"# HELP a Some text with "quotes" and \n.
# TYPE a counter
# UNIT a seconds
a_total 1 1700000000
a_total{b="c",d="e"} 2.5e3 1700000000.123
a_bucket{le="+Inf",empty=""} 17 -1.5 # {trace_id="x y"} 0.67 1520879607.789
a:b{ x = "y" , } NaN 0
up{path="C:\\x \"y\"\nz\q"} +Inf 3

{"my.metric","a label"="v"} -Inf 4
{__name__="in_braces"} 5 5
# EOF
"#;
    let expected = [
        r#"{__name__="a_total"} 1 1700000000000"#,
        r#"{__name__="a_total", b="c", d="e"} 2500 1700000000123"#,
        r#"{__name__="a_bucket", le="+Inf"} 17 -1500"#,
        r#"{__name__="a:b", x="y"} NaN 0"#,
        r#"{__name__="up", path="C:\\x \"y\"\nz\\q"} inf 3000"#,
        r#"{__name__="my.metric", "a label"="v"} -inf 4000"#,
        r#"{__name__="in_braces"} 5 5000"#,
    ];
    assert_eq!(read(text).unwrap(), expected);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let cases = [
        ("a 1\n# EOF\n", "line 1, column 4: a space and the timestamp, in seconds are wanted here"),
        ("# TYPE a gauge\na x 1\n# EOF\n", "line 2, column 3: this is not a value: \"x\""),
        ("a{b=\"é\",c} 1 1\n", "line 1, column 10: = is wanted behind the label c"),
        ("a{b=\"c} 1 1\n", "line 1, column 12: the text in quotes does not end"),
        ("a{b=\"c\"d=\"e\"} 1 1\n", "line 1, column 8: a comma or } is wanted here"),
        ("a{b=\"c\",b=\"d\"} 1 1\n", "line 1, column 1: the label b is there twice"),
        ("a 1 1700000000000\n", "line 1, column 5: this timestamp lies behind the year 9999"),
        ("a 1 NaN\n", "line 1, column 5: a timestamp must be a number of seconds"),
        ("a 1 1 2\n", "line 1, column 7: the line should end here"),
        ("{b=\"c\"} 1 1\n", "line 1, column 1: a metric's name is wanted"),
        ("9a 1 1\n", "line 1, column 1: a metric's name does not begin with a digit"),
        ("a 1 1\n", "line 2, column 1: the text does not end with # EOF"),
        ("# EOF\na 1 1\n", "line 2, column 1: there is something behind # EOF"),
    ];
    for (text, expected) in cases {
        let error = read(text).unwrap_err();
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
    let error = TextParser::default().line(b"a{b=\"\xff\"} 1 1").unwrap_err();
    assert_eq!((error.column, error.message.as_str()), (6, "this is not UTF-8"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[a-c{}=\",# \\\\0-9.e+é\n\t-]{0,60}") {
        let _ = read(&text);
    }

    #[test]
    fn any_bytes_are_read_or_refused(line: Vec<u8>) {
        let _ = TextParser::default().line(&line);
    }

    #[test]
    fn any_label_value_comes_back(value in ".{1,40}", number: f64, time in -1_000_000_000i64..5_000_000_000) {
        let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let line = format!("a{{b=\"{escaped}\"}} {number} {time}");
        let sample = TextParser::default().line(line.as_bytes()).unwrap().unwrap();
        prop_assert_eq!(sample.labels.get("b"), Some(value.as_str()));
        prop_assert_eq!((sample.value.to_bits(), sample.timestamp), (number.to_bits(), time * 1000));
    }
}

#[test]
fn text_of_a_scrape_needs_no_times() {
    let (mut parser, mut times) = (TextParser::of_scrape(5), Vec::new());
    for line in [
        "a 1",
        "a{b=\"c\"} 2 # {x=\"y\"} 3",
        "a 1 1700000000123",
        "a 1 1700000000.5",
        "a 1 -1",
        "# TYPE a gauge",
    ] {
        times.extend(parser.line(line.as_bytes()).unwrap().map(|sample| sample.timestamp));
    }
    assert_eq!(times, [5, 5, 1_700_000_000_123, 1_700_000_000_500, -1000]);
    assert_eq!(parser.finish(), Ok(()));
    let refused = |line: &str| TextParser::of_scrape(5).line(line.as_bytes()).unwrap_err().to_string();
    assert!(refused("a 1 x").contains("no a timestamp") || refused("a 1 x").contains("not a timestamp"));
    assert!(refused("a 1 9e17").contains("year 9999"));
}
