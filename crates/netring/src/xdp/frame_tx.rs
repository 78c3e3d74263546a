//! An AF_XDP socket as a [`FrameTx`]: each frame is copied into a slot of the UMEM, the only memory
//! that the kernel sends from.
//!
//! There is no virtio-net header: work that a sender left to its hardware stays undone (docs/bridge.md).

use std::sync::Arc;

use super::XdpSocket;
use super::transmit::Transmitter;
use crate::error::{Error, ErrorKind, Result};
use crate::readiness::Readiness;
use crate::ring::VolatileSlice;
use crate::sink::{ETHERNET_HEADER, Sink};
use crate::tx::{FrameTx, Refusal, Refused, TrySend, WouldBlock, describe_refusal};

/// A frame may have a VLAN tag beside its MTU (`packet_snd` lets one pass as well).
const TAG: u32 = 4;

impl XdpSocket {
    /// Neither the kernel nor a driver compares what AF_XDP sends with the MTU; a virtual device
    /// drops a longer frame silently.
    fn refusal(&self, length: u32, mtu: Option<u32>) -> Option<Refused> {
        if length < ETHERNET_HEADER {
            return Some(Refused::new(Refusal::Malformed, libc::EINVAL));
        }
        let fits = length <= self.frame_capacity() && mtu.is_none_or(|mtu| length <= mtu + ETHERNET_HEADER + TAG);
        if fits { None } else { Some(Refused::new(Refusal::TooLarge, libc::EMSGSIZE)) }
    }
}

impl FrameTx for XdpSocket {
    const HEADER: u32 = 0;

    fn try_send<'a>(&mut self, frames: impl Iterator<Item = VolatileSlice<'a>> + Clone) -> Result<TrySend> {
        // Why the last flush failed is reported before more frames are taken.
        if self.transmitter.as_ref().is_some_and(Transmitter::has_failed) {
            self.kick()?;
        }
        // Asked once for all of them.
        let mtu = self.mtu();
        let mut taken = 0;
        for frame in frames {
            if let Some(refused) = self.refusal(frame.len() as u32, mtu) {
                if taken > 0 {
                    break;
                }
                return Ok(TrySend::Refused(refused));
            }
            if self.slots()?.available() == 0 {
                self.collect();
            }
            if !self.slots_mut()?.queue_copy(frame) {
                break;
            }
            taken += 1;
        }
        let kicked = self.kick();
        if taken > 0 {
            // The slots hold these frames even if the kick failed: tried again they would be sent twice.
            // The next kick fails the same way, as long as its cause lasts.
            return Ok(TrySend::Taken(taken));
        }
        kicked?;
        // Every slot is queued or with the driver, so all hold frames of ours.
        Ok(TrySend::WouldBlock(WouldBlock::Queue { ours_wait: true, errno: libc::EAGAIN }))
    }

    /// Never waited on: the send buffer is no limit here.
    fn room(&self) -> &Arc<Readiness> {
        Sink::room(self)
    }

    /// While the interface is down frames stay in their slots.
    fn kick(&mut self) -> Result<bool> {
        match self.flush() {
            Err(error) if error.kind != ErrorKind::LinkDown => Err(error),
            _ => Ok(self.has_unsent()),
        }
    }

    fn late_refusals(&mut self) -> Result<(u64, Vec<Error>)> {
        match self.unreported_rejections() {
            0 => Ok((0, Vec::new())),
            count => Ok((count as u64, self.take_rejections())),
        }
    }

    fn explain(&self, refused: &Refused, length: u32) -> Error {
        if length > self.frame_capacity() {
            return self.too_long(length as usize);
        }
        describe_refusal(refused, length, &self.interface, self.mtu())
    }
}
