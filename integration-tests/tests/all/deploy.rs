//! What is in `deploy/` fits together, and the program starts with it.

use integration_tests::{binary, client};
use std::path::Path;

#[test]
fn what_is_deployed_fits_together() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = client("deploy.py").arg(sources).arg(binary()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}
