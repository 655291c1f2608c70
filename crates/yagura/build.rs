//! Puts what `yagura --version` prints together: the version, and the commit if whoever builds names it.

fn main() {
    // Cargo looks at it by itself where `env!` reads it, and not where a build script does.
    println!("cargo::rerun-if-env-changed=YAGURA_REVISION");
    let version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = match std::env::var("YAGURA_REVISION") {
        Ok(revision) if !revision.is_empty() => format!("{version} (revision {revision})"),
        _ => version,
    };
    println!("cargo::rustc-env=YAGURA_VERSION={version}");
}
