//! What the figures were measured on, and what a process has used.

use std::fs;

fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The machine in a sentence.
pub(crate) fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let model = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "an unknown processor".to_owned());
    let memory_kib =
        field(&read("/proc/meminfo"), "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    format!(
        "{cores} cores of {model}, {} GiB, Linux {}; the load generator on the same cores; load average at the start {}.",
        memory_kib.unwrap_or_default() >> 20,
        kernel.trim(),
        load.split(' ').next().unwrap_or("unknown"),
    )
}

/// The processor time that a process has used, in microseconds.
pub(crate) fn cpu_us(pid: u32) -> u64 {
    // Ticks of 10 ms, after the name in parentheses; user and system time are fields 14 and 15.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    fields.split_whitespace().skip(11).take(2).filter_map(|text| text.parse::<u64>().ok()).sum::<u64>() * 10_000
}

/// The most memory that a process has had resident, in MB.
pub(crate) fn peak_mb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = field(&status, "VmHWM").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1_024 / 1_000_000
}
