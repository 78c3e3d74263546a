//! Bytes of somebody else, for the length of one call.
#![expect(unsafe_code, reason = "addresses of lent bytes")]

use std::marker::PhantomData;
use std::ptr::NonNull;

/// Bytes that somebody lends for the length of one call, to be copied. They may change meanwhile: a
/// SharedArrayBuffer can be written by another thread.
#[derive(Clone, Copy, Debug)]
pub struct VolatileSlice<'a> {
    base: NonNull<u8>,
    len: usize,
    lender: PhantomData<&'a u8>,
}

impl<'a> VolatileSlice<'a> {
    /// # Safety
    ///
    /// `len` bytes at `base` stay readable for `'a` (R5).
    #[inline]
    pub unsafe fn new(base: NonNull<u8>, len: usize) -> Self {
        Self { base, len, lender: PhantomData }
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

    /// A part of it; `None` outside the range.
    pub fn slice(self, offset: usize, len: usize) -> Option<Self> {
        if len > self.len || offset > self.len - len {
            return None;
        }
        // SAFETY: in bounds, so not null.
        Some(Self { base: unsafe { self.base.add(offset) }, len, lender: PhantomData })
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
    fn lent_bytes_are_copied_from_inside_to_inside() {
        let memory = Memory::zeroed(16);
        let lent = VolatileSlice::from(&b"abcdefgh"[..]);
        assert!(lent.slice(5, 4).is_none());
        assert!(lent.slice(usize::MAX, 2).is_none());
        assert!(lent.slice(8, 0).is_some_and(VolatileSlice::is_empty));
        assert!(!memory.copy_from(9, lent));
        assert!(memory.copy_from(8, lent.slice(2, 3).unwrap()));
        assert_eq!(memory.read(0, 16).unwrap(), b"\0\0\0\0\0\0\0\0cde\0\0\0\0\0");
    }
}
