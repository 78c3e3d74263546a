//! Slots of a sink that JavaScript fills, and what it does with a sink.

use std::cell::RefCell;
use std::rc::Rc;

use napi::Env;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::ring::SlotToken;
use netring::sink::{Flushed, Sink, TxStats};
use netring::{Error as CoreError, ErrorKind};

use crate::array::JsArray;
use crate::error::{closed, released, to_js};
use crate::options::milliseconds;
use crate::shared::Shared;
use crate::view::{DetachOutcome, Quarantined, View};

#[napi(object)]
pub struct NativeTxStats {
    pub sent: f64,
    pub rejected: f64,
    pub pending: f64,
    pub bytes: f64,
}

impl From<TxStats> for NativeTxStats {
    fn from(from: TxStats) -> Self {
        Self {
            sent: from.sent as f64,
            rejected: from.rejected as f64,
            pending: from.pending as f64,
            bytes: from.bytes as f64,
        }
    }
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
struct HeldSlot {
    token: SlotToken,
    view: Option<View>,
}

/// Every slot that JavaScript holds, by number, and those that it gave back while bytes of theirs could still be reached.
struct HeldSlots {
    held: Vec<Option<HeldSlot>>,
    quarantined: Vec<(u32, Quarantined)>,
}

impl HeldSlots {
    /// Gives back the quarantined slots whose finalizers have run.
    fn sweep(&mut self, sink: &mut impl Sink) {
        for (slot, _) in self.quarantined.extract_if(.., |(_, quarantined)| quarantined.is_unreachable()) {
            sink.reclaim(slot);
        }
    }

    fn add(&mut self, token: SlotToken) -> u32 {
        let slot = token.index();
        if self.held.len() <= slot as usize {
            self.held.resize_with(slot as usize + 1, || None);
        }
        self.held[slot as usize] = Some(HeldSlot { token, view: None });
        slot
    }

    /// Takes a slot back from JavaScript: its view is empty from now on.
    fn take(&mut self, sink: &mut impl Sink, slot: u32) -> Result<SlotToken> {
        let held = self.held.get_mut(slot as usize).and_then(Option::take).ok_or_else(|| released("slot"))?;
        match held.view.map(View::end) {
            Some(Ok(DetachOutcome::Later(quarantined))) => {
                sink.quarantine(slot);
                self.quarantined.push((slot, quarantined));
            }
            Some(Err(error)) => {
                // Nobody knows what can still be seen of it, so it is never used again.
                sink.quarantine(slot);
                self.quarantined.push((slot, Quarantined::never()));
                sink.discard(held.token);
                return Err(error);
            }
            Some(Ok(DetachOutcome::Now)) | None => {}
        }
        Ok(held.token)
    }
}

impl Drop for HeldSlots {
    fn drop(&mut self) {
        for held in self.held.iter_mut().filter_map(Option::take) {
            // Nobody is left to be told; the mapping's owner is in the finalizer anyway (V2).
            let _ = held.view.map(View::end);
        }
    }
}

/// A sink whose slots are lent to JavaScript, until it is closed.
pub(crate) struct Slots<S> {
    name: &'static str,
    inner: Option<(Rc<RefCell<HeldSlots>>, Shared<S>)>,
}

impl<S: Sink + 'static> Slots<S> {
    /// `name` is what errors call the sink.
    pub(crate) fn new(name: &'static str, sink: Shared<S>) -> Self {
        let held = HeldSlots { held: Vec::new(), quarantined: Vec::new() };
        Self { name, inner: Some((Rc::new(RefCell::new(held)), sink)) }
    }

    fn inner(&self) -> Result<(std::cell::RefMut<'_, HeldSlots>, std::cell::RefMut<'_, S>)> {
        let (held, sink) = self.inner.as_ref().ok_or_else(|| closed(self.name))?;
        let (mut held, mut sink) = (held.borrow_mut(), sink.borrow_mut());
        held.sweep(&mut *sink);
        Ok((held, sink))
    }

    /// Calls the sink itself.
    pub(crate) fn with<T>(&self, call: impl FnOnce(&mut S) -> netring::Result<T>) -> Result<T> {
        call(&mut self.inner()?.1).map_err(to_js)
    }

    /// A free slot's number, or -1.
    pub(crate) fn allocate(&self) -> Result<i32> {
        let (mut held, mut sink) = self.inner()?;
        Ok(sink.allocate().map_err(to_js)?.map_or(-1, |token| held.add(token) as i32))
    }

