//! Sending: slots of memory that JavaScript fills, handed to the kernel with sendmmsg(2).
//!
//! PACKET_TX_RING is not used. Measured on veth, sendmmsg is 10-20 % faster than the TX ring at 64
//! and 1400 bytes and equal at 9000 (docs/performance.md), it says of every frame why it was
//! refused, and a slot that is never sent cannot stop it; the TX ring takes slots strictly in
//! order, stops for good at one that was skipped or malformed, and gives no reason.

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

mod in_flight;
mod options;
mod rejection;
mod socket;

use self::in_flight::InFlight;
pub use self::options::{InjectorOptions, OnMalformed};
use self::rejection::Rejections;
pub(crate) use self::rejection::describe as describe_refusal;
pub(crate) use self::socket::SendSocket;
use crate::error::{Error, ErrorKind, Result};
use crate::readiness::Readiness;
use crate::ring::{Memory, SlotRing, SlotToken, VolatileSlice};
use crate::sink::{Flushed, Sink, TxStats};
use crate::sys::map::Mapping;
use crate::sys::send::{BATCH, Sender};
use crate::sys::{deadline_after, page_size};

/// Bytes of an Ethernet header: no shorter frame can be sent on such an interface. With
/// CAP_SYS_RAWIO the kernel would pad one silently (`dev_validate_header`, include/linux/netdevice.h).
const ETHERNET_HEADER: u32 = 14;

/// An injector.
#[derive(Debug)]
pub struct Injector {
    socket: SendSocket,
    slots: SlotRing,
    mapping: Mapping,
    sender: Sender,
    smallest: u32,
    on_malformed: OnMalformed,
    in_flight: InFlight,
    rejections: Rejections,
}

impl Injector {
    /// Opens an interface.
    pub fn open(interface: &str, options: &InjectorOptions) -> Result<Self> {
        Self::set_up(interface, options).map_err(|error| error.on_interface(interface))
    }

    fn set_up(interface: &str, options: &InjectorOptions) -> Result<Self> {
        let socket = SendSocket::open(interface, options, false)?;
        let bytes = options.frame_size as usize * options.frame_count as usize;
        let mapping = Mapping::anonymous(bytes.next_multiple_of(page_size() as usize)).map_err(|error| {
            Error::os(ErrorKind::Mmap, "mmap", &error, format_args!("cannot allocate {bytes} bytes of slots"))
        })?;
        let hardware = socket.hardware_type()?;
        let ethernet = matches!(hardware, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK);
        Ok(Self {
            slots: SlotRing::new(mapping.memory(), options.frame_size, options.frame_count),
            socket,
            mapping,
            sender: Sender::default(),
            smallest: if ethernet { ETHERNET_HEADER } else { 1 },
            on_malformed: options.on_malformed,
            in_flight: InFlight::default(),
            rejections: Rejections::default(),
        })
    }

    /// The socket's descriptor, owned by the injector.
    pub fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Whether the frame at the head would be refused for ever.
    fn is_hopeless(&mut self) -> Result<bool> {
        let charge = self.socket.outstanding_bytes()?;
        Ok(self.rejections.is_hopeless(charge > 0, Instant::now()))
    }

    fn flush_some(&mut self) -> io::Result<u32> {
        let memory = self.slots.memory();
        let sent = self.sender.send(self.socket.as_fd(), memory, self.slots.slot_size(), self.slots.head(BATCH))?;
        self.in_flight.taken(self.slots.head(sent).map(|frame| frame.length));
        self.slots.complete(sent);
        self.rejections.head_moved();
        Ok(sent as u32)
    }

