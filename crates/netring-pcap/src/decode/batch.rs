//! What one call of the decoder found.

use crate::flags::PacketFlags;
use crate::link_type::LinkType;
use crate::time::Timestamp;

/// Where a packet lies in the bytes that were decoded, and what the file says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The first byte of the link-layer header, counted from the first of the decoded bytes.
    pub offset: u32,
    /// Bytes present there.
    pub captured_len: u32,
    /// Bytes that the packet had on the wire: never fewer.
    pub original_len: u32,
    /// When it was captured.
    pub time: Timestamp,
    /// Direction and checksum state.
    pub flags: PacketFlags,
    /// Index into [`Decoder::interfaces`](crate::Decoder::interfaces), over all sections.
    pub interface_id: u16,
    /// Index of its [`Extra`], or [`Packet::NO_EXTRA`].
    pub(crate) extra: u32,
}

impl Packet {
    pub(crate) const NO_EXTRA: u32 = u32::MAX;

    /// Its bytes.
    ///
    /// # Panics
    /// Where `bytes` are not those it was decoded from and end before it.
    #[inline]
    pub fn data<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.offset as usize..][..self.captured_len as usize]
    }

    /// Was it cut?
    pub fn truncated(&self) -> bool {
        self.captured_len < self.original_len
    }
}

/// Where the value of an option lies in the decoded bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From the first of the decoded bytes.
    pub offset: u32,
    /// Bytes.
    pub len: u32,
}

impl Span {
    /// The value.
    ///
    /// # Panics
    /// Where `bytes` are not those it was decoded from and end before it.
    pub fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.offset as usize..][..self.len as usize]
    }
}

/// Options of a packet other than its flags. Few packets have any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// Packets that were lost between the one before on this interface and this one.
    pub drop_count: Option<u64>,
    /// The queue of the interface that it came from.
    pub queue: Option<u32>,
    /// A number that packets share which are one packet seen at several interfaces.
    pub packet_id: Option<u64>,
    /// The first comment: UTF-8, as far as the writer kept to the format.
    pub comment: Option<Span>,
    /// A byte that names the algorithm (5: Toeplitz, that of receive-side scaling), then the hash.
    pub hash: Option<Span>,
    /// A byte that names who judged, then the verdict.
    pub verdict: Option<Span>,
}

/// A block that holds no packet, for a caller that copies the file
/// ([`DecodeOptions::keep_blocks`](crate::DecodeOptions::keep_blocks)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawBlock {
    /// Its first byte, the type's, counted from the first of the decoded bytes.
    pub offset: u32,
    /// All of its bytes, up to the length behind it.
    pub len: u32,
    /// 4 (names), 0xA (decryption secrets) or 0xBAD (custom, may be copied).
    pub block_type: u32,
    /// The byte order of its section.
    pub big_endian: bool,
    /// How many of this batch's packets lie before it.
    pub after: u32,
}

/// Packets of one link type, in the file's order. Made once, filled again by every call.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) packets: Vec<Packet>,
    pub(crate) extras: Vec<Extra>,
    pub(crate) blocks: Vec<RawBlock>,
    pub(crate) link_type: Option<LinkType>,
}

impl Batch {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The packets.
    pub fn packets(&self) -> &[Packet] {
        &self.packets
    }

    /// What else the file says of a packet of this batch.
    pub fn extra(&self, packet: &Packet) -> Option<&Extra> {
        self.extras.get(packet.extra as usize)
    }

    /// Blocks to copy.
    pub fn blocks(&self) -> &[RawBlock] {
        &self.blocks
    }

    /// What every packet of it begins with; `None` where there are no packets.
    pub fn link_type(&self) -> Option<LinkType> {
        self.link_type
    }

    /// Neither packets nor blocks?
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty() && self.blocks.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.packets.clear();
        self.extras.clear();
        self.blocks.clear();
        self.link_type = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_has_40_bytes() {
        // DecodeOptions::max_packets says so.
        assert_eq!(size_of::<Packet>(), 40);
    }
}
