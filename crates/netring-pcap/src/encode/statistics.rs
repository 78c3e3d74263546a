//! Blocks beside the packets.

use super::block::BlockWriter;
use super::{EncodeError, Encoder, nanoseconds};
use crate::interface::InterfaceStats;
use crate::wire::{block as code, option};

impl Encoder {
    /// The most bytes that [`statistics`](Self::statistics) writes for each interface; what a rotation by bytes keeps
    /// free for them.
    pub const STATISTICS_LEN: u64 = 24 + 7 * 12 + 4;

    /// An interface statistics block. Times that are `None` are left out, counters too.
    ///
    /// # Errors
    /// In pcap, which has none; a time that it cannot hold.
    pub fn statistics(&self, interface_id: u16, stats: &InterfaceStats, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.is_pcap() {
            return Err(EncodeError::NotInPcap);
        }
        self.interface(interface_id)?;
        let time = nanoseconds(stats.time)?;
        let times = [(option::ISB_STARTTIME, stats.start), (option::ISB_ENDTIME, stats.end)];
        let counters = [
            (option::ISB_IFRECV, stats.received),
            (option::ISB_IFDROP, stats.dropped),
            (option::ISB_FILTERACCEPT, stats.filter_accepted),
            (option::ISB_OSDROP, stats.os_dropped),
            (option::ISB_USRDELIV, stats.delivered),
        ];
        for (_, time) in times {
            time.map(nanoseconds).transpose()?;
        }
        let mut block = BlockWriter::begin(code::INTERFACE_STATISTICS, out);
        block.word(interface_id.into());
        block.ticks(time);
        for (code, time) in times {
            if let Some(time) = time {
                block.ticks_option(code, nanoseconds(time)?);
            }
        }
        for (code, counter) in counters {
            if let Some(counter) = counter {
                block.option(code, &counter.to_le_bytes());
            }
        }
        block.end();
        Ok(())
    }

    /// A block of another file as it is: names, secrets, custom blocks ([`RawBlock`](crate::RawBlock)).
    ///
    /// # Errors
    /// In pcap; where `block` is no whole block or is of a big-endian section, whose numbers mean nothing here.
    pub fn raw_block(&self, block: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.is_pcap() {
            return Err(EncodeError::NotInPcap);
        }
        let length = |at: usize| -> Option<usize> {
            Some(u32::from_le_bytes(block.get(at..)?.first_chunk().copied()?) as usize)
        };
        let whole = block.len() >= code::FRAME && block.len().is_multiple_of(4);
        if !whole || length(4) != Some(block.len()) || length(block.len() - 4) != Some(block.len()) {
            return Err(EncodeError::RawBlock);
        }
        out.extend_from_slice(block);
        Ok(())
    }
}
