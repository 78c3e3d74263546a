//! The kernel's counters.

use std::os::fd::AsFd;

use super::XdpSocket;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::xdp::{self, XdpStats};

impl XdpSocket {
    /// The kernel's six counters, summed over the queues, since open.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) where they cannot be read.
    pub fn xdp_stats(&self) -> Result<XdpStats> {
        let mut sum = XdpStats::default();
        for position in 0..self.queues.len() {
            let one = self.statistics(position)?;
            sum.rx_dropped += one.rx_dropped;
            sum.rx_invalid_descriptors += one.rx_invalid_descriptors;
            sum.tx_invalid_descriptors += one.tx_invalid_descriptors;
            sum.rx_ring_full += one.rx_ring_full;
            sum.rx_fill_ring_empty += one.rx_fill_ring_empty;
            sum.tx_ring_empty += one.tx_ring_empty;
        }
        Ok(sum)
    }

    fn statistics(&self, position: usize) -> Result<XdpStats> {
        xdp::statistics(self.queues[position].rings().as_fd()).map_err(|error| {
            Error::os(ErrorKind::Io, "getsockopt", &error, "cannot read XDP_STATISTICS").on_interface(&self.interface)
        })
    }

    /// Packets of a queue that were redirected to its socket and did not reach the receive ring. A packet
    /// that found the fill ring empty is in `rx_dropped` already (`__xsk_rcv`, net/xdp/xsk.c).
    pub(super) fn drops(&mut self, position: usize) -> Result<u64> {
        let stats = self.statistics(position)?;
        let (_, bad_descriptors) = self.queues[position].counts();
        Ok(stats.rx_dropped + stats.rx_ring_full + bad_descriptors)
    }
}
