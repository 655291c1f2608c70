//! Every command of the documentation is run, or marked as not run.

use integration_tests::{
    docs::{Form, Page, Ports, Programs, Tally, difference, pages, run},
    tell,
};
use std::{
    collections::VecDeque,
    env, fs,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

/// Set to pages' names with blanks between, only these are run.
const ONLY: &str = "YAGURA_DOCS";
/// How many pages are run at once: most of their time is spent waiting.
const AT_ONCE: usize = 4;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

#[test]
fn the_documentation_does_what_it_says() {
    let only = env::var(ONLY).ok();
    let is_wanted = |page: &str| only.as_ref().is_none_or(|names| names.split(' ').any(|name| name == page));
    let pages = pages(&root(), is_wanted).unwrap_or_else(|mistakes| panic!("\n{}", mistakes.join("\n")));
    let wanted: VecDeque<&Page> = pages.iter().filter(|page| page.has_commands()).collect();
    assert!(!wanted.is_empty(), "no page has commands");
    let (programs, wanted, done) = (Programs::new(&root()), Mutex::new(wanted), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(page) = wanted.lock().unwrap().pop_front() else { break };
                    let came = run(page, &programs);
                    done.lock().unwrap().push((page.name.clone(), came));
                }
            });
        }
    });
    let mut done: Vec<(String, Result<Tally, Vec<String>>)> = done.into_inner().unwrap();
    done.sort_by(|(one, _), (other, _)| one.cmp(other));
    let (mut all, mut wrong) = (Tally::default(), Vec::new());
    let mut lines = vec![format!("{:<28} run  compared  not run  files", "blocks of commands")];
    let line = |name: &str, tally: &Tally| {
        let Tally { run, compared, files, not_run, .. } = tally;
        format!("{name:<28} {run:>3}  {compared:>8}  {:>7}  {files:>5}", not_run.len())
    };
    for (name, came) in done {
        match came {
            Ok(tally) => {
                lines.push(line(&name, &tally));
                all.run += tally.run;
                all.compared += tally.compared;
                all.files += tally.files;
                all.not_run.extend(tally.not_run);
            }
            Err(found) => wrong.extend(found),
        }
    }
    lines.push(line("all", &all));
    lines.push("Not run:".to_owned());
    lines.extend(all.not_run);
    tell(&lines.join("\n"));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

/// What is wrong with a page when it is read or run.
fn mistakes(text: &str) -> Vec<String> {
    match Page::parse("page.md", text) {
        Ok(page) => run(&page, &Programs::new(&root())).err().unwrap_or_default(),
        Err(mistakes) => mistakes,
    }
}

/// That a page is refused, with one sentence that begins so and holds the other text.
fn refused(text: &str, place: &str, what: &str) {
    let found = mistakes(text);
    let is_it = |one: &String| one.starts_with(&format!("page.md:{place}: ")) && one.contains(what);
    assert!(found.len() == 1 && is_it(&found[0]), "{place}: {what}: {found:?}");
}

#[test]
fn a_page_that_is_right_is_run_from_its_first_block_to_its_last() {
    let text = "\
Text.

```sh
NAME=one; mkdir folder; cd folder
```

<!-- file: folder/file.txt -->
```yaml
url: http://127.0.0.1:9009
```

```sh
pwd | sed 's|.*/||'
echo $NAME; cat file.txt >&2
```

```text output
folder
o…
url: http://127.0.0.1:9009
```

<!-- exits with 3 -->
```sh
false && echo no
(exit 3)
```

10. In a list, in which

    make build is text, and so is
    curl, or

      - yagura query, where what is

        yagura push is in a list in a list

- In a list:

  ```sh
  echo '{\"a\": [1,2], \"b\": \"c d\"}'
  ```

  ```json output
  {\"a\": [1, …],
   \"b\": \"c d\"}
  ```

<!-- not run: it would
  take for ever -->
```sh
sleep infinity
```

<!-- server: test -e here -->
```sh
touch here; echo here; sleep infinity
```

```text output
here
```

```
a picture
```
";
    let page = Page::parse("page.md", text).unwrap();
    let not_run = vec!["page.md:51: it would take for ever".to_owned()];
    let expected = Tally { run: 5, compared: 3, files: 1, shown: 1, not_run };
    assert_eq!(run(&page, &Programs::new(&root())), Ok(expected));
}

