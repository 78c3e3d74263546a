//! The methods that only an AF_PACKET capture has; its batches come from its NativeSource.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::capture::{Capture, StartBarrier};

use crate::erased::{HeldBatches, Shared, share};
use crate::error::{closed, to_js};
use crate::options::{NativeCaptureOptions, NativeFilterOption, NativeProgram};
use crate::source::NativeSource;

/// Its name in errors.
const NAME: &str = "capture";

#[napi(object)]
pub struct NativeRing {
    pub fd: i32,
    pub fanout_id: Option<u32>,
    pub block_size: u32,
    pub block_count: u32,
    pub frame_size: u32,
    pub locked: bool,
}

impl NativeRing {
    pub(crate) fn of(capture: &Capture) -> Self {
        let geometry = capture.geometry();
        Self {
            fd: capture.fd(),
            fanout_id: capture.fanout_id().map(u32::from),
            block_size: geometry.block_size(),
            block_count: geometry.block_count(),
            frame_size: geometry.frame_size(),
            locked: capture.locked(),
        }
    }
}

/// Starts paused captures of any thread. Call start() of each, too.
#[napi]
pub fn native_start_all(ids: Vec<u32>) -> Result<()> {
    netring::capture::start_all(&ids).map_err(to_js)
}

/// Stops captures of any thread that were opened paused, for good.
#[napi]
pub fn native_stop_all(ids: Vec<u32>) -> Result<()> {
    netring::capture::stop_all(&ids).map_err(to_js)
}

/// A capture, until its source is closed.
#[napi]
pub struct NativeCapture {
    capture: Weak<RefCell<Capture>>,
    /// Set if it was opened paused.
    barrier: Option<StartBarrier>,
    /// `Some` until source() takes it.
    source: Option<NativeSource>,
}

#[napi]
impl NativeCapture {
    #[napi(factory)]
    pub fn open(interface: String, options: NativeCaptureOptions) -> Result<Self> {
        let paused = options.paused.unwrap_or(false);
        let (capture, barrier) = if paused {
            let (capture, barrier) = Capture::open_paused(&interface, options.into()).map_err(to_js)?;
            (capture, Some(barrier))
        } else {
            (Capture::open(&interface, options.into()).map_err(to_js)?, None)
        };
        let capture = share(capture);
        let weak = Rc::downgrade(&capture);
        let held = share(HeldBatches::new(NAME, capture, None));
        Ok(Self { capture: weak, barrier, source: Some(NativeSource::live(NAME, held)) })
    }

    /// The capture's batches; callable once.
    #[napi]
    pub fn source(&mut self) -> Result<NativeSource> {
        self.source.take().ok_or_else(|| closed(NAME))
    }

    fn capture(&self) -> Result<Shared<Capture>> {
        self.capture.upgrade().ok_or_else(|| closed(NAME))
    }

    #[napi]
    pub fn ring(&self) -> Result<NativeRing> {
        Ok(NativeRing::of(&self.capture()?.borrow()))
    }

    fn barrier(&mut self) -> Result<&mut StartBarrier> {
        self.barrier
            .as_mut()
            .ok_or_else(|| to_js(netring::Error::new(netring::ErrorKind::Config, "this capture was not opened paused")))
    }

    /// Paused captures: joins its group by this id, or a new group, and returns the id.
    #[napi]
    pub fn join_group(&mut self, id: Option<u16>) -> Result<u32> {
        let capture = self.capture()?;
        self.barrier()?.join_group(&mut capture.borrow_mut(), id).map(u32::from).map_err(to_js)
    }

    /// Paused captures: its id for nativeStartAll() and nativeStopAll().
    #[napi]
    pub fn barrier_id(&self) -> Option<u32> {
        self.barrier.as_ref().map(StartBarrier::id)
    }

    /// Paused captures: starts it with its filter.
    #[napi]
    pub fn start(&mut self) -> Result<()> {
        let capture = self.capture()?;
        self.barrier()?.start(&capture.borrow()).map_err(to_js)
    }

    #[napi]
    pub fn set_filter(&self, filter: Option<NativeFilterOption>) -> Result<()> {
        let (capture, filter) = (self.capture()?, filter.map(Into::into));
        let mut capture = capture.borrow_mut();
        match &self.barrier {
            Some(barrier) => barrier.set_filter(&mut capture, filter),
            None => capture.set_filter(filter),
        }
        .map_err(to_js)
    }

    #[napi]
    pub fn set_fanout_program(&self, program: NativeProgram) -> Result<()> {
        self.capture()?.borrow().set_fanout_program(&program.into()).map_err(to_js)
    }
}
