//! Memory that others write: the kernel through a ring, JavaScript through a view.
//!
//! No reference into it ever exists (R1). Every access is bounds-checked, copies a value out once
//! and never reads it again (R2): the checked value is the used one.
#![expect(unsafe_code, reason = "raw access to shared memory; everything above it is safe")]

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::prefetch::{CACHE_LINE, prefetch};
use super::slice::VolatileSlice;
use super::view::{HeaderView, VolatileArray};

/// A range of shared memory and what keeps it mapped. Cheap to clone.
#[derive(Clone)]
pub struct Memory {
    base: NonNull<u8>,
    len: usize,
    owner: Arc<dyn Any + Send + Sync>,
}

// SAFETY: R1. A Memory hands out copies, never references, and its owner is Send + Sync; who may
// write when is the ring protocol's business (R3) and a race can only yield odd values, which
// every reader checks (R2).
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("len", &self.len).finish_non_exhaustive()
    }
}

macro_rules! accessors {
    ($($get:ident, $set:ident: $t:ty;)+) => {$(
        /// Copies a native-endian value out; `None` outside the range or off its alignment.
        #[inline(always)]
        pub fn $get(&self, offset: usize) -> Option<$t> {
            let pointer = self.pointer::<$t>(offset)?;
            // SAFETY: R2. In bounds and aligned (checked by pointer()); volatile, so that the
            // compiler reads exactly once.
            Some(unsafe { pointer.read_volatile() })
        }

        /// Writes a native-endian value; false, and nothing written, outside the range or off its
        /// alignment.
        #[inline(always)]
        pub fn $set(&self, offset: usize, value: $t) -> bool {
            let Some(pointer) = self.pointer::<$t>(offset) else { return false };
            // SAFETY: R2. In bounds and aligned (checked by pointer()).
            unsafe { pointer.write_volatile(value) };
            true
        }
    )+};
}

impl Memory {
    /// # Safety
    ///
    /// `len` bytes at `base` stay readable and writable as long as `owner` lives, and no Rust
    /// reference to any of them exists while a `Memory` or a clone of it does.
    pub unsafe fn new(base: NonNull<u8>, len: usize, owner: Arc<dyn Any + Send + Sync>) -> Self {
        Self { base, len, owner }
    }

    /// Zeroed memory of this process, aligned to 8 bytes: for fakes and column arenas.
    pub fn zeroed(len: usize) -> Self {
        struct Heap(NonNull<u64>, usize);
        // SAFETY: a Heap only owns its allocation; no code reads through it.
        unsafe impl Send for Heap {}
        // SAFETY: as above.
        unsafe impl Sync for Heap {}
        impl Drop for Heap {
            fn drop(&mut self) {
                let words = std::ptr::slice_from_raw_parts_mut(self.0.as_ptr(), self.1);
                // SAFETY: R4. The pointer and length came from Box::into_raw below, and this is
                // the last owner.
                drop(unsafe { Box::from_raw(words) });
            }
        }
        let words = len.div_ceil(8).max(1);
        let allocation = Box::into_raw(vec![0u64; words].into_boxed_slice());
        let base = NonNull::new(allocation.cast::<u64>()).expect("Box::into_raw is never null");
        // SAFETY: R4. The Heap owns the allocation, which holds at least len bytes; the Box is
        // gone, so no reference exists.
        unsafe { Self::new(base.cast(), len, Arc::new(Heap(base, words))) }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What keeps the bytes mapped. A view that leaves this crate holds a clone (R4).
    pub fn owner(&self) -> Arc<dyn Any + Send + Sync> {
        Arc::clone(&self.owner)
    }

    /// A part of it, with the same owner; `None` outside the range.
    pub fn slice(&self, offset: usize, len: usize) -> Option<Self> {
        self.check(offset, len)?;
        // SAFETY: in bounds, so not null.
        let base = unsafe { self.base.add(offset) };
        Some(Self { base, len, owner: self.owner() })
    }

    /// A part of it, borrowed for copying; `None` outside the range.
    #[inline]
    pub fn part(&self, offset: usize, len: usize) -> Option<VolatileSlice<'_>> {
        self.check(offset, len)?;
        // SAFETY: R4, R5. In bounds, and mapped for as long as this memory is borrowed.
        Some(unsafe { VolatileSlice::new(self.base.add(offset), len) })
    }

