//! An injector and the slots of it that JavaScript fills.

use std::cell::RefCell;
use std::rc::Rc;

use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::injector::{Flushed, Injector};
use netring::readiness::Watch;
use netring::ring::SlotToken;
use netring::{Error as CoreError, ErrorKind};

use crate::error::{closed, released, to_js};
use crate::lent::LentArray;
use crate::options::{NativeInjectorOptions, milliseconds};
use crate::signal::{Message, Signal};
use crate::view::{Ended, Unreachable, View};

#[napi(object)]
pub struct NativeTxStats {
    pub sent: f64,
    pub rejected: f64,
    pub pending: f64,
    pub bytes: f64,
}

#[napi(object, object_from_js = false)]
pub struct NativeFlush {
    pub taken: u32,
    /// Refusals that takeRejections() has to tell.
    pub rejected: u32,
    #[napi(ts_type = "'everything' | 'bufferFull' | 'queueFull'")]
    pub end: &'static str,
}

/// A slot that JavaScript holds.
struct Loan {
    token: SlotToken,
    view: Option<View>,
}

struct Inner {
    injector: Injector,
    loans: Vec<Option<Loan>>,
    /// Slots that were given back while bytes of theirs could still be reached.
    withheld: Vec<(u32, Unreachable)>,
}

impl Inner {
    fn sweep(&mut self) {
        for (slot, _) in self.withheld.extract_if(.., |(_, unreachable)| unreachable.proved()) {
            self.injector.reclaim(slot);
        }
    }

    /// Takes a slot back from JavaScript: its view is empty from now on.
    fn take(&mut self, slot: u32) -> Result<SlotToken> {
        let loan = self.loans.get_mut(slot as usize).and_then(Option::take).ok_or_else(|| released("slot"))?;
        match loan.view.map(View::end) {
            Some(Ok(Ended::Later(unreachable))) => {
                self.injector.withhold(slot);
                self.withheld.push((slot, unreachable));
            }
            Some(Err(error)) => {
                // Nobody knows what can still be seen of it, so it is never used again.
                self.injector.withhold(slot);
                self.withheld.push((slot, Unreachable::never()));
                self.injector.discard(loan.token);
                return Err(error);
            }
            Some(Ok(Ended::Now)) | None => {}
        }
        Ok(loan.token)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for loan in self.loans.iter_mut().filter_map(Option::take) {
            // Nobody is left to be told; the mapping's owner is in the finalizer anyway (V2).
            let _ = loan.view.map(View::end);
        }
    }
}

#[napi]
pub struct NativeInjector {
    inner: Option<Rc<RefCell<Inner>>>,
    signal: Option<Signal>,
    /// For who waits for room.
    edges: Option<Watch>,
}

#[napi]
impl NativeInjector {
    #[napi(factory)]
    pub fn open(interface: String, options: NativeInjectorOptions) -> Result<Self> {
        let count = options.frame_count;
        let injector = Injector::open(&interface, &options.into()).map_err(to_js)?;
        let inner = Inner { injector, loans: (0..count).map(|_| None).collect(), withheld: Vec::new() };
        Ok(Self { inner: Some(Rc::new(RefCell::new(inner))), signal: None, edges: None })
    }