#[test]
fn wrong_pages_are_refused() {
    // What came is another thing.
    refused("```sh\necho two\n```\n```text output\none\n```\n", "4", "this came: two");
    refused(
        "```sh\necho one; echo two\n```\n```text output\none\n```\n",
        "4",
        "behind the expected output came: two",
    );
    refused("```sh\necho one\n```\n", "1", "shows no output");
    refused("<!-- exits with 2 -->\n```sh\necho one; exit 2\n```\n", "2", "shows no output");
    refused("```sh\necho one\n```\n```text output\none\ntwo\n```\n", "4", "nothing more came");
    refused("```sh\necho '[1]'\n```\n```json output\n[2]\n```\n", "4", "another JSON");
    // How it ended.
    refused("```sh\necho fine\n(exit 4)\necho not here\n```\n", "3", "ended with 4");
    refused("```sh\necho $NOBODY\n```\n", "1", "unbound variable");
    refused("```sh\nfalse | true\n```\n", "2", "ended with 1");
    refused("```sh\nno-such-program\n```\n", "2", "is not installed");
    refused("<!-- exits with 2 -->\n```sh\nexit 3\n```\n", "2", "ended with 3, not with 2");
    refused("<!-- exits with 2 -->\n```sh\ntrue\n```\n", "2", "ended with 0, not with 2");
    refused("```sh\nexit 0\n```\n```sh\nfalse\n```\n", "1", "ended the shell");
    refused("```sh\nexec true\n```\n", "1", "ended the shell");
    refused("<!-- server: false -->\n```sh\nexit 5\n```\n", "2", "this server ended with 5");
    let crash = "<!-- server: true -->\n```sh\nuntil test -e now; do sleep 0.1; done; exit 6\n```\n";
    refused(&format!("{crash}\n```sh\ntouch now; sleep 1\n```\n"), "2", "this server ended with 6");
    let ready = "<!-- server: test -e on && echo 127.0.0.1:9009 -->";
    let seven = "bash -c 'trap \"exit 7\" TERM; touch on; while true; do sleep 0.1; done'";
    let stubborn = format!("{ready}\n```sh\n{seven}\n```\n");
    let told = "this server ended with 7 when it was told to stop";
    refused(&stubborn, "2", told);
    refused(&format!("{stubborn}{ready}\n```sh\nsleep infinity\n```\n"), "2", told);
    refused(&format!("{ready}\n```sh\nsleep infinity & {seven} & sleep infinity & wait\n```\n"), "2", told);
    refused(
        "<!-- server: grep sleep /proc/$!/cmdline -->\n```sh\nexec sleep infinity\n```\n",
        "2",
        "nobody knows",
    );
    // Marks.
    refused("<!-- not run -->\n```sh\ntrue\n```\n", "1", "needs a reason");
    refused("<!-- not run: -->\n```sh\ntrue\n```\n", "1", "needs a reason");
    refused("<!-- nor run: it is far -->\n```sh\ntrue\n```\n", "1", "is no marker");
    refused("<!-- server -->\n\ntext\n", "1", "no block follows");
    refused("<!-- server -->\n```yaml\na: 1\n```\n", "2", "for blocks of `sh`");
    refused("<!-- exits with 0 -->\n```sh\ntrue\n```\n", "1", "a code from 1 to 255");
    refused("<!-- file: ../a -->\n```yaml\na: 1\n```\n", "1", "not inside");
    // Commands that would not be run.
    refused("```console\n$ true\n```\n", "1", "blocks of `sh`");
    refused("```bash\ntrue\n```\n", "1", "blocks of `sh`");
    refused("```\na\n$ true\n```\n", "3", "outside of a block");
    refused("```\nyagura query up\n```\n", "2", "outside of a block");
    refused("    $ true\n", "1", "a command with `$ `");
    refused("Text:\n\n    # what is up\n\n    yagura query up\n", "5", "without a fence");
    refused("10. In a list:\n\n        curl localhost:9009\n", "3", "without a fence");
    refused("- In a list\n\nand behind it:\n\n    curl localhost:9009\n", "5", "without a fence");
    refused("> ```sh\n> true\n", "1", "is not read");
    // Outputs.
    refused("```text output\none\n```\n", "1", "follows no block");
    refused("```sh\ntrue\n```\ntext\n```text output\n```\n", "5", "follows no block");
    refused("```sh\ntrue\n```\n```output\n```\n", "4", "outputs are");
    refused("```sh\ntrue\n", "1", "never closed");
}

