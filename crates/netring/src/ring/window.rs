//! Parts of a [`Memory`] that were checked once, for places that are read or written for every packet.
//!
//! Only [`Memory::window`] and [`Memory::lane`] make them, after the check that everything here rests on (R2). Nobody else
//! can in safe code: their fields are private to this module.
#![expect(unsafe_code, reason = "raw access to shared memory that has been checked before")]

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::memory::Memory;

/// Part of a [`Memory`] whose fields are read at places known to the compiler, so that no read
/// has to be checked any more.
#[derive(Clone, Copy)]
pub struct Window<'a, const N: usize> {
    base: NonNull<u8>,
    memory: PhantomData<&'a Memory>,
}

macro_rules! fields {
    ($($get:ident: $t:ty;)+) => {$(
        /// Copies the native-endian value at byte `AT` out.
        #[inline(always)]
        pub fn $get<const AT: usize>(self) -> $t {
            const { assert!(AT + size_of::<$t>() <= N && AT.is_multiple_of(size_of::<$t>())) };
            // SAFETY: R2. In bounds and aligned: checked above by the compiler and, for the window
            // itself, by window(). Volatile, so that the compiler reads exactly once.
            unsafe { self.base.add(AT).cast::<$t>().read_volatile() }
        }
    )+};
}

impl<const N: usize> Window<'_, N> {
    /// # Safety
    ///
    /// `N` bytes at `base`, which is aligned to 8, lie in a [`Memory`] that stays borrowed for the window's lifetime (R2).
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
pub struct Lane<'a, T> {
    base: NonNull<T>,
    count: usize,
    memory: PhantomData<&'a Memory>,
}

impl<T: Copy> Lane<'_, T> {
    /// # Safety
    ///
    /// `count` values at `base`, which is aligned, lie in a [`Memory`] that stays borrowed for the lane's lifetime (R2).
    #[inline(always)]
    pub(super) unsafe fn new(base: NonNull<T>, count: usize) -> Self {
        Self { base, count, memory: PhantomData }
    }

    /// Writes value `index`; nothing outside the lane.
    #[inline(always)]
    pub fn set(self, index: u32, value: T) {
        if (index as usize) < self.count {
            // SAFETY: R2. In bounds, here and in lane(), and aligned.
            unsafe { self.base.add(index as usize).write(value) };
        }
    }
}

impl Lane<'_, u32> {
    /// Copies value `index` out; `None` outside the lane.
    #[inline(always)]
    pub fn get(self, index: u32) -> Option<u32> {
        // SAFETY: R2. In bounds, here and in lane(), and aligned; volatile, so that the compiler reads exactly once.
        ((index as usize) < self.count).then(|| unsafe { self.base.add(index as usize).read_volatile() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_lanes_are_checked_when_they_are_made() {
        let memory = Memory::zeroed(32);
        assert!(memory.window::<32>(0).is_some());
        assert!(memory.window::<32>(8).is_none());
        assert!(memory.window::<8>(4).is_none(), "unaligned");
        assert!(memory.window::<8>(usize::MAX - 7).is_none());
        assert!(memory.lane::<u32>(0, 9).is_none());
        assert!(memory.lane::<u32>(2, 1).is_none(), "unaligned");
        assert!(memory.lane::<u32>(0, usize::MAX).is_none());
        let lane = memory.lane::<u32>(16, 4).unwrap();
        lane.set(3, 7);
        lane.set(4, 8);
        assert_eq!(memory.u32(28), Some(7));
        assert_eq!(lane.get(3), Some(7));
        assert_eq!(lane.get(4), None);
        assert_eq!(lane.get(u32::MAX), None);
        assert_eq!(memory.window::<32>(0).unwrap().u32::<28>(), 7);
    }
}