    fn inner(&self) -> Result<std::cell::RefMut<'_, Inner>> {
        self.inner.as_ref().map(|inner| inner.borrow_mut()).ok_or_else(|| closed("injector"))
    }

    #[napi]
    pub fn fd(&self) -> Result<i32> {
        Ok(self.inner()?.injector.fd())
    }

    #[napi]
    pub fn available(&self) -> Result<u32> {
        let mut inner = self.inner()?;
        inner.sweep();
        Ok(inner.injector.slots().available())
    }

    /// A free slot's number, or -1.
    #[napi]
    pub fn allocate(&self) -> Result<i32> {
        let mut inner = self.inner()?;
        inner.sweep();
        let Some(token) = inner.injector.allocate() else { return Ok(-1) };
        let slot = token.index();
        inner.loans[slot as usize] = Some(Loan { token, view: None });
        Ok(slot as i32)
    }

    /// All bytes of a slot.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn bytes<'env>(&self, env: &'env Env, slot: u32) -> Result<Unknown<'env>> {
        let weak = self.inner.as_ref().map(Rc::downgrade);
        let mut inner = self.inner()?;
        let memory = match inner.loans.get(slot as usize) {
            Some(Some(Loan { view: None, .. })) => inner.injector.slots().bytes(slot),
            _ => return Err(released("slot")),
        };
        let (view, value) = View::create(env, memory, move || {
            if let Some(inner) = weak.as_ref().and_then(std::rc::Weak::upgrade)
                && let Ok(mut inner) = inner.try_borrow_mut()
            {
                inner.sweep();
            }
        })?;
        if let Some(Some(loan)) = inner.loans.get_mut(slot as usize) {
            loan.view = Some(view);
        }
        Ok(value)
    }

    #[napi]
    pub fn queue(&self, slot: u32, length: u32) -> Result<()> {
        let mut inner = self.inner()?;
        // Refused before the slot is taken: it can be mended and sent.
        inner.injector.check(length as usize).map_err(to_js)?;
        let token = inner.take(slot)?;
        inner.injector.queue(token, length).map_err(to_js)
    }

    #[napi]
    pub fn discard(&self, slot: u32) -> Result<()> {
        let mut inner = self.inner()?;
        let token = inner.take(slot)?;
        inner.injector.discard(token);
        Ok(())
    }

    /// False when no slot is free.
    #[napi]
    pub fn send(&self, #[napi(ts_arg_type = "Uint8Array")] frame: LentArray<u8>) -> Result<bool> {
        let mut inner = self.inner()?;
        inner.sweep();
        inner.injector.send(frame.bytes()).map_err(to_js)
    }

    /// How many were queued: as many as there are slots for, or none where one of them cannot be
    /// sent; the error counts from `first`.
    ///
    /// Looking at an element of an array can run JavaScript (a getter), which may free the bytes
    /// of another: so each frame is copied before the next one is looked at, and nothing is
    /// borrowed meanwhile.
    #[napi]
    pub fn send_many(&self, frames: Array<'_>, first: u32) -> Result<u32> {
        self.inner()?.sweep();
        let mut queued = 0;
        for index in 0..frames.len() {
            match self.send_element(&frames, index, first) {
                Ok(true) => queued += 1,
                Ok(false) => break,
                Err(error) => {
                    self.inner()?.injector.cancel(queued);
                    return Err(error);
                }
            }
        }
        Ok(queued as u32)
    }

    fn send_element(&self, frames: &Array<'_>, index: u32, first: u32) -> Result<bool> {
        let Some(frame) = frames.get::<LentArray<u8>>(index)? else { return Ok(false) };
        self.inner()?.injector.send(frame.bytes()).map_err(|error| at(first as usize + index as usize, error))
    }

    /// As sendMany, for frames that lie `stride` bytes apart.
    #[napi]
    pub fn send_strided(
        &self,
        #[napi(ts_arg_type = "Uint8Array")] bytes: LentArray<u8>,
        #[napi(ts_arg_type = "Uint32Array")] lengths: LentArray<u32>,
        stride: u32,
    ) -> Result<u32> {
        let mut inner = self.inner()?;
        inner.sweep();
        // What was checked is what is used: another thread may write them, if they are shared.
        let lengths = lengths.copy(inner.injector.slots().available() as usize);
        let bytes = bytes.bytes();
        let frame = |index: usize| bytes.slice(index * stride as usize, lengths[index] as usize);
        for (index, length) in lengths.iter().enumerate() {
            inner.injector.check(*length as usize).map_err(|error| at(index, error))?;
            if frame(index).is_none() {
                let message = format!(
                    "frame {index}: {length} bytes at {} (stride {stride}) end behind the buffer of {} bytes",
                    index * stride as usize,
                    bytes.len()
                );
                return Err(to_js(CoreError::new(ErrorKind::Frame, message)));
            }
        }
        let mut queued = 0;
        for frame in (0..lengths.len()).map_while(frame) {
            if !inner.injector.send(frame).map_err(to_js)? {
                break;
            }
            queued += 1;
        }
        Ok(queued)
    }

    #[napi]
    pub fn flush(&self) -> Result<NativeFlush> {
        let mut inner = self.inner()?;
        let (taken, end) = inner.injector.flush().map_err(to_js)?;
        let rejected = inner.injector.untold_rejections() as u32;
        let end = match end {
            Flushed::Everything => "everything",
            Flushed::BufferFull => "bufferFull",
            Flushed::QueueFull => "queueFull",
        };
        Ok(NativeFlush { taken, rejected, end })
    }

    /// Errors of the frames that were refused since the last call, as texts for src/errors.ts.
    #[napi]
    pub fn take_rejections(&self) -> Result<Vec<String>> {
        Ok(self.inner()?.injector.take_rejections().into_iter().map(|error| to_js(error).reason).collect())
    }

    #[napi]
    pub fn stats(&self) -> Result<NativeTxStats> {
        let stats = self.inner()?.injector.stats().map_err(to_js)?;
        Ok(NativeTxStats {
            sent: stats.sent as f64,
            rejected: stats.rejected as f64,
            pending: stats.pending as f64,
            bytes: stats.bytes as f64,
        })
    }

    #[napi]
    pub fn wait_drained(&self, timeout_ms: f64) -> Result<bool> {
        let timeout = milliseconds(timeout_ms);
        self.inner()?.injector.wait_drained(timeout).map_err(to_js)
    }

    /// The waker is called once the send buffer has room.
    #[napi]
    pub fn wait_writable(&mut self, waker: Function<'_, u32, ()>) -> Result<()> {
        let readiness = std::sync::Arc::clone(self.inner()?.injector.readiness());
        let failed =
            |error| to_js(CoreError::os(ErrorKind::Io, "epoll_wait", &error, "cannot wait on the packet socket"));
        if self.signal.is_none() {
            self.signal = Some(Signal::new(&waker)?);
        }
        if self.edges.is_none() {
            let wake = self.signal.as_ref().map(Signal::sender).ok_or_else(|| closed("injector"))?;
            self.edges = Some(readiness.watch(move |_| wake(Message::Wake)).map_err(failed)?);
        }
        self.edges.as_ref().inspect(|edges| edges.arm());
        // Wakes at once if there was room again before it was armed.
        readiness.clear().map_err(failed)?;
        Ok(())
    }

    #[napi]
    pub fn stop_waiting(&mut self) {
        self.edges.as_ref().inspect(|edges| edges.disarm());
    }

    #[napi]
    pub fn keep_alive(&mut self, env: &Env, keep: bool) -> Result<()> {
        self.signal.as_mut().map_or(Ok(()), |signal| signal.keep_alive(env, keep))
    }

    #[napi]
    pub fn close(&mut self) -> Result<()> {
        self.edges = None;
        self.signal = None;
        self.inner = None;
        Ok(())
    }
}

fn at(index: usize, mut error: CoreError) -> napi::Error {
    error.message = format!("frame {index}: {}", error.message);
    to_js(error)
}
