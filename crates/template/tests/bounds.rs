//! What templates may cost, what they read, and that no template makes the engine panic.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's way to fail")]

use proptest::prelude::*;
use std::{borrow::Cow, thread};
use template::{Data, Env, Functions, Limits, Options, Template, Value};

struct Labels;

impl Data for Labels {
    fn field(&self, name: &str) -> Option<Value<'_>> {
        (name == "a").then(|| Value::str("x y"))
    }

    fn entries(&self) -> Vec<(Cow<'_, str>, Value<'_>)> {
        vec![("a".into(), Value::str("x y"))]
    }
}

fn run(text: &str) -> Result<String, String> {
    let template = Template::parse(text, &Functions::for_logs()).map_err(|e| e.to_string())?;
    let mut out = String::new();
    template.execute(&Labels, &Env::default(), &mut out).map_err(|e| e.to_string())?;
    Ok(out)
}

#[track_caller]
fn fails_with(text: &str, reason: &str) {
    let error = run(text).expect_err("the template should fail");
    assert!(error.contains(reason), "{reason} is not in {}", &error[error.len().saturating_sub(200)..]);
}

/// Runs with a stack as small as that of a worker thread may be.
fn on_small_stack(check: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(1 << 20).spawn(check).unwrap().join().unwrap();
}

#[test]
fn work_and_output_are_bounded() {
    fails_with("{{range 1000000000}}{{end}}", "exceeded 100000 steps");
    fails_with("{{range 1000}}{{range 1000}}{{end}}{{end}}", "exceeded 100000 steps");
    fails_with("{{repeat 1000000000 .a}}", "text is longer than 1048576 bytes");
    fails_with("{{$x := repeat 1000000 \"x\"}}{{$x}}{{$x}}", "output is longer than 1048576 bytes");
    fails_with("{{range 90000}}{{$x := repeat 1000000 \"x\"}}{{end}}", "exceeded 100000 steps");
    fails_with("{{printf \"%1000000d%1000000d\" 1 2}}", "longer than 1048576 bytes");
    fails_with("{{replace \"\" (repeat 2000 \"y\") (repeat 2000 \"x\")}}", "longer than 1048576 bytes");
    fails_with("{{indent 100000 (repeat 100 \"\\n\")}}", "longer than 1048576 bytes");
    fails_with("{{alignRight 2000000 .a}}", "longer than 1048576 bytes");
    fails_with(
        "{{regexReplaceAll \"\" (repeat 2000 \"x\") (repeat 2000 \"y\")}}",
        "longer than 1048576 bytes",
    );
    fails_with(&"x".repeat(70_000), "template is longer than 65536 bytes");
}

#[test]
fn nesting_is_bounded() {
    on_small_stack(|| {
        let nested = |open: &str, close: &str, n| open.repeat(n) + "{{.a}}" + &close.repeat(n);
        assert!(run(&nested("{{if .a}}", "{{end}}", 99)).is_ok());
        fails_with(&nested("{{if .a}}", "{{end}}", 101), "max expression depth exceeded");
        fails_with(&nested("{{range 1}}", "{{end}}", 2000), "max expression depth exceeded");
        fails_with(
            &format!("{{{{{}.a{}}}}}", "(".repeat(20_000), ")".repeat(20_000)),
            "max expression depth",
        );
        fails_with(&"{{if .b}}{{else if .b}}".repeat(1000), "max expression depth exceeded");
        fails_with(
            "{{define \"t\"}}{{template \"t\" .}}{{end}}{{template \"t\" .}}",
            "exceeded maximum template depth",
        );
        let body = format!("{}1{}", "(print ".repeat(98), ")".repeat(98));
        assert!(run(&format!("{{{{{body}}}}}")).is_ok());
        let recursive = format!(
            "{{{{define \"t\"}}}}{}{{{{end}}}}{{{{template \"t\" .}}}}",
            nested("{{with .}}", "{{end}}", 90).replace("{{.a}}", "{{template \"t\" .}}")
        );
        fails_with(&recursive, "exceeded maximum template depth");
    });
}

#[test]
fn limits_can_be_set() {
    let limits = Limits { steps: 5, ..Limits::default() };
    let options = Options { name: "alert", limits, ..Options::default() };
    let template = Template::parse_with("{{range 9}}x{{end}}", &Functions::builtins(), &options).unwrap();
    let mut out = String::from("kept ");
    let error = template.execute(&Labels, &Env::default(), &mut out).unwrap_err();
    assert!(error.to_string().starts_with("template: alert:1:"), "{error}");
    assert!(out.starts_with("kept x"));
}

