//! Parts of a [`Memory`] that were checked once, for places that are read or written for every packet.
//!
//! Only [`Memory::header_view`] and [`Memory::array`] create them, after the check that everything here rests on (R2).
//! Other safe code cannot: their fields are private to this module.
#![expect(unsafe_code, reason = "raw access to shared memory that has been checked before")]

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::memory::Memory;

/// Part of a [`Memory`] whose fields are read at places known to the compiler, so that no read
/// has to be checked any more.
#[derive(Clone, Copy)]
pub struct HeaderView<'a, const N: usize> {
    base: NonNull<u8>,
    memory: PhantomData<&'a Memory>,
}

macro_rules! fields {
    ($($get:ident: $t:ty;)+) => {$(
        /// Copies the native-endian value at byte `AT` out.
        #[inline(always)]
        pub fn $get<const AT: usize>(self) -> $t {
            const { assert!(AT + size_of::<$t>() <= N && AT.is_multiple_of(size_of::<$t>())) };
            // SAFETY: R2. In bounds and aligned: checked above by the compiler and, for the header_view
            // itself, by header_view(). Volatile, so that the compiler reads exactly once.
            unsafe { self.base.add(AT).cast::<$t>().read_volatile() }
        }
    )+};
}

impl<const N: usize> HeaderView<'_, N> {
    /// # Safety
    ///
    /// `N` bytes at `base`, which is aligned to 8, lie in a [`Memory`] that stays borrowed for the header_view's
    /// lifetime (R2).
    #[inline(always)]
    pub(super) unsafe fn new(base: NonNull<u8>) -> Self {
        Self { base, memory: PhantomData }
    }

    fields! {
        u8: u8;
        u16: u16;
        u32: u32;
    }

    /// Copies the 8 bytes at byte `AT` out, whatever their alignment.
    #[inline(always)]
    pub fn bytes8<const AT: usize>(self) -> [u8; 8] {
        const { assert!(AT + 8 <= N) };
        // SAFETY: R2. In bounds, as above; [u8; 8] has no alignment.
        unsafe { self.base.add(AT).cast::<[u8; 8]>().read_volatile() }
    }
}

/// Part of a [`Memory`] that is read and written as an array.
#[derive(Clone, Copy)]
pub struct VolatileArray<'a, T> {
    base: NonNull<T>,
    count: usize,
    memory: PhantomData<&'a Memory>,
}

impl<T: Copy> VolatileArray<'_, T> {
    /// # Safety
    ///
    /// `count` values at `base`, which is aligned, lie in a [`Memory`] that stays borrowed for the array's lifetime
    /// (R2).
    #[inline(always)]
    pub(super) unsafe fn new(base: NonNull<T>, count: usize) -> Self {
        Self { base, count, memory: PhantomData }
    }

    /// Writes value `index`; nothing outside the array.
    #[inline(always)]
    pub fn set(self, index: u32, value: T) {
        if (index as usize) < self.count {
            // SAFETY: R2. In bounds, here and in array(), and aligned.
            unsafe { self.base.add(index as usize).write(value) };
        }
    }
}

impl VolatileArray<'_, u32> {
    /// Copies value `index` out; `None` outside the array.
    #[inline(always)]
    pub fn get(self, index: u32) -> Option<u32> {
        // SAFETY: R2. In bounds, here and in array(), and aligned; volatile, so that the compiler reads exactly once.
        ((index as usize) < self.count).then(|| unsafe { self.base.add(index as usize).read_volatile() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_lanes_are_checked_when_they_are_made() {
        let memory = Memory::zeroed(32);
        assert!(memory.header_view::<32>(0).is_some());
        assert!(memory.header_view::<32>(8).is_none());
        assert!(memory.header_view::<8>(4).is_none(), "unaligned");
        assert!(memory.header_view::<8>(usize::MAX - 7).is_none());
        assert!(memory.array::<u32>(0, 9).is_none());
        assert!(memory.array::<u32>(2, 1).is_none(), "unaligned");
        assert!(memory.array::<u32>(0, usize::MAX).is_none());
        let array = memory.array::<u32>(16, 4).unwrap();
        array.set(3, 7);
        array.set(4, 8);
        assert_eq!(memory.u32(28), Some(7));
        assert_eq!(array.get(3), Some(7));
        assert_eq!(array.get(4), None);
        assert_eq!(array.get(u32::MAX), None);
        assert_eq!(memory.header_view::<32>(0).unwrap().u32::<28>(), 7);
    }
}
