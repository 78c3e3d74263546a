//! Reading files into shared memory. What needs no shared memory is std's.
#![expect(unsafe_code, reason = "read(2) into memory that no Rust reference may cover")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::ring::Memory;

/// read(2), again where a signal came first. 0 at the end of the file.
///
/// # Panics
/// Where the range is outside of the memory.
pub(crate) fn read(fd: BorrowedFd<'_>, memory: &Memory, at: usize, len: usize) -> io::Result<usize> {
    assert!(memory.part(at, len).is_some(), "the range lies inside of the memory");
    let place = memory.as_ptr().wrapping_add(at);
    loop {
        // SAFETY: R5. The kernel writes `len` bytes at most, which are in bounds, and keeps nothing.
        let count = unsafe { libc::read(fd.as_raw_fd(), place.cast(), len) };
        match usize::try_from(count) {
            Ok(count) => return Ok(count),
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}
