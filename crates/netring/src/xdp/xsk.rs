//! The one user of xsk-rs: a UMEM, and the four rings of each queue over it.
//!
//! xsk-rs holds the frames at their first address. What leaves this module is a second address of
//! the same pages, an alias, which stays mapped as long as a [`Memory`] over it exists:
//! a live Umem would keep its (interface, queue) taken, an alias keeps nothing.
#![expect(unsafe_code, reason = "xsk-rs leaves it to its caller which frame is whose")]

use std::ffi::CString;
use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use xsk_rs::config::{BindFlags, FrameSize, Interface, LibxdpFlags, QueueSize, SocketConfig, UmemConfig};
use xsk_rs::umem::frame::FrameDesc;
use xsk_rs::{CompQueue, FillQueue, RxQueue, Socket, TxQueue, Umem};

use super::frames::Descriptor;
use super::options::{UmemLayout, ZeroCopy};
use super::rings::{Outgoing, RxRings, TxRings};
use crate::ring::Memory;
use crate::sys::map::Mapping;
use crate::sys::xdp;

static LAST_RETIRED: Mutex<Option<Instant>> = Mutex::new(None);

/// How sockets are bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binding {
    pub(super) zero_copy: ZeroCopy,
    pub(super) need_wakeup: bool,
}

/// Frames, shared with the kernel.
#[derive(Debug)]
pub(super) struct Frames {
    umem: Umem,
    descriptors: Arc<[FrameDesc]>,
    bytes: Bytes,
    layout: UmemLayout,
}

/// How the bytes of the frames outlive their UMEM.
#[derive(Debug)]
enum Bytes {
    /// By a second address.
    Alias(Mapping),
    /// Not at all: huge pages have no second address (EINVAL), so the UMEM lives on, and keeps its
    /// queue taken, until no [`Memory`] over it exists.
    Whole(Memory),
}

impl Frames {
    /// Registers the frames with the kernel, in this thread's network namespace.
    pub(super) fn new(layout: UmemLayout, huge_pages: bool) -> io::Result<Self> {
        let size = |count| QueueSize::new(count).expect("a UmemLayout's sizes are powers of two");
        let config = UmemConfig::builder()
            .frame_size(FrameSize::new(layout.frame_size).expect("a UmemLayout's frames are large enough"))
            .fill_queue_size(size(layout.fill_size))
            .comp_queue_size(size(layout.completion_size))
            .build()
            .expect("a UmemLayout's frames have room for the headroom");
        let count = NonZeroU32::new(layout.frame_count).expect("a UmemLayout has frames");
        let (umem, descriptors) = Umem::new(config, count, huge_pages).map_err(|error| os_error(&error))?;
        // SAFETY: frame 0 exists; the slice is empty and only its address is used.
        let first = unsafe { umem.data(&descriptors[0]) }.contents().as_ptr().cast_mut();
        // SAFETY: descriptors count from the start of the UMEM, so this is its start.
        let base = NonNull::new(unsafe { first.sub(descriptors[0].addr()) }).expect("a mapping is not at 0");
        let len = layout.frame_size as usize * layout.frame_count as usize;
        // SAFETY: X2. The UMEM is one shared mapping of that length, and of the references into it
        // that xsk-rs makes (`transmit` below) none is used to read or write; for huge pages it is
        // itself the owner of the bytes (R4).
        let bytes = unsafe {
            if huge_pages {
                Bytes::Whole(Memory::new(base, len, Arc::new(umem.clone())))
            } else {
                Bytes::Alias(Mapping::alias(base, len)?)
            }
        };
        Ok(Self { umem, descriptors: descriptors.into(), bytes, layout })
    }

    /// The bytes of all frames.
    pub(super) fn memory(&self) -> Memory {
        match &self.bytes {
            Bytes::Alias(mapping) => mapping.memory(),
            Bytes::Whole(memory) => memory.clone(),
        }
    }

    /// Binds a socket to one queue of an interface in this thread's network namespace.
    pub(super) fn bind(&self, interface: &str, queue: u32, binding: Binding) -> io::Result<XskQueue> {
        let size = |count| QueueSize::new(count).expect("a UmemLayout's sizes are powers of two");
        let mut flags = match binding.zero_copy {
            ZeroCopy::Auto => BindFlags::empty(),
            ZeroCopy::Require => BindFlags::XDP_ZEROCOPY,
            ZeroCopy::Never => BindFlags::XDP_COPY,
        };
        flags.set(BindFlags::XDP_USE_NEED_WAKEUP, binding.need_wakeup);
        let config = SocketConfig::builder()
            .rx_queue_size(size(self.layout.rx_size))
            .tx_queue_size(size(self.layout.tx_size))
            .libxdp_flags(LibxdpFlags::XSK_LIBXDP_FLAGS_INHIBIT_PROG_LOAD)
            .bind_flags(flags)
            .build();
        let name = CString::new(interface).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
        // SAFETY: X1. Frames are given to each ring by this crate's own tables, and each queue of
        // this UMEM is bound once, so that each socket has a fill and a completion ring of its own.
        let (tx, rx, rings) = unsafe { Socket::new(config, &self.umem, &Interface::new(name), queue) }
            .map_err(|error| os_error(&error))?;
        let (fill, completion) = rings.expect("a queue that is bound once has rings of its own");
        let queue = XskQueue {
            rx,
            tx,
            fill,
            completion,
            umem: self.umem.clone(),
            descriptors: Arc::clone(&self.descriptors),
            scratch: vec![FrameDesc::default(); SCRATCH],
            memory: self.memory(),
            layout: self.layout,
            need_wakeup: binding.need_wakeup,
        };
        xdp::close_on_exec(queue.as_fd())?;
        Ok(queue)
    }

