//! Bytes that may change while they are read.
#![expect(unsafe_code, reason = "addresses of borrowed bytes")]

use std::marker::PhantomData;
use std::ptr::NonNull;

/// Borrowed bytes, to be copied. They may change meanwhile: the kernel or another thread (by a SharedArrayBuffer, say)
/// may write them, so there is no reference to them.
#[derive(Clone, Copy, Debug)]
pub struct VolatileSlice<'a> {
    base: NonNull<u8>,
    len: usize,
    owner: PhantomData<&'a u8>,
}

impl<'a> VolatileSlice<'a> {
    /// # Safety
    ///
    /// `len` bytes at `base` stay readable for `'a` (R5).
    #[inline]
    pub unsafe fn new(base: NonNull<u8>, len: usize) -> Self {
        Self { base, len, owner: PhantomData }
    }

    /// Length in bytes.
    #[inline]
    pub fn len(self) -> usize {
        self.len
    }

    /// The address, for the kernel to read from.
    #[inline]
    pub fn as_ptr(self) -> *const u8 {
        self.base.as_ptr()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Copies the first bytes into `target`, as many as there are in both, and says how many.
    pub fn copy_to(self, target: &mut [u8]) -> usize {
        let len = self.len.min(target.len());
        // SAFETY: R5. `len` bytes are there on both sides; a Rust buffer and shared memory do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(self.base.as_ptr(), target.as_mut_ptr(), len) };
        len
    }

    /// A copy of the bytes.
    pub fn to_vec(self) -> Vec<u8> {
        let mut copy = vec![0; self.len];
        self.copy_to(&mut copy);
        copy
    }

    /// A part of it; `None` outside the range.
    pub fn slice(self, offset: usize, len: usize) -> Option<Self> {
        if len > self.len || offset > self.len - len {
            return None;
        }
        // SAFETY: in bounds, so not null.
        Some(Self { base: unsafe { self.base.add(offset) }, len, owner: PhantomData })
    }
}

impl<'a> From<&'a [u8]> for VolatileSlice<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        let base = NonNull::from(bytes).cast();
        // SAFETY: R5. The borrow lasts for 'a.
        unsafe { Self::new(base, bytes.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::Memory;

    #[test]
    fn bytes_are_copied_from_inside_to_inside() {
        let memory = Memory::zeroed(16);
        let slice = VolatileSlice::from(&b"abcdefgh"[..]);
        assert_eq!(slice.to_vec(), b"abcdefgh");
        let mut short = [0; 3];
        assert_eq!((slice.copy_to(&mut short), &short), (3, b"abc"));
        assert!(slice.slice(5, 4).is_none());
        assert!(slice.slice(usize::MAX, 2).is_none());
        assert!(slice.slice(8, 0).is_some_and(VolatileSlice::is_empty));
        assert!(!memory.copy_from(9, slice));
        assert!(memory.copy_from(8, slice.slice(2, 3).unwrap()));
        assert_eq!(memory.read(0, 16).unwrap(), b"\0\0\0\0\0\0\0\0cde\0\0\0\0\0");
    }
}
