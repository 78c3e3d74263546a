//! CPU affinity of threads, sched_setaffinity(2). Thread 0 is the caller.
#![expect(unsafe_code, reason = "sched_getaffinity, sched_setaffinity")]

use std::io;
use std::mem::size_of_val;

use super::check;

/// Words of the largest mask that is tried: 65536 processors.
const MOST_WORDS: usize = 1024;
const WORD_BITS: usize = u64::BITS as usize;

/// The processors that the calling thread may use, by number.
pub fn allowed_cpus() -> io::Result<Vec<u32>> {
    // As for as many as `cpu_set_t` has; the kernel says EINVAL to a mask that is shorter than its own
    // (`sys_sched_getaffinity`, kernel/sched/syscalls.c).
    let mut mask = vec![0_u64; 16];
    loop {
        // SAFETY: R5. The kernel writes at most the bytes of this vector.
        let result = check(unsafe { libc::sched_getaffinity(0, size_of_val(&*mask), mask.as_mut_ptr().cast()) });
        match result {
            Ok(_) => break,
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && mask.len() < MOST_WORDS => {
                mask = vec![0; mask.len() * 2];
            }
            Err(error) => return Err(error),
        }
    }
    let set = |cpu: &u32| mask[*cpu as usize / WORD_BITS] >> (*cpu as usize % WORD_BITS) & 1 == 1;
    Ok((0..(mask.len() * WORD_BITS) as u32).filter(set).collect())
}

/// Pins the calling thread, and threads that it will create, to this CPU.
pub fn pin(cpu: u32) -> io::Result<()> {
    let mut mask = vec![0_u64; cpu as usize / WORD_BITS + 1];
    mask[cpu as usize / WORD_BITS] = 1 << (cpu as usize % WORD_BITS);
    // SAFETY: R5. The kernel only reads the bytes of this vector.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(&*mask), mask.as_ptr().cast()) })?;
    Ok(())
}
