//! A socket as a [`Sink`]: slots, flushing, what became of the frames.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::transmit::Transmitter;
use super::{XdpSocket, options};
use crate::error::{Error, ErrorKind, Result};
use crate::readiness::Readiness;
use crate::ring::{Memory, SlotToken, VolatileSlice};
use crate::sink::{Flushed, Sink, TxStats};
use crate::sys::deadline_after;

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

    #[cold]
    fn is_no_frame(&self, length: usize) -> Error {
        let capacity = self.frame_capacity() as usize;
        let message = if length > capacity {
            format!(
                "a frame of {length} bytes does not fit {capacity}, frameSize less {} of headroom; \
                 open with frameSize 4096",
                options::HEADROOM
            )
        } else {
            format!("a frame of {length} bytes is shorter than its link-layer header, {ETHERNET_HEADER} bytes")
        };
        Error::new(ErrorKind::Frame, message).on_interface(&self.interface)
    }

    /// Takes completions in.
    fn collect(&mut self) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.collect(self.queues[0].rings_mut());
        }
    }

    /// Frames stay where they are: an interface that is down may come up again.
    fn link_error(&mut self, error: &io::Error) -> Error {
        let pending = self.transmitter.as_ref().map_or(0, Transmitter::pending);
        match error.raw_os_error() {
            // ENXIO: unbound, which the kernel does to sockets of an interface that goes.
            Some(libc::ENXIO | libc::ENODEV) => {
                self.link.set_removed();
                Error { syscall: Some("sendto"), errno: error.raw_os_error(), ..self.link.removed() }
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

impl Sink for XdpSocket {
    fn available(&mut self) -> Result<u32> {
        self.collect();
        Ok(self.transmitter()?.slots().available())
    }

    fn allocate(&mut self) -> Result<Option<SlotToken>> {
        if self.transmitter()?.slots().available() == 0 {
            self.collect();
        }
        Ok(self.transmitter()?.slots_mut().allocate())
    }

    fn slot_bytes(&self, slot: &SlotToken) -> Result<Memory> {
        let transmitter = self.transmitter.as_ref().ok_or_else(|| sends_nothing(&self.interface))?;
        Ok(transmitter.slots().bytes(slot.index()))
    }

    fn queue(&mut self, slot: SlotToken, length: u32) -> Result<()> {
        if let Err(error) = self.check(length as usize) {
            self.discard(slot);
            return Err(error);
        }
        self.transmitter()?.slots_mut().queue(slot, length);
        Ok(())
    }

    fn discard(&mut self, slot: SlotToken) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.slots_mut().discard(slot);
        }
    }

    fn quarantine(&mut self, slot: u32) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.slots_mut().quarantine(slot);
        }
    }

    fn reclaim(&mut self, slot: u32) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.slots_mut().reclaim(slot);
        }
    }

    #[inline]
    fn check(&self, length: usize) -> Result<()> {
        let fits = (ETHERNET_HEADER..=self.frame_capacity() as usize).contains(&length);
        if fits { Ok(()) } else { Err(self.is_no_frame(length)) }
    }

    #[inline]
    fn send(&mut self, frame: VolatileSlice<'_>) -> Result<bool> {
        self.check(frame.len())?;
        let Some(transmitter) = &mut self.transmitter else { return Err(sends_nothing(&self.interface)) };
        if transmitter.slots().available() == 0 {
            transmitter.collect(self.queues[0].rings_mut());
        }
        Ok(transmitter.slots_mut().queue_copy(frame))
    }

    fn cancel(&mut self, frames: usize) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.slots_mut().cancel(frames);
        }
    }

    /// Kicks the kernel until the transmit ring is empty or it takes no more.
    fn flush(&mut self) -> Result<(u32, Flushed)> {
        let Self { transmitter, queues, interface, .. } = self;
        let Some(transmitter) = transmitter else { return Err(sends_nothing(interface)) };
        transmitter.flush(queues[0].rings_mut()).map_err(|error| self.link_error(&error))
    }

    fn wait_drained(&mut self, timeout: Duration) -> Result<bool> {
        let deadline = deadline_after(timeout);
        loop {
            self.flush()?;
            if self.tx_stats()?.pending == 0 {
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

    /// No flush ends with a full send buffer, so nobody waits for this.
    fn room(&self) -> &Arc<Readiness> {
        &self.readiness
    }

    fn unreported_rejections(&self) -> usize {
        self.transmitter.as_ref().map_or(0, Transmitter::unreported_rejections)
    }

    fn take_rejections(&mut self) -> Vec<Error> {
        let lengths = self.transmitter.as_mut().map(Transmitter::take_rejections).unwrap_or_default();
        let tell = |length| {
            let text = format!("the driver of interface {:?} dropped a frame of {length} bytes", self.interface);
            Error { syscall: Some("sendto"), errno: Some(libc::EBUSY), ..Error::new(ErrorKind::Frame, text) }
                .on_interface(&self.interface)
        };
        lengths.into_iter().map(tell).collect()
    }

    fn tx_stats(&mut self) -> Result<TxStats> {
        self.collect();
        Ok(self.transmitter.as_ref().map(Transmitter::stats).unwrap_or_default())
    }
}
