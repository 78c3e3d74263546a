//! Sending: slots of memory that JavaScript fills, handed to the kernel with sendmmsg(2).
//!
//! An [`Injector`] is a [`SlotRing`] over a [`SendSocket`]. PACKET_TX_RING is not used. Measured on
//! veth, sendmmsg is 10-20 % faster than the TX ring at 64 and 1400 bytes and equal at 9000
//! (docs/performance.md), it says of every frame why it was refused, and a slot that is never sent
//! cannot stop it; the TX ring takes slots strictly in order, stops for good at one that was skipped
//! or malformed, and gives no reason.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Instant;

mod in_flight;
mod options;

use self::in_flight::InFlight;
pub use self::options::{InjectorOptions, OnMalformed};
use crate::error::{Error, ErrorKind, Result};
use crate::readiness::Readiness;
use crate::ring::SlotRing;
use crate::sink::{ETHERNET_HEADER, Flushed, Sink, TxStats};
use crate::sys::map::Mapping;
use crate::sys::page_size;
use crate::tx::{
    BATCH, FrameTx, Refusal, Refused, RejectionLog, RetryBudget, SendSocket, TrySend, WouldBlock, describe_waiting,
};

/// An injector.
#[derive(Debug)]
pub struct Injector {
    tx: SendSocket<0>,
    slots: SlotRing,
    mapping: Mapping,
    shortest: u32,
    on_malformed: OnMalformed,
    in_flight: InFlight,
    retry: RetryBudget,
    rejections: RejectionLog,
}

impl Injector {
    /// Opens an interface.
    ///
    /// # Errors
    ///
    /// [`Permission`](ErrorKind::Permission) without CAP_NET_RAW, [`InterfaceNotFound`](ErrorKind::InterfaceNotFound),
    /// [`Config`](ErrorKind::Config), [`Mmap`](ErrorKind::Mmap), [`SockOpt`](ErrorKind::SockOpt), [`Bind`](ErrorKind::Bind).
    pub fn open(interface: &str, options: &InjectorOptions) -> Result<Self> {
        Self::set_up(interface, options).map_err(|error| error.on_interface(interface))
    }

    fn set_up(interface: &str, options: &InjectorOptions) -> Result<Self> {
        let tx = SendSocket::open(interface, &options.socket("injector"))?;
        let bytes = options.frame_size as usize * options.frame_count as usize;
        let mapping = Mapping::anonymous(bytes.next_multiple_of(page_size() as usize)).map_err(|error| {
            Error::os(ErrorKind::Mmap, "mmap", &error, format_args!("cannot allocate {bytes} bytes of slots"))
        })?;
        let ethernet = matches!(tx.hardware_type()?, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK);
        Ok(Self {
            slots: SlotRing::new(mapping.memory(), options.frame_size, options.frame_count),
            tx,
            mapping,
            shortest: if ethernet { ETHERNET_HEADER } else { 1 },
            on_malformed: options.on_malformed,
            in_flight: InFlight::default(),
            retry: RetryBudget::injector(),
            rejections: RejectionLog::default(),
        })
    }

    /// The socket's descriptor, owned by the injector.
    pub fn fd(&self) -> RawFd {
        self.tx.as_raw_fd()
    }

    fn flush_all(&mut self) -> Result<(u32, Flushed)> {
        let mut taken = 0;
        while self.slots.queued() > 0 {
            match self.tx.try_send(self.slots.head_bytes(BATCH))? {
                TrySend::Taken(count) => {
                    self.in_flight.taken(self.slots.head(count).map(|frame| frame.length));
                    self.slots.complete(count);
                    self.retry.reset();
                    taken += count as u32;
                }
                TrySend::WouldBlock(WouldBlock::Buffer) => return self.settle(taken, Flushed::BufferFull),
                TrySend::WouldBlock(WouldBlock::Queue { ours_wait, errno }) => {
                    if !self.retry.expired(ours_wait, Instant::now()) {
                        return self.settle(taken, Flushed::QueueFull);
                    }
                    self.reject(&Refused::new(Refusal::NoRoom, errno))?;
                }
                // The frames stay queued: the interface may come up again.
                TrySend::Refused(Refused { kind: Refusal::LinkDown, error }) => {
                    let queued = self.slots.queued().into();
                    return Err(describe_waiting(queued, self.tx.interface(), "sendmmsg", &error));
                }
                TrySend::Refused(refused) => self.reject(&refused)?,
            }
        }
        self.settle(taken, Flushed::Everything)
    }

    fn settle(&mut self, taken: u32, end: Flushed) -> Result<(u32, Flushed)> {
        self.count_left()?;
        Ok((taken, end))
    }

    /// Takes the refused frame at the head of the queue out of it.
    fn reject(&mut self, refused: &Refused) -> Result<()> {
        let frame = self.slots.head(1).next().expect("a frame was refused");
        self.slots.complete(1);
        self.retry.reset();
        match self.on_malformed {
            OnMalformed::Stop => {
                self.rejections.count();
                Err(self.tx.explain(refused, frame.length))
            }
            OnMalformed::Skip => {
                self.rejections.add(|| self.tx.explain(refused, frame.length));
                Ok(())
            }
        }
    }

    /// Finds out how many of the frames in the kernel it certainly holds no more.
    fn count_left(&mut self) -> Result<()> {
        if self.in_flight.count() > 0 {
            self.in_flight.settle(self.tx.outstanding_bytes()?);
        }
        Ok(())
    }

    /// Frames queued or waiting in the kernel.
    fn pending(&self) -> u64 {
        u64::from(self.slots.queued()) + self.in_flight.count()
    }

    /// Frees everything at once; what is queued is not sent.
    ///
    /// # Errors
    ///
    /// [`Mmap`](ErrorKind::Mmap) where the mapping cannot be replaced.
    pub fn close(self) -> Result<()> {
        let Self { tx, slots, mapping, .. } = self;
        let interface = tx.interface().to_owned();
        drop(tx);
        drop(slots);
        mapping.retire().map_err(|error| {
            Error::os(ErrorKind::Mmap, "mmap", &error, "cannot replace the slots' mapping").on_interface(&interface)
        })
    }
}

impl Sink for Injector {
    fn interface(&self) -> &str {
        self.tx.interface()
    }

    #[inline]
    fn slots(&self) -> Result<&SlotRing> {
        Ok(&self.slots)
    }

    #[inline]
    fn slots_mut(&mut self) -> Result<&mut SlotRing> {
        Ok(&mut self.slots)
    }

    #[inline]
    fn shortest(&self) -> u32 {
        self.shortest
    }

    #[cold]
    fn too_long(&self, length: usize) -> Error {
        let message = format!(
            "a frame of {length} bytes is larger than `frame_size`, {} bytes; open the injector with a larger `frame_size`",
            self.slots.slot_size()
        );
        Error::new(ErrorKind::Frame, message).on_interface(self.tx.interface())
    }

    /// A refused frame is taken out of the queue, counted and kept for `take_rejections`.
    fn flush(&mut self) -> Result<(u32, Flushed)> {
        let watched = self.tx.is_watched();
        let flushed = self.flush_all();
        // Another caller may be waiting for room, and this flush may have used up its edge. Not while
        // the buffer is as full as before: it is still watched, and two waiting callers would wake
        // each other without end.
        if watched && !matches!(flushed, Ok((0, Flushed::BufferFull))) {
            self.tx.room().wake();
        }
        flushed
    }

    fn room(&self) -> &Arc<Readiness> {
        self.tx.room()
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
