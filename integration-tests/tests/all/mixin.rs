//! The dashboards and alerts of `deploy/mixin` are what Grafana and rulers read. That their queries give data is
//! shown by `tests/cluster/mixin.rs`.

use integration_tests::{binary, client};
use std::path::Path;

#[test]
fn dashboards_are_what_grafana_reads_and_alerts_have_tests_and_runbooks() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = client("mixin.py").arg(sources).arg(binary()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}