    fn flush_all(&mut self) -> Result<(u32, Flushed)> {
        let mut taken = 0;
        while self.slots.queued() > 0 {
            match self.flush_some() {
                Ok(count) => taken += count,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => {
                        self.socket.watch()?;
                        return self.settle(taken, Flushed::BufferFull);
                    }
                    Some(libc::ENOBUFS | libc::ENOMEM) => {
                        if !self.is_hopeless()? {
                            return self.settle(taken, Flushed::QueueFull);
                        }
                        self.reject(&error)?;
                    }
                    Some(libc::EINTR) => {}
                    Some(libc::EMSGSIZE | libc::EINVAL) => self.reject(&error)?,
                    _ => return Err(self.link_error(&error)),
                },
            }
        }
        self.settle(taken, Flushed::Everything)
    }

    fn settle(&mut self, taken: u32, end: Flushed) -> Result<(u32, Flushed)> {
        self.count_left()?;
        Ok((taken, end))
    }

    /// Takes the refused frame at the head of the queue out of it.
    fn reject(&mut self, error: &io::Error) -> Result<()> {
        let frame = self.slots.head(1).next().expect("a frame was refused");
        self.slots.complete(1);
        let rejection = rejection::describe(error, frame.length, self.socket.interface(), self.socket.mtu());
        self.rejections.count();
        match self.on_malformed {
            OnMalformed::Stop => Err(rejection),
            OnMalformed::Skip => {
                self.rejections.keep(rejection);
                Ok(())
            }
        }
    }

    /// Finds out how many of the frames in the kernel it certainly holds no more.
    fn count_left(&mut self) -> Result<()> {
        if self.in_flight.count() > 0 {
            let charge = self.socket.outstanding_bytes()?;
            self.in_flight.settle(charge);
        }
        Ok(())
    }

    /// Frames queued or possibly still in the kernel, as of the last flush or stats().
    fn pending(&self) -> u64 {
        u64::from(self.slots.queued()) + self.in_flight.count()
    }

    /// Frames stay queued: an interface that is down may come up again.
    fn link_error(&self, error: &io::Error) -> Error {
        let queued = self.slots.queued();
        match error.raw_os_error() {
            Some(libc::ENXIO | libc::ENODEV) => self.socket.removed(error, "injector"),
            Some(libc::ENETDOWN) if self.socket.is_gone() => self.socket.removed(error, "injector"),
            Some(libc::ENETDOWN) => {
                let text = format_args!(
                    "interface {:?} is down; {queued} frames stay queued, flush again when it is up",
                    self.socket.interface()
                )
                .to_string();
                Error::os(ErrorKind::LinkDown, "sendmmsg", error, text).on_interface(self.socket.interface())
            }
            _ => self.socket.failed("sendmmsg", error),
        }
    }

    /// Frees everything at once; what is queued is not sent.
    pub fn close(self) -> Result<()> {
        let Self { socket, slots, mapping, .. } = self;
        let interface = socket.interface().to_owned();
        drop(socket);
        drop(slots);
        mapping.retire().map_err(|error| {
            Error::os(ErrorKind::Mmap, "mmap", &error, "cannot replace the slots' mapping").on_interface(&interface)
        })
    }
}

impl Sink for Injector {
    fn available(&mut self) -> Result<u32> {
        Ok(self.slots.available())
    }

    fn allocate(&mut self) -> Result<Option<SlotToken>> {
        Ok(self.slots.allocate())
    }

    fn slot_bytes(&self, slot: &SlotToken) -> Result<Memory> {
        Ok(self.slots.bytes(slot.index()))
    }

    fn queue(&mut self, slot: SlotToken, length: u32) -> Result<()> {
        if let Err(error) = self.check(length as usize) {
            self.slots.discard(slot);
            return Err(error);
        }
        self.slots.queue(slot, length);
        Ok(())
    }

    fn discard(&mut self, slot: SlotToken) {
        self.slots.discard(slot);
    }

    fn quarantine(&mut self, slot: u32) {
        self.slots.quarantine(slot);
    }

    fn reclaim(&mut self, slot: u32) {
        self.slots.reclaim(slot);
    }

    fn check(&self, length: usize) -> Result<()> {
        let capacity = self.slots.slot_size();
        let message = if length > capacity as usize {
            format!(
                "a frame of {length} bytes is larger than frameSize, {capacity} bytes; open the injector with a larger frameSize"
            )
        } else if length < self.smallest as usize {
            format!("a frame of {length} bytes is shorter than its link-layer header, {} bytes", self.smallest)
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Frame, message).on_interface(self.socket.interface()))
    }

    fn send(&mut self, frame: VolatileSlice<'_>) -> Result<bool> {
        self.check(frame.len())?;
        Ok(self.slots.queue_copy(frame))
    }

    fn cancel(&mut self, frames: usize) {
        self.slots.cancel(frames);
    }

    /// A refused frame is taken out of the queue, counted and kept for `take_rejections`.
    fn flush(&mut self) -> Result<(u32, Flushed)> {
        let watched = self.socket.stop_watching()?;
        if watched {
            self.socket.clear_edges()?;
        }
        let flushed = self.flush_all();
        // Who waits for room hears of it no more otherwise, should this be somebody else's flush. Where the buffer is as
        // full as before it is watched again: two who wait would wake each other for as long as it is.
        if watched && !matches!(flushed, Ok((0, Flushed::BufferFull))) {
            self.socket.room().wake();
        }
        flushed
    }

    fn wait_drained(&mut self, timeout: Duration) -> Result<bool> {
        let deadline = deadline_after(timeout);
        loop {
            let (_, end) = self.flush()?;
            if self.pending() == 0 {
                return Ok(true);
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(false);
            }
            // Nothing tells when a queue below has room or the last frame has left.
            let pause = deadline.min(now + Duration::from_millis(1));
            match end {
                Flushed::BufferFull => {
                    let waited = self.socket.room().wait_until(deadline);
                    waited.map_err(|error| self.socket.failed("epoll_wait", &error))?;
                }
                Flushed::Everything | Flushed::QueueFull => std::thread::sleep(pause - now),
            }
        }
    }

    fn room(&self) -> &Arc<Readiness> {
        self.socket.room()
    }

    fn unreported_rejections(&self) -> usize {
        self.rejections.unreported()
    }

    fn take_rejections(&mut self) -> Vec<Error> {
        self.rejections.take()
    }

    fn tx_stats(&mut self) -> Result<TxStats> {
        self.count_left()?;
        Ok(TxStats {
            sent: self.in_flight.left(),
            bytes: self.in_flight.left_bytes(),
            rejected: self.rejections.total(),
            pending: self.pending(),
        })
    }
}