#[test]
fn a_server_takes_the_place_of_the_one_before_and_nothing_outlives_its_page() {
    let seconds = 1_000_000 + std::process::id();
    let text = format!(
        "<!-- server -->\n```sh\nyagura --set data_dir=first\n```\n
<!-- server -->\n```sh\nyagura --set data_dir=second --set query.lookback=7m\n```\n
```sh\nls -d first second; curl localhost:9009/config | grep lookback
sleep {seconds} & setsid sleep {seconds} &\n```\n```text output\nfirst\nsecond\n…lookback: 420\n```\n"
    );
    assert_eq!(mistakes(&text), Vec::<String>::new());
    let sleeps = format!("sleep\0{seconds}\0");
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("cmdline"));
    let left: Vec<PathBuf> =
        processes.filter(|path| fs::read_to_string(path).is_ok_and(|line| line == sleeps)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn outputs_are_compared_where_nothing_varies() {
    let same = |expected: &str, came: &str| assert_eq!(difference(expected, came, Form::Text), None);
    let other = |expected: &str, came: &str| {
        assert!(difference(expected, came, Form::Text).is_some(), "{expected:?}")
    };
    same("", "\n");
    same("a\nb", "a  \nb\n\n");
    same("a…c", "abc");
    same("…a…a…", "aa");
    same("a\n…\nd", "a\nb\nc\nd");
    same("a\n…\nd", "a\nd");
    same("…\nb\n…\nb", "b\nb\nb");
    same("…", "");
    same("block 01M8RCQWGA1843A9DG37CVSYJS, all", "block 01M8RCQSETG8NPNNQT9M39VGWP, all");
    other("block 01M8RCQWGA1843A9DG37CVSYJS", "block 01M8RCQSETG8NPNNQT9M39VGW");
    other("a…a", "a");
    other("a\n…\nd", "a\nb");
    other("…\nb", "b\na");
    other("a b", "a  b");
    let json = |expected: &str, came: &str| difference(expected, came, Form::Json).is_none();
    assert!(json("{\"a\" : \"x y\",\n \"b\":…}", "{\"a\":\"x y\",\"b\":[1, 2]}\n"));
    assert!(json("[[…,2],…]", "[[1,2,[0,2],2],3]"));
    assert!(json(r#"{"a":[…,"1"],…}"#, r#"{"a":[{"]":"1"},"1"],"b":{}}"#));
    assert!(json(r#"["a…\"…",…]"#, r#"["a,b\"c","d"]"#));
    assert!(!json(r#"[{"value":[…,"1"]}]"#, r#"[{"value":[1,"1"]},{"value":[2,"1"]}]"#));
    assert!(!json(r#"{"a":{…}}"#, r#"{"a":{},"b":{}}"#));
    assert!(!json(r#"{"a":"b…"}"#, r#"{"a":"b","c":"d"}"#));
    assert!(!json("[1,…", "[1,2]"));
    assert!(!json("{\"a\":\"xy\"}", "{\"a\":\"x y\"}"));
    assert!(!json(r#"{"a":"\" b"}"#, r#"{"a":"\"b"}"#));
}

#[test]
fn a_page_has_ports_of_its_own() {
    let mut ports = Ports::default();
    let text = "http://127.0.0.1:9009/a localhost:9009 [::1]:9100 example.com:9009 127.0.0.1:80 12:30:00 a127.0.0.1:9009";
    let there = ports.there(text);
    let (first, second) = (ports.own(9009), ports.own(9100));
    assert_ne!(first, second);
    let expected = format!(
        "http://127.0.0.1:{first}/a localhost:{first} [::1]:{second} example.com:9009 127.0.0.1:80 12:30:00 a127.0.0.1:9009"
    );
    assert_eq!(there, expected);
    assert_eq!(ports.back(&there), text);
    assert_eq!(Ports::first("curl -k https://localhost:9443/ready"), Some(9443));
    assert_eq!(Ports::first("test -e file"), None);
}