    /// When frames of this process were last freed: a worker of the kernel does the rest, RLIMIT_MEMLOCK's account
    /// included (`xdp_umem_release_deferred`, net/xdp/xdp_umem.c).
    pub(super) fn last_retired() -> Option<Instant> {
        *LAST_RETIRED.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Frees the frames; their sockets are closed by now. Addresses that are still held read
    /// as zeros from now on.
    pub(super) fn retire(self) -> io::Result<()> {
        drop(self.umem);
        *LAST_RETIRED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        match self.bytes {
            Bytes::Alias(mapping) => mapping.retire(),
            Bytes::Whole(_) => Ok(()),
        }
    }
}

/// Descriptors moved at a time.
const SCRATCH: usize = 256;

/// The errno that a failure of libxdp came from.
fn os_error(error: &dyn std::error::Error) -> io::Error {
    let errno = error.source().and_then(|source| source.downcast_ref::<io::Error>()).and_then(io::Error::raw_os_error);
    errno.map_or_else(|| io::Error::other(error.to_string()), io::Error::from_raw_os_error)
}

/// A bound socket and its rings.
#[derive(Debug)]
pub(super) struct XskQueue {
    rx: RxQueue,
    tx: TxQueue,
    fill: FillQueue,
    completion: CompQueue,
    umem: Umem,
    descriptors: Arc<[FrameDesc]>,
    scratch: Vec<FrameDesc>,
    memory: Memory,
    layout: UmemLayout,
    need_wakeup: bool,
}

impl AsFd for XskQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the queues own the socket, which is open as long as any of them lives.
        unsafe { BorrowedFd::borrow_raw(self.rx.fd().as_raw_fd()) }
    }
}

impl RxRings for XskQueue {
    fn receive(&mut self, most: u32, mut each: impl FnMut(Descriptor)) {
        let mut left = most as usize;
        while left > 0 {
            let wanted = left.min(SCRATCH);
            // SAFETY: X1. What comes out is checked against the table of frames before it is used.
            let count = unsafe { self.rx.consume(&mut self.scratch[..wanted]) };
            for frame in &self.scratch[..count] {
                // Each packet comes from another processor's cache. Asked for here they come side by side; the loop
                // that reads them would wait for one after the other. Measured: a fifth of the whole receiver's time.
                self.memory.prefetch(frame.addr(), 0);
                let length = u32::try_from(frame.lengths().data()).unwrap_or(u32::MAX);
                each(Descriptor { address: frame.addr() as u64, length });
            }
            if count < wanted {
                return;
            }
            left -= count;
        }
    }

    fn receive_size(&self) -> u32 {
        self.layout.rx_size
    }

    fn fill_size(&self) -> u32 {
        self.layout.fill_size
    }

    fn waiting(&mut self) -> u32 {
        self.rx.nb_avail_exact()
    }

    fn fill_room(&mut self) -> u32 {
        self.fill.nb_free_exact()
    }

    fn fill(&mut self, frames: impl Iterator<Item = u32>) {
        let mut frames = frames.fuse();
        loop {
            let mut count = 0;
            for (place, frame) in self.scratch.iter_mut().zip(&mut frames) {
                *place = self.descriptors[frame as usize];
                count += 1;
            }
            if count == 0 {
                break;
            }
            // SAFETY: X1. The table of frames has just submitted these to the kernel.
            let filled = unsafe { self.fill.produce(&self.scratch[..count]) };
            assert_eq!(filled, count, "the fill ring had room");
        }
        if self.fill.needs_wakeup() {
            // The driver ran out of frames and waits for a wakeup. The link events report an interface that is
            // down or gone.
            let _ = xdp::kick_receive(self.as_fd());
        }
    }
}

impl TxRings for XskQueue {
    fn transmit_room(&mut self) -> u32 {
        self.tx.nb_free_exact()
    }

    fn unsent(&mut self) -> u32 {
        self.layout.tx_size - self.tx.nb_free_exact()
    }

    fn transmit(&mut self, frames: impl Iterator<Item = Outgoing>) {
        let mut frames = frames.fuse();
        loop {
            let mut count = 0;
            for (place, frame) in self.scratch.iter_mut().zip(&mut frames) {
                *place = self.descriptors[frame.frame as usize];
                // SAFETY: X2. The only way that xsk-rs has to set a length. The reference it makes
                // is to a frame that is queued: no view of JavaScript's shows it, and it is not
                // yet the kernel's. Nothing is read or written through it.
                unsafe { self.umem.data_mut(place) }.cursor().set_pos(frame.length as usize);
                count += 1;
            }
            if count == 0 {
                return;
            }
            // SAFETY: X1. These slots have just been submitted to the kernel.
            let sent = unsafe { self.tx.produce(&self.scratch[..count]) };
            assert_eq!(sent, count, "the transmit ring had room");
        }
    }

    fn needs_kick(&self) -> bool {
        // Without XDP_USE_NEED_WAKEUP the kernel never sets the flag, and copy mode always needs a wakeup.
        !self.need_wakeup || self.tx.needs_wakeup()
    }

    fn kick(&mut self) -> io::Result<()> {
        xdp::kick_transmit(self.as_fd())
    }

    fn completed(&mut self, addresses: &mut Vec<u64>) {
        loop {
            // SAFETY: X1. What comes out is checked against the submitted slots.
            let count = unsafe { self.completion.consume(&mut self.scratch) };
            addresses.extend(self.scratch[..count].iter().map(|frame| frame.addr() as u64));
            if count < self.scratch.len() {
                return;
            }
        }
    }
}