    /// All bytes of a slot.
    pub(crate) fn bytes<'env>(&self, env: &'env Env, slot: u32) -> Result<Unknown<'env>> {
        let (mut held, sink) = self.inner()?;
        let memory = match held.held.get(slot as usize) {
            Some(Some(HeldSlot { token, view: None })) => sink.slot_bytes(token).map_err(to_js)?,
            _ => return Err(released("slot")),
        };
        drop(sink);
        let weak = self.inner.as_ref().map(|(held, sink)| (Rc::downgrade(held), Rc::downgrade(sink)));
        let (view, value) = View::create(env, memory, move || {
            // Whoever is at work on them just now sweeps the next time.
            if let Some((held, sink)) = weak.as_ref().and_then(|(held, sink)| held.upgrade().zip(sink.upgrade()))
                && let (Ok(mut held), Ok(mut sink)) = (held.try_borrow_mut(), sink.try_borrow_mut())
            {
                held.sweep(&mut *sink);
            }
        })?;
        if let Some(Some(held)) = held.held.get_mut(slot as usize) {
            held.view = Some(view);
        }
        Ok(value)
    }

    pub(crate) fn queue(&self, slot: u32, length: u32) -> Result<()> {
        let (mut held, mut sink) = self.inner()?;
        // Refused before the slot is taken: it can be mended and sent.
        sink.check(length as usize).map_err(to_js)?;
        let token = held.take(&mut *sink, slot)?;
        sink.queue(token, length).map_err(to_js)
    }

    pub(crate) fn discard(&self, slot: u32) -> Result<()> {
        let (mut held, mut sink) = self.inner()?;
        let token = held.take(&mut *sink, slot)?;
        sink.discard(token);
        Ok(())
    }

    /// How many were queued: as many as there are slots for, or none where one of them cannot be
    /// sent; the error counts from `first`.
    ///
    /// Looking at an element of an array can run JavaScript (a getter), which may free the bytes
    /// of another: so each frame is copied before the next one is looked at, and nothing is
    /// borrowed meanwhile.
    pub(crate) fn send_many(&self, frames: &Array<'_>, first: u32) -> Result<u32> {
        let mut queued = 0;
        for index in 0..frames.len() {
            match self.send_element(frames, index, first) {
                Ok(true) => queued += 1,
                Ok(false) => break,
                Err(error) => {
                    self.inner()?.1.cancel(queued);
                    return Err(error);
                }
            }
        }
        Ok(queued as u32)
    }

    fn send_element(&self, frames: &Array<'_>, index: u32, first: u32) -> Result<bool> {
        let Some(frame) = frames.get::<JsArray<u8>>(index)? else { return Ok(false) };
        self.inner()?.1.send(frame.bytes()).map_err(|error| at(first as usize + index as usize, error))
    }

    /// As [`send_many`](Self::send_many), for frames that lie `stride` bytes apart.
    pub(crate) fn send_strided(&self, bytes: &JsArray<u8>, lengths: &JsArray<u32>, stride: u32) -> Result<u32> {
        let (_loans, mut sink) = self.inner()?;
        // What was checked is what is used: another thread may write them, if they are shared.
        let lengths = lengths.copy(sink.available().map_err(to_js)? as usize);
        let bytes = bytes.bytes();
        let frame = |index: usize| bytes.slice(index * stride as usize, lengths[index] as usize);
        for (index, length) in lengths.iter().enumerate() {
            sink.check(*length as usize).map_err(|error| at(index, error))?;
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
            if !sink.send(frame).map_err(to_js)? {
                break;
            }
            queued += 1;
        }
        Ok(queued)
    }

    pub(crate) fn flush(&self) -> Result<NativeFlush> {
        let (_loans, mut sink) = self.inner()?;
        let (taken, end) = sink.flush().map_err(to_js)?;
        let end = match end {
            Flushed::Everything => "everything",
            Flushed::BufferFull => "bufferFull",
            Flushed::QueueFull => "queueFull",
        };
        Ok(NativeFlush { taken, rejected: sink.unreported_rejections() as u32, end })
    }

    /// Errors of the frames that were refused since the last call, as texts for src/errors.ts.
    pub(crate) fn take_rejections(&self) -> Result<Vec<String>> {
        Ok(self.inner()?.1.take_rejections().into_iter().map(|error| to_js(error).reason).collect())
    }

    pub(crate) fn wait_drained(&self, timeout_ms: f64) -> Result<bool> {
        self.with(|sink| sink.wait_drained(milliseconds(timeout_ms)))
    }

    /// Ends every view. Closing twice is harmless.
    pub(crate) fn close(&mut self) {
        self.inner = None;
    }
}

impl<S> Drop for Slots<S> {
    /// Views end before the memory does (V1), whoever else still has the sink.
    fn drop(&mut self) {
        self.inner = None;
    }
}

fn at(index: usize, mut error: CoreError) -> napi::Error {
    error.message = format!("frame {index}: {}", error.message);
    to_js(error)
}
