//! The block walker: the one place where packet headers of a V3 block are read.
//!
//! The block was filled by the kernel, but JavaScript can write the packets' headers through a
//! batch's buffer, and a kernel may have bugs. So every header is untrusted: its fields are copied
//! once, checked against the block, and only the copies are used (R2).

use std::marker::PhantomData;

use super::layout::{block, packet, status};
use super::memory::Memory;
use super::vlan;

/// A block that user space owns, borrowed from its [`Lease`](super::Lease).
pub struct Block<'lease> {
    memory: Memory,
    skip: u32,
    lease: PhantomData<&'lease ()>,
}

/// One packet of a block, its place checked: `data .. data + captured` lies inside the block and
/// behind the packet's own header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'block> {
    /// Offset of the packet's header from the block's start.
    pub header: u32,
    /// Offset of the link-layer header from the block's start.
    pub data: u32,
    /// Bytes present at `data`.
    pub captured: u32,
    /// Bytes on the wire.
    pub original: u32,
    /// `TP_STATUS_*` bits, with `TRUNCATED` where `captured < original`.
    pub status: u32,
    block: PhantomData<&'block ()>,
}

/// What to do with each packet on the way.
#[derive(Clone, Copy, Debug)]
pub struct WalkOptions {
    /// Nothing past this many bytes of a packet is shown.
    pub snaplen: u32,
    /// Put stripped VLAN tags back, in place. Asked for on the first walk of a block only: the
    /// headers are corrected with it, so that later walks see the mended packet.
    pub reinsert_vlan: bool,
}

/// A header that contradicts its block. Either the kernel lies or somebody wrote into the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Which packet, counted from 0.
    pub index: u32,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The smallest distance of two packets: `ALIGN(TPACKET3_HDRLEN, V3_ALIGNMENT)`.
const SMALLEST_PACKET: u32 = packet::SIZE.next_multiple_of(packet::ALIGNMENT) as u32;

impl<'lease> Block<'lease> {
    pub(super) fn new(memory: Memory, skip: u32) -> Self {
        Self { memory, skip, lease: PhantomData }
    }

    /// The block's bytes.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Packets in it, as the block's head says, without those that were there before the filter
    /// was last changed.
    pub fn packet_count(&self) -> u32 {
        self.word(block::PACKETS).saturating_sub(self.skip)
    }

    /// Sequence number of the block; gaps do not show drops.
    pub fn sequence(&self) -> u64 {
        self.memory.u64(block::SEQUENCE).unwrap_or(0)
    }

    /// `block_status` bits.
    pub fn status(&self) -> u32 {
        self.word(block::STATUS)
    }

    /// Where the last packet ends, from the block's start.
    pub fn end(&self) -> u32 {
        (self.word(block::LENGTH)).min(self.memory.len() as u32)
    }

    fn word(&self, offset: usize) -> u32 {
        self.memory.u32(offset).unwrap_or(0)
    }

    /// Calls `visit` with the packets in order. Stops at the first header that contradicts the
    /// block; packets before it have been visited.
    #[inline(always)]
    pub fn walk(&self, options: WalkOptions, mut visit: impl FnMut(u32, &Frame<'_>)) -> Result<(), Malformed> {
        let total = self.word(block::PACKETS);
        let end = self.end();
        let malformed = |index, reason| Err(Malformed { index, reason });
        if total > end / SMALLEST_PACKET {
            return malformed(0, "the block's head counts more packets than fit");
        }
        let mut header = self.word(block::FIRST);
        if total > 0 && (header as usize) < block::SIZE {
            return malformed(0, "the first packet starts inside the block's head");
        }
        for index in 0..total {
            let frame = match self.frame(header, end, options) {
                Ok(frame) => frame,
                Err(reason) => return malformed(index, reason),
            };
            if index >= self.skip {
                visit(index - self.skip, &frame);
            }
            if index + 1 < total {
                let next = self.word(header as usize + packet::NEXT);
                if next < SMALLEST_PACKET || next > end - header {
                    return malformed(index, "tp_next_offset leads out of the block");
                }
                header += next;
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn frame(&self, header: u32, end: u32, options: WalkOptions) -> Result<Frame<'_>, &'static str> {
        if !(header as usize).is_multiple_of(packet::ALIGNMENT) {
            return Err("a packet's header is not aligned");
        }
        if end < packet::SIZE as u32 || header > end - packet::SIZE as u32 {
            return Err("a packet's header leaves the block");
        }
        let at = header as usize;
        let mac = u32::from(self.memory.u16(at + packet::MAC).unwrap_or(0));
        let mut frame = Frame {
            header,
            data: header + mac,
            captured: self.word(at + packet::SNAPLEN),
            original: self.word(at + packet::LENGTH),
            status: self.word(at + packet::STATUS) & !status::TRUNCATED,
            block: PhantomData,
        };
        if mac < packet::SIZE as u32 {
            return Err("tp_mac points into the packet's header");
        }
        if frame.data > end || frame.captured > end - frame.data {
            return Err("tp_snaplen leaves the block");
        }
        if options.reinsert_vlan && frame.status & status::VLAN_VALID != 0 {
            vlan::reinsert(&self.memory, &mut frame);
        }
        frame.captured = frame.captured.min(options.snaplen);
        if frame.captured < frame.original {
            frame.status |= status::TRUNCATED;
        }
        Ok(frame)
    }
}

impl Frame<'_> {
    /// Seconds and nanoseconds since the epoch.
    #[inline(always)]
    pub fn timestamp(&self, block: &Block<'_>) -> (u32, u32) {
        (self.field(block, packet::SECONDS), self.field(block, packet::NANOSECONDS))
    }

    /// A 32-bit field of the packet's header.
    #[inline(always)]
    pub fn field(&self, block: &Block<'_>, offset: usize) -> u32 {
        block.word(self.header as usize + offset)
    }

    /// A 16-bit field of the packet's header.
    #[inline(always)]
    pub fn field16(&self, block: &Block<'_>, offset: usize) -> u16 {
        block.memory.u16(self.header as usize + offset).unwrap_or(0)
    }

    /// An 8-bit field of the packet's header.
    #[inline(always)]
    pub fn field8(&self, block: &Block<'_>, offset: usize) -> u8 {
        block.memory.u8(self.header as usize + offset).unwrap_or(0)
    }
}
