//! Configuration as people meet it on the command line.

use integration_tests::binary;
use std::{fs, process::Command};

/// Exit code, standard output and standard error.
fn run(args: &[&str], env: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = Command::new(binary());
    let output = command.env_clear().args(args).envs(env.iter().copied()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_good_configuration_is_said_to_be_good() {
    let (code, out, err) = run(&["--check-config", "--set", "limits.retention=15d"], &[]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "the configuration is good\n", ""));
}

#[test]
fn the_example_that_people_start_from_is_good() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples/yagura.yaml");
    let (code, _, err) = run(&["--config.file", file, "--check-config"], &[]);
    assert_eq!((code, err.as_str()), (0, ""));
}

#[test]
fn mistakes_are_all_told_with_their_places() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("yagura.yaml");
    fs::write(&file, "http:\n  listn: 1\nlimits:\n  retention: soon\n").unwrap();
    let file = file.display().to_string();
    let (code, out, err) =
        run(&["--config.file", &file, "--set", "target=ruler"], &[("YAGURA__MULTITENANCY__ENABLD", "true")]);
    assert_eq!((code, out.as_str()), (2, ""));
    let want = format!(
        "the configuration is not good:
  http.listn is not a setting ({file}, line 2); did you mean http.listen?
  multitenancy.enabld is not a setting (environment variable YAGURA__MULTITENANCY__ENABLD); did you mean multitenancy.enabled?
  limits.retention: \"soon\": a number of seconds or a duration such as 90s, 2h or 15d is wanted ({file}, line 4)
"
    );
    assert_eq!(err, want);
}

#[test]
fn the_effective_configuration_is_printed_without_secrets() {
    let env = [("YAGURA__S3__SECRET_ACCESS_KEY", "hunter2")];
    let (code, out, _) = run(&["--print-config", "--set", "http.listen=127.0.0.1:1"], &env);
    assert_eq!(code, 0);
    assert!(out.contains("listen: 127.0.0.1:1\n") || out.contains("listen: \"127.0.0.1:1\"\n"), "{out}");
    assert!(out.contains("***") && !out.contains("hunter2"), "{out}");
}

#[test]
fn help_and_version_are_there() {
    let (code, out, _) = run(&["--version"], &[]);
    assert_eq!((code, out.as_str()), (0, concat!("yagura ", env!("CARGO_PKG_VERSION"), "\n")));
    let (code, out, _) = run(&["--help"], &[]);
    assert_eq!(code, 0);
    assert!(out.contains("--config.file") && out.contains("/api/v1/write"), "{out}");
    let (code, _, err) = run(&["--no-such-flag"], &[]);
    assert_eq!(code, 2);
    assert!(err.contains("--no-such-flag"), "{err}");
}
