//! What the process costs: CPU, memory, file descriptors, read from procfs at each scrape.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};
use std::{fmt, fs, io, path::PathBuf};

/// The `process_*` metrics, by the names that every Prometheus client library uses.
#[derive(Debug)]
pub struct ProcessMetrics {
    procfs: PathBuf,
    started_ms: i64,
    ticks_per_second: u64,
}

#[derive(Debug, PartialEq)]
struct Usage {
    cpu_seconds: f64,
    resident_bytes: u64,
    virtual_bytes: u64,
    threads: u64,
    open_fds: u64,
    max_fds: u64,
}

impl ProcessMetrics {
    /// Of this process; `started_ms` is its start in milliseconds since the Unix epoch.
    pub fn new(started_ms: i64) -> Self {
        Self {
            procfs: PathBuf::from("/proc/self"),
            started_ms,
            ticks_per_second: rustix::param::clock_ticks_per_second(),
        }
    }

    fn usage(&self) -> io::Result<Usage> {
        let text = |file| fs::read_to_string(self.procfs.join(file));
        let (stat, status, limits) = (text("stat")?, text("status")?, text("limits")?);
        // The command's name may hold anything, spaces and brackets too: the fixed fields start
        // behind the last bracket (proc_pid_stat(5): utime and stime are fields 14 and 15).
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let field = |n: usize| number(fields.split_whitespace().nth(n - 3));
        let kib = |key| 1024 * line_after(&status, key);
        Ok(Usage {
            cpu_seconds: (field(14) + field(15)) as f64 / self.ticks_per_second.max(1) as f64,
            resident_bytes: kib("VmRSS:"),
            virtual_bytes: kib("VmSize:"),
            threads: line_after(&status, "Threads:"),
            open_fds: fs::read_dir(self.procfs.join("fd"))?.count() as u64,
            max_fds: line_after(&limits, "Max open files"),
        })
    }
}

/// The first number on the line that starts with `key`; 0 if there is none.
fn line_after(text: &str, key: &str) -> u64 {
    let rest = text.lines().find_map(|line| line.strip_prefix(key));
    number(rest.and_then(|rest| rest.split_whitespace().next()))
}

fn number(word: Option<&str>) -> u64 {
    word.and_then(|w| w.parse().ok()).unwrap_or(0)
}

impl Collector for ProcessMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut gauge = |name, help, value: f64| {
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            gauge.encode(metric)
        };
        gauge(
            "process_start_time_seconds",
            "When the process started, since the Unix epoch",
            self.started_ms as f64 / 1000.0,
        )?;
        let Ok(usage) = self.usage() else { return Ok(()) };
        gauge("process_resident_memory_bytes", "Resident memory", usage.resident_bytes as f64)?;
        gauge("process_virtual_memory_bytes", "Virtual memory", usage.virtual_bytes as f64)?;
        gauge("process_threads", "Threads of the process", usage.threads as f64)?;
        gauge("process_open_fds", "Open file descriptors", usage.open_fds as f64)?;
        gauge("process_max_fds", "File descriptors that may be open", usage.max_fds as f64)?;
        let cpu = ConstCounter::new(usage.cpu_seconds);
        let help = "User and system CPU time spent";
        cpu.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, cpu.metric_type())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::{encoding::text::encode, registry::Registry};

    #[test]
    fn a_command_name_with_brackets_and_spaces_does_not_shift_the_fields() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("stat", "7 (a) b (c) R 1 7 7 0 -1 4194304 100 0 0 0 250 50 9 9 20 0 3 0 100 4096 10 1\n");
        write("status", "Name:\tx\nVmSize:\t   2000 kB\nVmRSS:\t   1000 kB\nThreads:\t3\n");
        write("limits", "Limit  Soft Limit\nMax open files            1024                 4096  files\n");
        fs::create_dir(dir.path().join("fd")).unwrap();
        fs::write(dir.path().join("fd/0"), "").unwrap();
        let metrics = ProcessMetrics { procfs: dir.path().into(), started_ms: 0, ticks_per_second: 100 };
        let want = Usage {
            cpu_seconds: 3.0,
            resident_bytes: 1_024_000,
            virtual_bytes: 2_048_000,
            threads: 3,
            open_fds: 1,
            max_fds: 1024,
        };
        assert_eq!(metrics.usage().unwrap(), want);
    }

    #[test]
    fn this_process_is_measured_under_the_usual_names() {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(ProcessMetrics::new(1_700_000_000_500)));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert!(text.contains("process_start_time_seconds 1700000000.5\n"), "{text}");
        assert!(text.contains("process_cpu_seconds_total "), "{text}");
        let rss = text.lines().find_map(|l| l.strip_prefix("process_resident_memory_bytes ")).unwrap();
        assert!(rss.parse::<f64>().unwrap() > 1e6, "{rss}");
    }
}
