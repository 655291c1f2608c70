//! What a process tells of where and what it is: its build, and the room on its disk.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{gauge::ConstGauge, info::Info},
    registry::Registry,
};
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Adds `yagura_build_info` and `yagura_data_dir_…_bytes`. The former is always there, so dashboards find
/// Yagura's processes by it.
pub fn register(target: &str, data_dir: &Path, registry: &mut Registry) {
    let labels = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("revision", option_env!("YAGURA_REVISION").unwrap_or_default()),
        ("target", target),
    ];
    let labels = Vec::from(labels.map(|(name, value)| (name, value.to_owned())));
    registry.register("yagura_build", "What was built, and which roles it has here", Info::new(labels));
    registry.register_collector(Box::new(Room { path: data_dir.to_owned() }));
}

/// The file system of the data folder.
#[derive(Debug)]
struct Room {
    path: PathBuf,
}

impl Collector for Room {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let Ok(found) = rustix::fs::statvfs(&self.path) else { return Ok(()) };
        // As df has it: what is kept for root is not ours, and when the rest is used the disk is full.
        let in_reach = found.f_blocks.saturating_sub(found.f_bfree).saturating_add(found.f_bavail);
        for (name, help, blocks) in [
            (
                "yagura_data_dir_free_bytes",
                "Bytes that are free for us on the file system of data_dir",
                found.f_bavail,
            ),
            (
                "yagura_data_dir_size_bytes",
                "Bytes of the file system of data_dir that are used, or free for us",
                in_reach,
            ),
        ] {
            let gauge = ConstGauge::new(blocks.saturating_mul(found.f_frsize) as f64);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    fn exposed(path: &Path) -> String {
        let (mut registry, mut text) = (Registry::default(), String::new());
        register("ingester,querier", path, &mut registry);
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn the_disk_has_no_more_free_than_it_is_large() {
        let dir = tempfile::tempdir().unwrap();
        let text = exposed(dir.path());
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().parse::<f64>().unwrap()
        };
        let (free, size) = (value("yagura_data_dir_free_bytes "), value("yagura_data_dir_size_bytes "));
        assert!(0.0 < size && free <= size, "{text}");
        let version = env!("CARGO_PKG_VERSION");
        assert!(text.contains(&format!("yagura_build_info{{version=\"{version}\"")), "{text}");
        assert!(text.contains("target=\"ingester,querier\"} 1"), "{text}");
    }

    #[test]
    fn a_folder_that_is_gone_is_not_shown_as_full() {
        assert!(!exposed(Path::new("/nowhere/at/all")).contains("data_dir_free_bytes "));
    }
}
