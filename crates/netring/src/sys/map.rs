//! Mappings that outlive the memory they map.
//!
//! A view handed to JavaScript can live longer than its socket, so a mapping is never simply
//! unmapped: it is *retired*. Retiring maps private zero pages over it, which frees the ring and the
//! socket at once, while every address stays readable; the address range
//! itself is freed with the last owner of the [`Memory`] (R4).
#![expect(unsafe_code, reason = "mmap, mremap, madvise and munmap")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::Arc;

use crate::ring::Memory;

/// A shared mapping, and the right to retire it.
#[derive(Debug)]
pub struct Mapping {
    region: Arc<Region>,
    /// Whether its pages are locked in memory.
    pub locked: bool,
}

#[derive(Debug)]
struct Region {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: a Region only owns an address range; no code reads through it.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Mapping {
    /// Maps the ring of a packet socket, locked in memory if that is allowed. EPERM, ENOMEM and
    /// EAGAIN are what mmap(2) gives past RLIMIT_MEMLOCK; then it is mapped unlocked.
    pub fn of_socket(socket: BorrowedFd<'_>, len: usize) -> io::Result<Self> {
        let shared = libc::MAP_SHARED;
        match map(socket.as_raw_fd(), len, shared | libc::MAP_LOCKED) {
            Ok(base) => Ok(Self::new(base, len, true)),
            Err(error) if matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOMEM | libc::EAGAIN)) => {
                Ok(Self::new(map(socket.as_raw_fd(), len, shared)?, len, false))
            }
            Err(error) => Err(error),
        }
    }

    /// Zeroed memory of this process that can be retired like a ring.
    pub fn anonymous(len: usize) -> io::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        Ok(Self::new(map(-1, len, flags)?, len, false))
    }

    /// A second address for memory that is mapped shared at `memory`: it stays when the first is
    /// unmapped. Not to be had of huge pages (EINVAL, `vma_to_resize`, mm/mremap.c).
    ///
    /// # Safety
    ///
    /// `base` is the start of a shared mapping of at least `len` bytes, and no Rust reference into
    /// it is used while the returned memory is written.
    pub unsafe fn alias(base: NonNull<u8>, len: usize) -> io::Result<Self> {
        // SAFETY: an old size of 0 moves nothing: of a shared mapping it makes another one, at an
        // address of the kernel's choice.
        let alias = unsafe { libc::mremap(base.as_ptr().cast(), 0, len, libc::MREMAP_MAYMOVE) };
        if alias == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // The pages are there: finding each at its first touch would cost more than all of them now.
        // SAFETY: the range was just mapped; this only fills its page tables (5.14), or does nothing.
        let _ = unsafe { libc::madvise(alias, len, libc::MADV_POPULATE_WRITE) };
        Ok(Self::new(NonNull::new(alias.cast()).expect("mremap never maps page 0 of its own choice"), len, false))
    }

    fn new(base: NonNull<u8>, len: usize, locked: bool) -> Self {
        Self { region: Arc::new(Region { base, len }), locked }
    }

    /// The bytes; they stay mapped as long as the returned memory has an owner.
    pub fn memory(&self) -> Memory {
        let owner = Arc::clone(&self.region);
        // SAFETY: R4. The range stays mapped until the Region is dropped, which the Memory owns;
        // nothing in this crate makes a reference into it (R1).
        unsafe { Memory::new(self.region.base, self.region.len, owner) }
    }

    /// Frees the mapped memory. Addresses that are still held read as zeros from now on.
    pub fn retire(self) -> io::Result<()> {
        let this = std::mem::ManuallyDrop::new(self);
        let outcome = this.overlay();
        // SAFETY: `this` is not used again; its Drop, which would overlay once more, does not run.
        drop(unsafe { std::ptr::read(&raw const this.region) });
        outcome
    }

    fn overlay(&self) -> io::Result<()> {
        if Arc::strong_count(&self.region) == 1 {
            return Ok(()); // no other owner: dropping it unmaps it
        }
        let flags = libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let base = self.region.base.as_ptr().cast();
        // SAFETY: R4. The range is ours; MAP_FIXED replaces its pages in one step, so no address
        // is unmapped at any moment.
        let mapped = unsafe { libc::mmap(base, self.region.len, protection, flags, -1, 0) };
        if mapped == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // There is no caller to report to; after a failure the ring stays mapped until its last view is dropped.
        let _ = self.overlay();
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: R4. This is the last owner, so no code can read the range any more.
        let unmapped = unsafe { libc::munmap(self.base.as_ptr().cast(), self.len) };
        debug_assert_eq!(unmapped, 0, "munmap of a range that was mapped");
    }
}

fn map(fd: libc::c_int, len: usize, flags: libc::c_int) -> io::Result<NonNull<u8>> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice touches nothing that exists.
    let base = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, fd, 0) };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    Ok(NonNull::new(base.cast()).expect("mmap never maps page 0 of its own choice"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_shows_the_same_bytes_and_outlives_the_first_mapping() {
        let first = Mapping::new(map(-1, 8192, libc::MAP_SHARED | libc::MAP_ANONYMOUS).unwrap(), 8192, false);
        // SAFETY: a shared mapping of that size; no code makes a reference into it.
        let alias = unsafe { Mapping::alias(first.region.base, 8192) }.unwrap();
        assert!(first.memory().set_u64(4096, 42));
        assert_eq!(alias.memory().u64(4096), Some(42));
        drop(first);
        assert_eq!(alias.memory().u64(4096), Some(42));
    }

    #[test]
    fn a_retired_mapping_reads_zeros_and_outlives_itself() {
        let mapping = Mapping::anonymous(8192).unwrap();
        let memory = mapping.memory();
        assert!(memory.set_u64(4096, 42));
        mapping.retire().unwrap();
        assert_eq!(memory.u64(4096), Some(0));
        assert!(memory.set_u64(4096, 43), "a view that escaped can still be written");
        assert_eq!(memory.u64(4096), Some(43));
    }
}
