//! A socket as a sink: slots, flushing, what became of the frames.

use std::io;
use std::time::{Duration, Instant};

use super::transmit::Transmitter;
use super::{XdpSocket, options};
use crate::error::{Error, ErrorKind, Result};
use crate::injector::{Flushed, TxStats};
use crate::ring::{SlotRing, SlotToken};

/// Bytes of an Ethernet header: no shorter frame can be sent.
const ETHERNET_HEADER: usize = 14;

#[cold]
fn sends_nothing(interface: &str) -> Error {
    let message = "this XDP socket was opened in mode 'rx' and sends nothing; open another in mode 'tx' or 'rxtx'";
    Error::new(ErrorKind::Config, message).on_interface(interface)
}

impl XdpSocket {
    #[inline]
    fn transmitter(&mut self) -> Result<&mut Transmitter> {
        match &mut self.transmitter {
            Some(transmitter) => Ok(transmitter),
            None => Err(sends_nothing(&self.interface)),
        }
    }

    /// The slots, where it was opened to send.
    pub fn slots(&self) -> Option<&SlotRing> {
        self.transmitter.as_ref().map(Transmitter::slots)
    }

    /// A free slot, or `None`. Slots whose frames have left are free again.
    pub fn allocate(&mut self) -> Result<Option<SlotToken>> {
        if self.transmitter()?.slots().available() == 0 {
            self.collect();
        }
        Ok(self.transmitter()?.slots_mut().allocate())
    }

    /// Queues a slot's first `length` bytes. The slot is given back where that is no frame.
    pub fn queue(&mut self, token: SlotToken, length: u32) -> Result<()> {
        if let Err(error) = self.check(length as usize) {
            self.discard(token);
            return Err(error);
        }
        self.transmitter()?.slots_mut().queue(token, length);
        Ok(())
    }

    /// Gives a slot back unsent.
    pub fn discard(&mut self, token: SlotToken) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.slots_mut().discard(token);
        }
    }

    /// Keeps a slot's memory out of use until [`reclaim`](Self::reclaim).
    pub fn withhold(&mut self, slot: u32) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.slots_mut().withhold(slot);
        }
    }

    /// See [`SlotRing::reclaim`].
    pub fn reclaim(&mut self, slot: u32) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.slots_mut().reclaim(slot);
        }
    }

    /// Whether a frame of this length can be sent at all.
    pub fn check(&self, length: usize) -> Result<()> {
        let capacity = (self.shape.frame_size - options::HEADROOM) as usize;
        let message = if length > capacity {
            format!(
                "a frame of {length} bytes does not fit {capacity}, frameSize less {} of headroom; \
                 open with frameSize 4096",
                options::HEADROOM
            )
        } else if length < ETHERNET_HEADER {
            format!("a frame of {length} bytes is shorter than its link-layer header, {ETHERNET_HEADER} bytes")
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Frame, message).on_interface(&self.interface))
    }

    /// Copies a frame into a slot and queues it; false when no slot is free.
    pub fn send(&mut self, frame: crate::ring::Lent<'_>) -> Result<bool> {
        self.check(frame.len())?;
        let Some(transmitter) = &mut self.transmitter else { return Err(sends_nothing(&self.interface)) };
        if transmitter.slots().available() == 0 {
            transmitter.collect(self.queues[0].rings_mut());
        }
        Ok(transmitter.slots_mut().queue_copy(frame))
    }

    /// Hands what is queued to the kernel and kicks it until it takes no more; never blocks.
    /// Returns how many frames went into the transmit ring and why it ended.
    pub fn flush(&mut self) -> Result<(u32, Flushed)> {
        self.transmitter()?;
        let Self { transmitter, queues, .. } = self;
        let transmitter = transmitter.as_mut().expect("looked at above");
        transmitter.flush(queues[0].rings_mut()).map_err(|error| self.link_error(&error))
    }

    /// Takes completions in.
    fn collect(&mut self) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.collect(self.queues[0].rings_mut());
        }
    }

    /// Takes the last frames queued out of the queue again, unsent.
    pub fn cancel(&mut self, frames: usize) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.slots_mut().cancel(frames);
        }
    }

    /// How many refusals [`take_rejections`](Self::take_rejections) has to tell.
    pub fn untold_rejections(&self) -> usize {
        self.transmitter.as_ref().map_or(0, |transmitter| transmitter.rejections().len())
    }

    /// Frames refused since the last call of this, the newest 64.
    pub fn take_rejections(&mut self) -> Vec<Error> {
        let lengths = self.transmitter.as_mut().map(Transmitter::take_rejections).unwrap_or_default();
        let tell = |length| {
            let text = format!("the driver of interface {:?} dropped a frame of {length} bytes", self.interface);
            Error { syscall: Some("sendto"), errno: Some(libc::EBUSY), ..Error::new(ErrorKind::Frame, text) }
                .on_interface(&self.interface)
        };
        lengths.into_iter().map(tell).collect()
    }

    /// The counters of what was sent, now.
    pub fn tx_stats(&mut self) -> TxStats {
        self.collect();
        self.transmitter.as_ref().map(Transmitter::stats).unwrap_or_default()
    }

    /// Flushes until every frame has left or was refused, blocking this thread; false when
    /// `timeout` passed first.
    pub fn wait_drained(&mut self, timeout: Duration) -> Result<bool> {
        let now = Instant::now();
        let deadline = now.checked_add(timeout).unwrap_or(now + Duration::from_secs(u64::from(u32::MAX)));
        loop {
            self.flush()?;
            if self.tx_stats().pending == 0 {
                return Ok(true);
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(false);
            }
            // Nothing tells when a driver has room or the last frame has left.
            std::thread::sleep(deadline.min(now + Duration::from_millis(1)) - now);
        }
    }

    /// Frames stay where they are: an interface that is down may come up again.
    fn link_error(&mut self, error: &io::Error) -> Error {
        let pending = self.transmitter.as_ref().map_or(0, Transmitter::pending);
        match error.raw_os_error() {
            // ENXIO: unbound, which the kernel does to sockets of an interface that goes.
            Some(libc::ENXIO | libc::ENODEV) => {
                self.link.set_removed();
                Error { syscall: Some("sendto"), errno: error.raw_os_error(), ..self.link.removed(&self.interface) }
            }
            Some(libc::ENETDOWN) => {
                let text = format!(
                    "interface {:?} is down; {pending} frames stay queued, flush again when it is up",
                    self.interface
                );
                Error::os(ErrorKind::LinkDown, "sendto", error, text).on_interface(&self.interface)
            }
            _ => self.failed("sendto", error),
        }
    }
}
