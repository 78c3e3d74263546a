//! External ArrayBuffers over memory of the core, and their end.
//!
//! A view is detached before its memory is used for anything else, which makes every Buffer and
//! typed array over it empty (V1). Where detaching fails, because `transfer()` moved the
//! bytes to another ArrayBuffer or the collector took the object first, the memory waits for the
//! finalizer, which runs when nothing in JavaScript refers to the bytes any more (V2). The
//! finalizer owns the memory's mapping, so no address a view can reach is ever unmapped (R4); when the
//! environment ends before that, the memory stays mapped for good (V3).
#![expect(unsafe_code, reason = "external ArrayBuffers, references, finalizers")]

use std::cell::{Cell, RefCell};
use std::ffi::c_void;
use std::ptr;
use std::rc::Rc;

use napi::bindgen_prelude::*;
use napi::{Env, check_status, sys};
use netring::ring::Memory;

/// An ArrayBuffer that JavaScript may still hold.
pub(crate) struct View {
    env: sys::napi_env,
    reference: sys::napi_ref,
    shown: Rc<Shown>,
}

/// What is known of an ArrayBuffer's bytes, and what keeps them mapped.
struct Shown {
    state: Cell<State>,
    /// Until nothing refers to the bytes (R4).
    memory: RefCell<Option<Memory>>,
}

/// The state of an ArrayBuffer's bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Something may refer to them.
    Live,
    /// It was detached: nothing refers to them.
    Detached,
    /// Its finalizer has run, with the same meaning.
    Finalized,
}

/// The result of ending a view.
pub(crate) enum DetachOutcome {
    /// No address in its memory can be reached from JavaScript.
    Now,
    /// Some may be, until the finalizer has run.
    Later(Quarantined),
}

/// Reports when no code can reach a view's bytes any more.
pub(crate) struct Quarantined(Option<Rc<Shown>>);

impl Quarantined {
    /// Bytes that count as reachable for ever.
    pub(crate) fn never() -> Self {
        Self(None)
    }

    /// Whether the bytes are unreachable now.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.0.as_ref().is_some_and(|shown| shown.state.get() == State::Finalized)
    }
}

/// The data that the finalizer owns.
struct Finalizer {
    shown: Rc<Shown>,
    then: Box<dyn FnOnce()>,
}

unsafe extern "C" fn finalize(env: sys::napi_env, _data: *mut c_void, hint: *mut c_void) {
    // SAFETY: V2. `hint` is the Box that create() leaked; Node-API runs a finalizer once.
    let Finalizer { shown, then } = *unsafe { Box::from_raw(hint.cast::<Finalizer>()) };
    if shown.state.get() == State::Live && !is_running(env) {
        // The environment ends, and Node-API finalizes everything, even in use: bytes that
        // transfer() moved may have been posted to another thread. They stay mapped for good (V3).
        std::mem::forget(shown);
        return;
    }
    shown.memory.take();
    shown.state.set(State::Finalized);
    then();
}

/// Whether the environment can still run JavaScript. Node-API says so only in passing: every call that
/// could run some fails once it cannot (NAPI_PREAMBLE in node's js_native_api_v8.h).
fn is_running(env: sys::napi_env) -> bool {
    let (mut undefined, mut bool) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: V2. Called by a finalizer, on the env's thread, in a handle scope of Node-API's.
    unsafe {
        sys::napi_get_undefined(env, &raw mut undefined) == sys::Status::napi_ok
            && sys::napi_coerce_to_bool(env, undefined, &raw mut bool) == sys::Status::napi_ok
    }
}

impl View {
    /// An ArrayBuffer over `memory`. `then` runs on this thread, on a later tick, once nothing
    /// refers to the bytes.
    pub(crate) fn create<'env>(
        env: &'env Env,
        memory: Memory,
        then: impl FnOnce() + 'static,
    ) -> Result<(Self, Unknown<'env>)> {
        let raw = env.raw();
        let (data, len) = (memory.as_ptr(), memory.len());
        let shown = Rc::new(Shown { state: Cell::new(State::Live), memory: RefCell::new(Some(memory)) });
        let finalizer = Finalizer { shown: Rc::clone(&shown), then: Box::new(then) };
        let hint = Box::into_raw(Box::new(finalizer));
        let mut value = ptr::null_mut();
        // SAFETY: V2. `data` stays valid for `len` bytes until finalize() drops its owner; no Rust
        // reference into it exists (R1).
        let status = unsafe {
            sys::napi_create_external_arraybuffer(raw, data.cast(), len, Some(finalize), hint.cast(), &raw mut value)
        };
        if status != sys::Status::napi_ok {
            // SAFETY: the call failed, so the finalizer will not run and the Box is still ours.
            let mut refused = unsafe { Box::from_raw(hint) };
            refused.then = Box::new(|| ());
            drop(refused);
            if status == sys::Status::napi_no_external_buffers_allowed {
                return Err(crate::error::to_js(netring::Error::new(
                    netring::ErrorKind::Unsupported,
                    "this runtime forbids external buffers (Electron does): views onto the ring are impossible here; use Node.js",
                )));
            }
            check_status!(status, "cannot create a view")?;
        }
        let mut reference = ptr::null_mut();
        // SAFETY: `value` was just made in the current scope. A count of 0 makes it weak.
        check_status!(unsafe { sys::napi_create_reference(raw, value, 0, &raw mut reference) })?;
        // SAFETY: as above.
        let unknown = unsafe { Unknown::from_raw_unchecked(raw, value) };
        Ok((Self { env: raw, reference, shown }, unknown))
    }

    /// Detaches the ArrayBuffer if it can still be found.
    pub(crate) fn end(self) -> Result<DetachOutcome> {
        if self.shown.state.get() == State::Finalized {
            return Ok(DetachOutcome::Now);
        }
        let mut value = ptr::null_mut();
        // SAFETY: the reference lives until Drop, and this runs on the env's thread.
        check_status!(unsafe { sys::napi_get_reference_value(self.env, self.reference, &raw mut value) })?;
        let mut detached = true;
        if !value.is_null() {
            // SAFETY: `value` is the ArrayBuffer that create() made.
            check_status!(unsafe { sys::napi_is_detached_arraybuffer(self.env, value, &raw mut detached) })?;
        }
        if detached {
            // Collected, or moved elsewhere by transfer(): only the finalizer knows.
            return Ok(DetachOutcome::Later(Quarantined(Some(Rc::clone(&self.shown)))));
        }
        // SAFETY: V1. `value` is an ArrayBuffer that is not detached.
        check_status!(unsafe { sys::napi_detach_arraybuffer(self.env, value) })?;
        self.shown.state.set(State::Detached);
        // Nothing refers to the bytes, so their memory need not wait for the finalizer, which runs on a later tick.
        self.shown.memory.take();
        Ok(DetachOutcome::Now)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: made by create(), deleted once, on the env's thread. While the env is torn down
        // Node-API may refuse, and has then freed it itself.
        let _ = unsafe { sys::napi_delete_reference(self.env, self.reference) };
    }
}
