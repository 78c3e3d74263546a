//! An AF_XDP socket as a [`Sink`]: slots are frames of the UMEM, which the kernel reads in place.

use std::io;
use std::sync::Arc;

use super::transmit::Transmitter;
use super::{XdpSocket, options};
use crate::error::{Error, ErrorKind, Result};
use crate::readiness::Readiness;
use crate::ring::SlotRing;
use crate::sink::{ETHERNET_HEADER, Flushed, Sink, TxStats};
use crate::tx::{describe_driver_drop, describe_waiting};

#[cold]
fn sends_nothing(interface: &str) -> Error {
    let message = "this XDP socket was opened in mode 'rx' and sends nothing; open another in mode 'tx' or 'rxtx'";
    Error::new(ErrorKind::Config, message).on_interface(interface)
}

impl XdpSocket {
    /// The interface is down or gone, or the socket has failed. Frames stay queued: an interface that
    /// is down may come up again.
    #[cold]
    fn send_error(&mut self, error: &io::Error) -> Error {
        match error.raw_os_error() {
            // ENXIO: the kernel unbinds the sockets of an interface that goes.
            Some(libc::ENXIO | libc::ENODEV) => {
                self.link.set_removed();
                Error { syscall: Some("sendto"), errno: error.raw_os_error(), ..self.link.removed() }
            }
            Some(libc::ENETDOWN) => {
                let pending = self.transmitter.as_ref().map_or(0, Transmitter::pending);
                describe_waiting(pending, &self.interface, "sendto", error)
            }
            _ => self.failed("sendto", error),
        }
    }
}

impl Sink for XdpSocket {
    fn interface(&self) -> &str {
        &self.interface
    }

    #[inline]
    fn slots(&self) -> Result<&SlotRing> {
        match &self.transmitter {
            Some(transmitter) => Ok(transmitter.slots()),
            None => Err(sends_nothing(&self.interface)),
        }
    }

    #[inline]
    fn slots_mut(&mut self) -> Result<&mut SlotRing> {
        match &mut self.transmitter {
            Some(transmitter) => Ok(transmitter.slots_mut()),
            None => Err(sends_nothing(&self.interface)),
        }
    }

    /// Takes completions in.
    fn collect(&mut self) {
        if let Some(transmitter) = &mut self.transmitter {
            transmitter.collect(self.queues[0].rings_mut());
        }
    }

    #[inline]
    fn shortest(&self) -> u32 {
        ETHERNET_HEADER
    }

    #[cold]
    fn too_long(&self, length: usize) -> Error {
        let (capacity, headroom) = (self.frame_capacity(), options::HEADROOM);
        let advice = if length <= (options::LARGEST_FRAME - headroom) as usize {
            format!("open with `frame_size` {}", options::LARGEST_FRAME)
        } else {
            format!("no frame of a UMEM is larger than {}", options::LARGEST_FRAME)
        };
        let message = format!(
            "a frame of {length} bytes does not fit {capacity}, `frame_size` less {headroom} of headroom; {advice}"
        );
        Error::new(ErrorKind::Frame, message).on_interface(&self.interface)
    }

    /// Kicks the kernel until the transmit ring is empty or it takes no more.
    fn flush(&mut self) -> Result<(u32, Flushed)> {
        let Self { transmitter, queues, interface, .. } = self;
        let Some(transmitter) = transmitter else { return Err(sends_nothing(interface)) };
        transmitter.flush(queues[0].rings_mut()).map_err(|error| self.send_error(&error))
    }

    /// Never waited on: no flush ends with a full send buffer.
    fn room(&self) -> &Arc<Readiness> {
        &self.readiness
    }

    fn unreported_rejections(&self) -> usize {
        self.transmitter.as_ref().map_or(0, Transmitter::unreported_rejections)
    }

    fn take_rejections(&mut self) -> Vec<Error> {
        let lengths = self.transmitter.as_mut().map(Transmitter::take_rejections).unwrap_or_default();
        lengths.into_iter().map(|length| describe_driver_drop(length, &self.interface)).collect()
    }

    fn tx_stats(&mut self) -> Result<TxStats> {
        self.collect();
        Ok(self.transmitter.as_ref().map(Transmitter::stats).unwrap_or_default())
    }
}
