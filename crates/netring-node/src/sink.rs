//! The class behind every sink of frames, and the slots that JavaScript fills.

use std::cell::RefMut;
use std::rc::Rc;
use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::injector::Injector;
use netring::readiness::Watch;
use netring::ring::SlotToken;
use netring::sink::{Flushed, Sink, TxStats};
use netring::{Error as CoreError, ErrorKind};

use crate::array::JsArray;
use crate::callback::{JsCallback, Message};
use crate::erased::{Shared, share};
use crate::error::{closed, released, texts, to_js};
use crate::options::{NativeInjectorOptions, milliseconds};
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

/// Every slot that JavaScript holds, by number, and those that it gave back while their bytes could still be reached.
struct HeldSlots {
    held: Vec<Option<HeldSlot>>,
    quarantined: Vec<(u32, Quarantined)>,
}

impl HeldSlots {
    /// Gives back the quarantined slots whose finalizers have run.
    fn sweep(&mut self, sink: &mut dyn Sink) {
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
    fn take(&mut self, sink: &mut dyn Sink, slot: u32) -> Result<SlotToken> {
        let held = self.held.get_mut(slot as usize).and_then(Option::take).ok_or_else(|| released("slot"))?;
        match held.view.map(View::end) {
            Some(Ok(DetachOutcome::Later(quarantined))) => {
                sink.quarantine(slot);
                self.quarantined.push((slot, quarantined));
            }
            Some(Err(error)) => {
                // It is not known what can still be seen of it, so it is never used again.
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
            // There is no caller left to be told; the mapping's owner is in the finalizer anyway (V2).
            let _ = held.view.map(View::end);
        }
    }
}

/// What an open sink is made of.
struct Open {
    // Views end before the memory does (V1), whoever else shares the sink.
    held: Shared<HeldSlots>,
    sink: Shared<dyn Sink>,
}

/// A sink of frames, until it is closed.
#[napi]
pub struct NativeSink {
    name: &'static str,
    // Dropped in this order: nothing is called about a sink that is gone.
    /// For a reader that waits for room.
    room: Option<Watch>,
    callback: Option<JsCallback>,
    open: Option<Open>,
    fd: i32,
    frame_capacity: u32,
    frame_count: u32,
}

impl NativeSink {
    /// `name` is what errors call the sink.
    pub(crate) fn of(
        name: &'static str,
        sink: Shared<dyn Sink>,
        fd: i32,
        frame_capacity: u32,
        frame_count: u32,
    ) -> Self {
        let held = share(HeldSlots { held: Vec::new(), quarantined: Vec::new() });
        let open = Some(Open { held, sink });
        Self { name, room: None, callback: None, open, fd, frame_capacity, frame_count }
    }

    fn open(&self) -> Result<(RefMut<'_, HeldSlots>, RefMut<'_, dyn Sink + 'static>)> {
        let Open { held, sink } = self.open.as_ref().ok_or_else(|| closed(self.name))?;
        let (mut held, mut sink) = (held.borrow_mut(), sink.borrow_mut());
        held.sweep(&mut *sink);
        Ok((held, sink))
    }

    fn send_element(&self, frames: &Array<'_>, index: u32, first: u32) -> Result<bool> {
        let Some(frame) = frames.get::<JsArray<u8>>(index)? else { return Ok(false) };
        self.open()?.1.send(frame.bytes()).map_err(|error| at(first as usize + index as usize, error))
    }
}

/// Opens an interface for sending.
#[napi]
pub fn native_open_injector(interface: String, options: NativeInjectorOptions) -> Result<NativeSink> {
    let (capacity, count) = (options.frame_size, options.frame_count);
    let injector = Injector::open(&interface, &options.into()).map_err(to_js)?;
    let fd = injector.fd();
    Ok(NativeSink::of("injector", share(injector), fd, capacity, count))
}

#[napi]
impl NativeSink {
    /// The descriptor of its socket, owned by the sink.
    #[napi]
    pub fn fd(&self) -> i32 {
        self.fd
    }

    /// Bytes of the largest frame.
    #[napi]
    pub fn frame_capacity(&self) -> u32 {
        self.frame_capacity
    }

    /// Slots.
    #[napi]
    pub fn frame_count(&self) -> u32 {
        self.frame_count
    }

    /// Slots that can be allocated now.
    #[napi]
    pub fn available(&self) -> Result<u32> {
        self.open()?.1.available().map_err(to_js)
    }

    /// A free slot's number, or -1.
    #[napi]
    pub fn allocate(&self) -> Result<i32> {
        let (mut held, mut sink) = self.open()?;
        Ok(sink.allocate().map_err(to_js)?.map_or(-1, |token| held.add(token) as i32))
    }

    /// All bytes of a slot.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn slot_bytes<'env>(&self, env: &'env Env, slot: u32) -> Result<Unknown<'env>> {
        let (mut held, sink) = self.open()?;
        let memory = match held.held.get(slot as usize) {
            Some(Some(HeldSlot { token, view: None })) => sink.slot_bytes(token).map_err(to_js)?,
            _ => return Err(released("slot")),
        };
        drop(sink);
        let weak = self.open.as_ref().map(|open| (Rc::downgrade(&open.held), Rc::downgrade(&open.sink)));
        let (view, value) = View::create(env, memory, move || {
            // Where either is at work just now, the next call sweeps.
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

    /// Queues the first `length` bytes of a slot.
    #[napi]
    pub fn queue(&self, slot: u32, length: u32) -> Result<()> {
        let (mut held, mut sink) = self.open()?;
        // Refused before the slot is taken: it can be mended and sent.
        sink.check(length as usize).map_err(to_js)?;
        let token = held.take(&mut *sink, slot)?;
        sink.queue(token, length).map_err(to_js)
    }

    #[napi]
    pub fn discard(&self, slot: u32) -> Result<()> {
        let (mut held, mut sink) = self.open()?;
        let token = held.take(&mut *sink, slot)?;
        sink.discard(token);
        Ok(())
    }

    /// False when no slot is free.
    #[napi]
    pub fn send(&self, #[napi(ts_arg_type = "Uint8Array")] frame: JsArray<u8>) -> Result<bool> {
        self.open()?.1.send(frame.bytes()).map_err(to_js)
    }

    /// How many were queued: as many as there are slots for, or none where one of them cannot be
    /// sent; the error counts from `first`.
    ///
    /// Looking at an element of an array can run JavaScript (a getter), which may free the bytes
    /// of another: so each frame is copied before the next one is looked at, and nothing is
    /// borrowed meanwhile.
    #[napi]
    pub fn send_many(&self, frames: Array<'_>, first: u32) -> Result<u32> {
        let mut queued = 0;
        for index in 0..frames.len() {
            match self.send_element(&frames, index, first) {
                Ok(true) => queued += 1,
                Ok(false) => break,
                Err(error) => {
                    self.open()?.1.cancel(queued);
                    return Err(error);
                }
            }
        }
        Ok(queued as u32)
    }

    /// As sendMany, for frames that lie `stride` bytes apart.
    #[napi]
    pub fn send_strided(
        &self,
        #[napi(ts_arg_type = "Uint8Array")] bytes: JsArray<u8>,
        #[napi(ts_arg_type = "Uint32Array")] lengths: JsArray<u32>,
        stride: u32,
    ) -> Result<u32> {
        let (_held, mut sink) = self.open()?;
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

    /// Hands what is queued to the kernel; never blocks.
    #[napi]
    pub fn flush(&self) -> Result<NativeFlush> {
        let (_held, mut sink) = self.open()?;
        let (taken, end) = sink.flush().map_err(to_js)?;
        let end = match end {
            Flushed::Everything => "everything",
            Flushed::BufferFull => "bufferFull",
            Flushed::QueueFull => "queueFull",
        };
        Ok(NativeFlush { taken, rejected: sink.unreported_rejections() as u32, end })
    }

    /// Errors of the frames that were refused since the last call, as texts for src/errors/native.ts.
    #[napi]
    pub fn take_rejections(&self) -> Result<Vec<String>> {
        Ok(texts(self.open()?.1.take_rejections()))
    }

    #[napi]
    pub fn tx_stats(&self) -> Result<NativeTxStats> {
        self.open()?.1.tx_stats().map(Into::into).map_err(to_js)
    }

    /// Blocks this thread; false when the time passed first.
    #[napi]
    pub fn wait_drained(&self, timeout_ms: f64) -> Result<bool> {
        self.open()?.1.wait_drained(milliseconds(timeout_ms)).map_err(to_js)
    }

    /// The waker is called once the send buffer has room.
    #[napi]
    pub fn wait_writable(&mut self, waker: Function<'_, u32, ()>) -> Result<()> {
        let readiness = Arc::clone(self.open()?.1.room());
        let failed =
            |error| to_js(CoreError::os(ErrorKind::Io, "epoll_wait", &error, "cannot wait on the packet socket"));
        if self.room.is_none() {
            let wake = JsCallback::in_place(&mut self.callback, &waker)?.sender();
            self.room = Some(readiness.watch(move |_| wake(Message::Wake)).map_err(failed)?);
        }
        self.room.as_ref().inspect(|room| room.arm());
        // Wakes at once if there was room again before it was armed.
        readiness.clear().map_err(failed)?;
        Ok(())
    }

    #[napi]
    pub fn stop_waiting(&mut self) {
        self.room.as_ref().inspect(|room| room.disarm());
    }

    /// Whether a wait keeps the process alive.
    #[napi]
    pub fn keep_alive(&mut self, env: &Env, keep: bool) -> Result<()> {
        self.callback.as_mut().map_or(Ok(()), |callback| callback.keep_alive(env, keep))
    }

    /// Ends every view, then the sink, unless its object is a source, too, that is open. Closing twice is harmless.
    #[napi]
    pub fn close(&mut self) {
        self.room = None;
        self.callback = None;
        self.open = None;
    }
}

fn at(index: usize, mut error: CoreError) -> napi::Error {
    error.message = format!("frame {index}: {}", error.message);
    to_js(error)
}
