//! Calls from the core's I/O thread into JavaScript.
#![expect(unsafe_code, reason = "napi_ref_threadsafe_function has no safe counterpart behind an Arc")]

use std::sync::Arc;

use napi::bindgen_prelude::*;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, check_status, sys};
use netring::link::LinkEvent;

/// Messages to JavaScript.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Message {
    /// Poll the ring again.
    Wake = 0,
    LinkDown = 1,
    LinkUp = 2,
    Removed = 3,
    /// The link can no longer be watched.
    WatchFailed = 4,
    /// A thread has ended.
    Ended = 5,
}

impl Message {
    pub(crate) const ALL: [Self; 6] =
        [Self::Wake, Self::LinkDown, Self::LinkUp, Self::Removed, Self::WatchFailed, Self::Ended];
}

impl From<std::io::Result<LinkEvent>> for Message {
    fn from(event: std::io::Result<LinkEvent>) -> Self {
        match event {
            Ok(LinkEvent::Down) => Self::LinkDown,
            Ok(LinkEvent::Up) => Self::LinkUp,
            Ok(LinkEvent::Removed) => Self::Removed,
            Err(_) => Self::WatchFailed,
        }
    }
}

/// A JavaScript function that takes a [`Message`].
pub(crate) type Waker<'a> = Function<'a, u32, ()>;

type Callback = ThreadsafeFunction<u32, (), u32, Status, false, true, 0>;

/// A JavaScript function that other threads may call. By itself it does not keep the process
/// alive.
pub(crate) struct JsCallback {
    callback: Arc<Callback>,
    keeps_alive: bool,
}

impl JsCallback {
    pub(crate) fn new(callback: &Function<'_, u32, ()>) -> Result<Self> {
        let callback = callback.build_threadsafe_function::<u32>().weak::<true>().callee_handled::<false>().build()?;
        Ok(Self { callback: Arc::new(callback), keeps_alive: false })
    }

    /// The callback in `place`, created from `callback` if there is none.
    pub(crate) fn in_place<'a>(place: &'a mut Option<Self>, callback: &Function<'_, u32, ()>) -> Result<&'a Self> {
        let signal = match place.take() {
            Some(signal) => signal,
            None => Self::new(callback)?,
        };
        Ok(place.insert(signal))
    }

    /// A sender for another thread. Calls during the teardown of the environment do nothing.
    pub(crate) fn sender(&self) -> impl Fn(Message) + Send + Sync + 'static {
        let callback = Arc::clone(&self.callback);
        move |message| {
            callback.call(message as u32, ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Whether it keeps the process alive.
    pub(crate) fn keep_alive(&mut self, env: &Env, keep: bool) -> Result<()> {
        if self.keeps_alive == keep || self.callback.aborted() {
            return Ok(());
        }
        self.keeps_alive = keep;
        let (env, raw) = (env.raw(), self.callback.raw());
        // SAFETY: the function is not aborted (checked above, on the env's own thread, on which
        // alone it is aborted), so `raw` is live.
        let status = unsafe {
            if keep {
                sys::napi_ref_threadsafe_function(env, raw)
            } else {
                sys::napi_unref_threadsafe_function(env, raw)
            }
        };
        check_status!(status, "cannot ref or unref")
    }
}