    /// The address, for a view that leaves this crate or for the kernel.
    pub fn as_ptr(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    #[inline(always)]
    fn check(&self, offset: usize, len: usize) -> Option<()> {
        (len <= self.len && offset <= self.len - len).then_some(())
    }

    #[inline(always)]
    fn pointer<T>(&self, offset: usize) -> Option<*mut T> {
        self.check(offset, size_of::<T>())?;
        // SAFETY: in bounds by check().
        let pointer = unsafe { self.base.as_ptr().add(offset) }.cast::<T>();
        pointer.is_aligned().then_some(pointer)
    }

    accessors! {
        u8, set_u8: u8;
        u16, set_u16: u16;
        u32, set_u32: u32;
        u64, set_u64: u64;
    }

    /// A header_view of `N` bytes, aligned to 8, checked once; `None` outside the range.
    #[inline(always)]
    pub fn header_view<const N: usize>(&self, offset: usize) -> Option<HeaderView<'_, N>> {
        self.check(offset, N)?;
        // SAFETY: in bounds by check().
        let base = unsafe { self.base.add(offset) };
        // SAFETY: R2. In bounds and, where it is called, aligned; the header_view borrows this memory.
        base.cast::<u64>().is_aligned().then(|| unsafe { HeaderView::new(base) })
    }

