//! One side of a bridge over AF_XDP: the socket is both halves.
//!
//! Two sockets have two UMEMs, so each frame is copied once, from a frame that received into one that sends. There is no
//! virtio-net header: what a sender left to its hardware does not arrive finished (docs/bridge.md).

use std::io;
use std::sync::Arc;

use super::tx::{FrameTx, Refusal, Refused, TrySend, WouldBlock};
use super::{Bridge, Port, check_two};
use crate::error::{Error, ErrorKind, Result};
use crate::injector::describe_refusal;
use crate::readiness::Readiness;
use crate::ring::VolatileSlice;
use crate::sink::Sink;
use crate::source::{Pollable, Source};
use crate::xdp::{XdpOptions, XdpSocket};

/// Ethernet header; a frame may have a VLAN tag beside its MTU (`packet_snd` lets one pass as well).
const HEADER: u32 = 14;
const TAG: u32 = 4;

/// What one side is asked to be.
#[derive(Clone, Debug)]
pub struct XdpSideOptions {
    /// Its socket, which has to send and receive.
    pub xdp: XdpOptions,
    /// Whether it takes frames for others than this host.
    pub promiscuous: bool,
}

/// Opens one side.
pub fn open_side(interface: &str, options: &XdpSideOptions) -> Result<XdpSocket> {
    let socket = XdpSocket::open(interface, &options.xdp)?;
    if options.promiscuous {
        socket.join_promiscuous()?;
    }
    Ok(socket)
}

impl Bridge<XdpSocket> {
    /// Opens two interfaces.
    pub fn open_xdp(a: &str, b: &str, a_options: &XdpSideOptions, b_options: &XdpSideOptions) -> Result<Self> {
        check_two(a, a_options.xdp.namespace.as_deref(), b, b_options.xdp.namespace.as_deref())?;
        Ok(Self::of(open_side(a, a_options)?, open_side(b, b_options)?))
    }
}

impl Port for XdpSocket {
    type In = Self;
    type Out = Self;

    fn input(&mut self) -> &mut Self {
        self
    }

    fn output(&mut self) -> &mut Self {
        self
    }

    fn close(self) -> Result<()> {
        Source::close(self)
    }
}

impl XdpSocket {
    /// Neither the kernel nor a driver compares what AF_XDP sends with the MTU; a virtual device drops it in silence.
    fn refusal(&self, frame: VolatileSlice<'_>, mtu: Option<u32>) -> Option<Refused> {
        let refused = |kind, errno| Some(Refused { kind, error: io::Error::from_raw_os_error(errno) });
        let length = frame.len() as u32;
        if length < HEADER {
            return refused(Refusal::Rejected, libc::EINVAL);
        }
        let fits = length <= self.frame_capacity() && mtu.is_none_or(|mtu| length <= mtu + HEADER + TAG);
        if fits { None } else { refused(Refusal::TooLarge, libc::EMSGSIZE) }
    }
}

impl FrameTx for XdpSocket {
    const HEADER: u32 = 0;

    fn try_send<'a>(&mut self, frames: impl Iterator<Item = VolatileSlice<'a>> + Clone) -> Result<TrySend> {
        if let Some(error) = self.take_late_failure() {
            return Err(error);
        }
        // Asked once for all of them.
        let mtu = self.mtu();
        let mut taken = 0;
        for frame in frames {
            if let Some(refused) = self.refusal(frame, mtu) {
                if taken > 0 {
                    break;
                }
                return Ok(TrySend::Refused(refused));
            }
            if !self.send(frame)? {
                break;
            }
            taken += 1;
        }
        match (taken, self.kick()) {
            (0, Err(error)) => Err(error),
            // Every slot is queued or with the driver: they are all ours.
            (0, Ok(_)) => Ok(TrySend::WouldBlock(WouldBlock::Queue { ours_wait: true })),
            // Their slots have them, whatever becomes of those: offered again they would be sent twice.
            (count, outcome) => {
                self.set_late_failure(outcome.err());
                Ok(TrySend::Taken(count))
            }
        }
    }

    /// Never asked for: no offer ends with a full buffer.
    fn room(&self) -> &Arc<Readiness> {
        self.readiness()
    }

    fn explain(&self, refused: &Refused, length: u32) -> Error {
        let name = self.interface();
        if length > self.frame_capacity() {
            let text = format!(
                "a frame of {length} bytes does not fit {}, frameSize less its headroom, of interface {name:?}",
                self.frame_capacity()
            );
            return Error::new(ErrorKind::Frame, text).on_interface(name);
        }
        describe_refusal(&refused.error, length, name, self.mtu().map(|mtu| mtu as i32))
    }

    /// While the interface is down frames stay where they are.
    fn kick(&mut self) -> Result<bool> {
        if let Some(error) = self.take_late_failure() {
            return Err(error);
        }
        match self.flush() {
            Err(error) if error.kind != ErrorKind::LinkDown => Err(error),
            _ => Ok(self.has_unsent()),
        }
    }

    fn late_refusals(&mut self) -> Result<(u64, Vec<Error>)> {
        if self.unreported_rejections() == 0 {
            return Ok((0, Vec::new()));
        }
        let count = self.unreported_rejections() as u64;
        Ok((count, self.take_rejections()))
    }
}
