//! The class behind Injector.

use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::injector::Injector;
use netring::readiness::Watch;
use netring::sink::Sink;
use netring::{Error as CoreError, ErrorKind};

use crate::array::JsArray;
use crate::callback::{JsCallback, Message};
use crate::error::to_js;
use crate::options::NativeInjectorOptions;
use crate::shared::share;
use crate::slots::{NativeFlush, NativeTxStats, Slots};

#[napi]
pub struct NativeInjector {
    slots: Slots<Injector>,
    signal: Option<JsCallback>,
    /// For who waits for room.
    edges: Option<Watch>,
}

#[napi]
impl NativeInjector {
    #[napi(factory)]
    pub fn open(interface: String, options: NativeInjectorOptions) -> Result<Self> {
        let injector = Injector::open(&interface, &options.into()).map_err(to_js)?;
        Ok(Self { slots: Slots::new("injector", share(injector)), signal: None, edges: None })
    }

    #[napi]
    pub fn fd(&self) -> Result<i32> {
        self.slots.with(|injector| Ok(injector.fd()))
    }

    #[napi]
    pub fn available(&self) -> Result<u32> {
        self.slots.with(Injector::available)
    }

    /// A free slot's number, or -1.
    #[napi]
    pub fn allocate(&self) -> Result<i32> {
        self.slots.allocate()
    }

    /// All bytes of a slot.
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn slot_bytes<'env>(&self, env: &'env Env, slot: u32) -> Result<Unknown<'env>> {
        self.slots.bytes(env, slot)
    }

    #[napi]
    pub fn queue(&self, slot: u32, length: u32) -> Result<()> {
        self.slots.queue(slot, length)
    }

    #[napi]
    pub fn discard(&self, slot: u32) -> Result<()> {
        self.slots.discard(slot)
    }

    /// False when no slot is free.
    #[napi]
    pub fn send(&self, #[napi(ts_arg_type = "Uint8Array")] frame: JsArray<u8>) -> Result<bool> {
        self.slots.with(|injector| injector.send(frame.bytes()))
    }

    /// How many were queued: as many as there are slots for, or none where one of them cannot be
    /// sent; the error counts from `first`.
    #[napi]
    pub fn send_many(&self, frames: Array<'_>, first: u32) -> Result<u32> {
        self.slots.send_many(&frames, first)
    }

    /// As sendMany, for frames that lie `stride` bytes apart.
    #[napi]
    pub fn send_strided(
        &self,
        #[napi(ts_arg_type = "Uint8Array")] bytes: JsArray<u8>,
        #[napi(ts_arg_type = "Uint32Array")] lengths: JsArray<u32>,
        stride: u32,
    ) -> Result<u32> {
        self.slots.send_strided(&bytes, &lengths, stride)
    }

    #[napi]
    pub fn flush(&self) -> Result<NativeFlush> {
        self.slots.flush()
    }

    /// Errors of the frames that were refused since the last call, as texts for src/errors.ts.
    #[napi]
    pub fn take_rejections(&self) -> Result<Vec<String>> {
        self.slots.take_rejections()
    }

    #[napi]
    pub fn tx_stats(&self) -> Result<NativeTxStats> {
        self.slots.with(Injector::tx_stats).map(Into::into)
    }

    #[napi]
    pub fn wait_drained(&self, timeout_ms: f64) -> Result<bool> {
        self.slots.wait_drained(timeout_ms)
    }

    /// The waker is called once the send buffer has room.
    #[napi]
    pub fn wait_writable(&mut self, waker: Function<'_, u32, ()>) -> Result<()> {
        let readiness = self.slots.with(|injector| Ok(Arc::clone(injector.room())))?;
        let failed =
            |error| to_js(CoreError::os(ErrorKind::Io, "epoll_wait", &error, "cannot wait on the packet socket"));
        if self.edges.is_none() {
            let wake = JsCallback::in_place(&mut self.signal, &waker)?.sender();
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
        self.slots.close();
        Ok(())
    }
}
