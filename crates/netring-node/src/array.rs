//! Typed arrays as arguments, without a Rust reference to their memory.
//!
//! `&[u8]` would promise that the bytes do not change. Another thread can write a SharedArrayBuffer at any moment, so
//! these functions copy through raw pointers instead.
#![expect(unsafe_code, reason = "addresses of typed arrays")]

use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi::{check_status, sys};
use netring::ring::{Memory, VolatileSlice};

/// Element types.
pub trait Element: Copy {
    /// The type of its arrays.
    const TYPE: sys::napi_typedarray_type;
    /// That type's name.
    const NAME: &'static str;
}

impl Element for u8 {
    const TYPE: sys::napi_typedarray_type = sys::TypedarrayType::uint8_array;
    const NAME: &'static str = "Uint8Array";
}

impl Element for u32 {
    const TYPE: sys::napi_typedarray_type = sys::TypedarrayType::uint32_array;
    const NAME: &'static str = "Uint32Array";
}

/// A typed array, as it was when the native function was called or the array was read: valid
/// until JavaScript runs again.
pub struct JsArray<T> {
    base: NonNull<T>,
    len: usize,
    /// Neither Send nor Sync: it means something on JavaScript's thread only.
    thread: PhantomData<*const T>,
}

impl<T: Element> FromNapiValue for JsArray<T> {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> Result<Self> {
        let (mut kind, mut len, mut data) = (-1, 0, ptr::null_mut());
        let unwanted = ptr::null_mut();
        // SAFETY: `env` and `value` come from Node-API; the three places are live, and it accepts
        // null for what is not wanted.
        let status = unsafe {
            sys::napi_get_typedarray_info(
                env,
                value,
                &raw mut kind,
                &raw mut len,
                &raw mut data,
                unwanted,
                unwanted.cast(),
            )
        };
        check_status!(status, "expected a {}", T::NAME)?;
        if kind != T::TYPE {
            return Err(Error::new(Status::InvalidArg, format!("expected a {}", T::NAME)));
        }
        // The address of a detached or empty array may be null.
        let base = NonNull::new(data.cast()).unwrap_or(NonNull::dangling());
        Ok(Self { base, len, thread: PhantomData })
    }
}

impl JsArray<u8> {
    /// The bytes, for copying.
    pub(crate) fn bytes(&self) -> VolatileSlice<'_> {
        // SAFETY: R5. The array is an argument or element of the call under way, in which
        // JavaScript does not run before the bytes have been copied.
        unsafe { VolatileSlice::new(self.base, self.len) }
    }

    /// Lets the core read and write the bytes for the length of one call.
    pub(crate) fn with_memory<T>(&self, call: impl FnOnce(&Memory) -> T) -> T {
        // SAFETY: R5. As bytes(); what `call` gets does not outlive it, because the core keeps no memory that it parses
        // or copies into.
        let memory = unsafe { Memory::new(self.base, self.len, Arc::new(())) };
        call(&memory)
    }
}

impl<T: Element> JsArray<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// An element as it is now; `None` outside the array.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<T> {
        // SAFETY: R5. In bounds, and aligned as typed arrays are; volatile, as another thread may write it.
        (index < self.len).then(|| unsafe { self.base.add(index).read_volatile() })
    }

    /// Writes an element; outside the array nothing.
    #[inline]
    pub(crate) fn set(&mut self, index: usize, value: T) {
        if index < self.len {
            // SAFETY: R5. As get().
            unsafe { self.base.add(index).write_volatile(value) };
        }
    }

    /// A copy of the first elements, at most `most`.
    pub(crate) fn copy(&self, most: usize) -> Vec<T> {
        let len = self.len.min(most);
        let mut copy = Vec::with_capacity(len);
        // SAFETY: R5. `len` elements are there, typed arrays are aligned to their elements, and the
        // Vec has room for as many.
        unsafe {
            ptr::copy_nonoverlapping(self.base.as_ptr(), copy.as_mut_ptr(), len);
            copy.set_len(len);
        }
        copy
    }
}
