//! How much memory this machine has left.

use std::fs;

/// Bytes that can be had without swapping, by the kernel's own estimate (`MemAvailable`, proc(5)); `None` where
/// it does not say.
pub(crate) fn available() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_machine_has_some_and_not_all_there_can_be() {
        let bytes = super::available().expect("Linux has said so since 3.14");
        assert!(bytes > 1 << 20 && bytes < 1 << 50, "{bytes}");
    }
}