#[test]
fn fields_that_are_read_are_known_ahead() {
    let fields = |text: &str| {
        let template = Template::parse(text, &Functions::for_logs()).unwrap();
        let fields = template.fields();
        format!("{}{}", fields.names.join(","), if fields.all { ",*" } else { "" })
    };
    assert_eq!(fields("x {{.b}} {{.a | upper}} {{.b}}"), "a,b");
    assert_eq!(fields("{{if .a}}{{.b}}{{else}}{{.c}}{{end}}"), "a,b,c");
    assert_eq!(fields("{{with .a}}{{.}}{{$.b}}{{else}}{{.c}}{{end}}"), "a,b,c");
    assert_eq!(fields("{{printf \"%s\" (lower .a) }}"), "a");
    assert_eq!(fields("{{(fromJson .j).x}}"), "j");
    assert_eq!(fields("{{.}}"), ",*");
    assert_eq!(fields("{{index . \"a\"}}{{.b}}"), "b,*");
    assert_eq!(fields("{{define \"t\"}}{{.a}}{{end}}{{template \"t\" .}}"), ",*");
    assert_eq!(fields("{{range $k, $v := $}}{{$k}}{{end}}"), ",*");
    let single = |text: &str| {
        let template = Template::parse(text, &Functions::for_logs()).unwrap();
        template.single_field().map(str::to_owned)
    };
    assert_eq!(single("{{ .msg }}").as_deref(), Some("msg"));
    assert_eq!(single("{{ .msg.x }}"), None);
    assert_eq!(single("{{ .msg }} "), None);
}

#[test]
fn templates_can_be_shared() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Template>();
    is_shared::<Functions>();
}

/// Words that templates are made of, so that many random ones can be executed.
fn word() -> impl Strategy<Value = String> {
    let words = [
        "{{",
        "}}",
        "{{- ",
        " -}}",
        ".",
        ".a",
        "$",
        "$x",
        " := ",
        " = ",
        "|",
        "(",
        ")",
        " ",
        "if ",
        "range ",
        "with ",
        "else",
        "end",
        "{{end}}",
        "{{else}}",
        "define \"t\"",
        "template \"t\" ",
        "break",
        "nil",
        "true",
        "1",
        "-3",
        "1.5",
        "\"é%d\"",
        "'x'",
        "printf ",
        "index ",
        "slice ",
        "len ",
        "eq ",
        "upper ",
        "trunc ",
        "substr ",
        "date ",
        "toDate ",
        "round ",
        "divf ",
        "fromJson ",
        "regexReplaceAll ",
        "count ",
        "alignLeft ",
        "default ",
        "int ",
        "now",
        "__timestamp__ ",
        "bytes ",
        "duration ",
        "b64dec ",
        "urldecode ",
        "unixToTime ",
        "\"2006 _2 .00\"",
        "/*",
        "*/",
        "é",
        "%",
        "\n",
        "9223372036854775807",
        "-9223372036854775808",
    ];
    prop_oneof![8 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,3}"]
}

proptest! {
    #[test]
    fn no_template_panics(words in proptest::collection::vec(word(), 0..24)) {
        let text = words.concat();
        let _ = run(&text);
        let _ = run(&format!("{{{{{text}}}}}"));
        for function in ["printf", "substr 1 ", "round", "index .a", "slice .a", "trunc", "toDate", "date"] {
            let _ = run(&format!("{{{{{function} {text}}}}}"));
        }
    }

    #[test]
    fn no_format_panics(format in "[%#+\\- 0-9.*\\[\\]vsdqxXfegGtcUTbé]{0,12}", n in any::<i64>(), f in any::<f64>()) {
        let f = if f.is_finite() { format!("{f:e}") } else { "1.5".to_owned() };
        let _ = run(&format!("{{{{printf `{format}` {n} {f} .a .}}}}"));
    }

    #[test]
    fn no_time_panics(layout in "[0-9_ Z:.,JanuaryMonSTPpm-]{0,12}", text in "[0-9 Z:.,+-]{0,12}", n in any::<i64>()) {
        let _ = run(&format!("{{{{toDateInZone `{layout}` `Europe/Berlin` `{text}` | unixEpochNanos}}}}"));
        let _ = run(&format!("{{{{date `{layout}` {n}}}}}"));
    }
}