    /// `count` values in a row, checked once; `None` outside the range or off the alignment.
    pub fn array<T: Copy>(&self, offset: usize, count: usize) -> Option<VolatileArray<'_, T>> {
        self.check(offset, count.checked_mul(size_of::<T>())?)?;
        // SAFETY: in bounds by check().
        let base = unsafe { self.base.add(offset) }.cast::<T>();
        // SAFETY: R2. In bounds and, where it is called, aligned; the array borrows this memory.
        base.is_aligned().then(|| unsafe { VolatileArray::new(base, count) })
    }

    /// Prefetches the cache lines from `offset` to `offset + length`, both included. A hint: nothing is read, and a
    /// place outside the range does no harm.
    #[inline(always)]
    pub fn prefetch(&self, offset: usize, length: usize) {
        let first = self.base.as_ptr().wrapping_add(offset);
        for line in (0..length).step_by(CACHE_LINE) {
            prefetch(first.wrapping_add(line));
        }
        prefetch(first.wrapping_add(length));
    }

    fn atomic(&self, offset: usize) -> Option<&AtomicU32> {
        let pointer = self.pointer::<u32>(offset)?;
        // SAFETY: in bounds and aligned; an AtomicU32 allows writes from elsewhere. The
        // reference does not leave this module.
        Some(unsafe { AtomicU32::from_ptr(pointer) })
    }

    /// Acquire load: what the other side wrote before its release of this word is visible after.
    pub fn load_acquire(&self, offset: usize) -> Option<u32> {
        Some(self.atomic(offset)?.load(Ordering::Acquire))
    }

    /// Release store: what this side did before is done before the other side sees `value`.
    pub fn store_release(&self, offset: usize, value: u32) -> bool {
        self.atomic(offset).map(|word| word.store(value, Ordering::Release)).is_some()
    }

    /// Adds to a counter that both sides add to, and returns its previous value; `None` outside the range.
    pub fn fetch_add(&self, offset: usize, value: u32) -> Option<u32> {
        Some(self.atomic(offset)?.fetch_add(value, Ordering::AcqRel))
    }

    /// Whether this is the only owner of the memory.
    pub fn is_sole(&mut self) -> bool {
        Arc::get_mut(&mut self.owner).is_some()
    }

    /// Moves bytes inside the range, which may overlap; false, and nothing moved, outside it.
    pub fn copy_within(&self, from: usize, to: usize, len: usize) -> bool {
        if self.check(from, len).is_none() || self.check(to, len).is_none() {
            return false;
        }
        // SAFETY: R2. Both ranges are in bounds; copy() allows overlap.
        unsafe { std::ptr::copy(self.base.as_ptr().add(from), self.base.as_ptr().add(to), len) };
        true
    }

    /// Copies bytes into another range; false, and nothing copied, outside either.
    pub fn copy_to(&self, offset: usize, len: usize, target: &Self, at: usize) -> bool {
        if self.check(offset, len).is_none() || target.check(at, len).is_none() {
            return false;
        }
        // SAFETY: R2. Both ranges are in bounds; copy() allows overlap.
        unsafe { std::ptr::copy(self.base.as_ptr().add(offset), target.base.as_ptr().add(at), len) };
        true
    }

    /// Writes bytes; false, and nothing written, outside the range.
    pub fn write(&self, offset: usize, bytes: &[u8]) -> bool {
        if self.check(offset, bytes.len()).is_none() {
            return false;
        }
        // SAFETY: R2. In bounds; `bytes` is private memory and cannot overlap (R1).
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.as_ptr().add(offset), bytes.len()) };
        true
    }

    /// Copies a volatile slice in; false, and nothing written, outside the range.
    pub fn copy_from(&self, offset: usize, bytes: VolatileSlice<'_>) -> bool {
        if self.check(offset, bytes.len()).is_none() {
            return false;
        }
        // SAFETY: R2, R5. Both ranges are in bounds, and no reference to either exists or is made
        // (R1); copy() allows overlap.
        unsafe { std::ptr::copy(bytes.as_ptr(), self.base.as_ptr().add(offset), bytes.len()) };
        true
    }

    /// Copies bytes out into `target`; false, and nothing copied, outside the range.
    #[inline(always)]
    pub fn read_into(&self, offset: usize, target: &mut [u8]) -> bool {
        if self.check(offset, target.len()).is_none() {
            return false;
        }
        // SAFETY: R2. In bounds; `target` is private memory and cannot overlap (R1).
        unsafe { std::ptr::copy_nonoverlapping(self.base.as_ptr().add(offset), target.as_mut_ptr(), target.len()) };
        true
    }

    /// Copies bytes out; `None` outside the range.
    pub fn read(&self, offset: usize, len: usize) -> Option<Vec<u8>> {
        self.check(offset, len)?;
        let mut bytes = vec![0; len];
        // SAFETY: R2. In bounds; `bytes` is private memory and cannot overlap.
        unsafe { std::ptr::copy_nonoverlapping(self.base.as_ptr().add(offset), bytes.as_mut_ptr(), len) };
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_or_written_outside() {
        let memory = Memory::zeroed(16);
        assert_eq!(memory.u32(12), Some(0));
        assert_eq!(memory.u32(13), None, "unaligned");
        assert_eq!(memory.u32(16), None);
        assert_eq!(memory.u64(usize::MAX - 3), None);
        assert!(!memory.set_u64(12, 1));
        assert!(!memory.write(10, &[1; 7]));
        assert!(!memory.copy_within(0, 9, 8));
        assert!(!memory.read_into(9, &mut [1; 8]));
        assert!(!memory.read_into(usize::MAX, &mut [1; 8]));
        assert_eq!(memory.read(0, 17), None);
        assert!(memory.slice(17, 0).is_none());
        assert_eq!(memory.read(0, 16), Some(vec![0; 16]));
    }

    #[test]
    fn slices_keep_their_owner() {
        let memory = Memory::zeroed(32);
        let tail = memory.slice(24, 8).unwrap();
        drop(memory);
        assert!(tail.set_u64(0, 7));
        assert_eq!(tail.u64(0), Some(7));
        assert_eq!(tail.u64(8), None);
    }

    #[test]
    fn owners_of_a_part_are_counted() {
        let mut memory = Memory::zeroed(32);
        let part = memory.slice(8, 8).unwrap();
        assert!(!memory.is_sole());
        assert_eq!((part.fetch_add(4, 3), part.fetch_add(4, 2), part.fetch_add(8, 1)), (Some(0), Some(3), None));
        drop(part);
        assert!(memory.is_sole());
        assert_eq!(memory.u32(12), Some(5));
    }

    #[test]
    fn moves_may_overlap() {
        let memory = Memory::zeroed(16);
        assert!(memory.write(4, b"abcdefgh"));
        assert!(memory.copy_within(4, 0, 8));
        assert_eq!(memory.read(0, 8).unwrap(), b"abcdefgh");
    }
}
