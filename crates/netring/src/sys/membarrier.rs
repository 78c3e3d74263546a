//! Waits until the kernel's packet path has seen a change.
#![expect(unsafe_code, reason = "membarrier")]

use std::time::Duration;

/// Returns when every receive path that was running has ended: `MEMBARRIER_CMD_GLOBAL` waits for an
/// RCU grace period (`sys_membarrier`, kernel/sched/membarrier.c), and `packet_rcv` /
/// `tpacket_rcv` run in RCU read-side sections. Takes milliseconds. Where the kernel refuses it
/// (nohz_full, seccomp) this sleeps far longer than a receive path takes.
pub fn receive_paths() {
    // SAFETY: membarrier takes integers only.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if result != 0 {
        std::thread::sleep(Duration::from_millis(50));
    }
}
