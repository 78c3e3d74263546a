//! VLAN tags: the kernel strips the outermost one into the packet's header; this module puts it back.

use super::layout::{packet, status};
use super::memory::Memory;
use super::vnet;

/// Bytes of a tag; what `PACKET_RESERVE` must leave free before the link-layer header.
pub const TAG_BYTES: u32 = 4;
/// Both MAC addresses: the tag goes behind them.
const ADDRESSES: u32 = 12;
/// TPID of a tag whose header does not say (before Linux 3.14, and never since).
const DEFAULT_TPID: u16 = libc::ETH_P_8021Q as u16;

/// The tag's control information and protocol, or zeros on an untagged packet.
#[inline(always)]
pub fn tag(status: u32, tci: u32, tpid: u16) -> (u16, u16) {
    if status & status::VLAN_VALID == 0 {
        (0, 0)
    } else if status & status::VLAN_TPID_VALID == 0 {
        (tci as u16, DEFAULT_TPID)
    } else {
        (tci as u16, tpid)
    }
}

/// Where a packet's bytes are, how many were captured and how many were on the wire.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    pub(super) data: u32,
    pub(super) captured: u32,
    pub(super) original: u32,
}

/// Puts the tag back as libpcap does: both addresses move down into the reserved bytes and the tag
/// fills the gap. Corrects the packet's header as well, so that a second walk finds the mended
/// packet. With `vnet_header` the header before the packet moves along and its offsets grow by the tag. Packets
/// without an Ethernet header or without room stay unchanged.
///
/// Takes and returns values, and is not inlined: were the extent's address taken, the walker would
/// keep it in memory and wait for it on every packet, tagged or not.
#[cold]
#[inline(never)]
pub(super) fn reinsert(memory: &Memory, header: u32, status: u32, extent: Extent, vnet_header: bool) -> Extent {
    let before = if vnet_header { vnet::BYTES } else { 0 };
    let at = header as usize;
    let hardware = memory.u16(at + packet::HARDWARE_TYPE).unwrap_or(u16::MAX);
    let ethernet = matches!(hardware, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK);
    let room = extent.data - header >= packet::SIZE as u32 + before + TAG_BYTES;
    if !ethernet || !room || extent.captured < ADDRESSES {
        return extent;
    }
    let tci = memory.u32(at + packet::VLAN_TCI).unwrap_or(0);
    let tpid = memory.u16(at + packet::VLAN_TPID).unwrap_or(0);
    let (tci, tpid) = tag(status, tci, tpid);
    let data = extent.data - TAG_BYTES;
    let mut bytes = [0; TAG_BYTES as usize];
    bytes[..2].copy_from_slice(&tpid.to_be_bytes());
    bytes[2..].copy_from_slice(&tci.to_be_bytes());
    let moved =
        memory.copy_within((extent.data - before) as usize, (data - before) as usize, (before + ADDRESSES) as usize)
            && memory.write((data + ADDRESSES) as usize, &bytes);
    debug_assert!(moved, "the frame lies inside the block");
    if vnet_header {
        vnet::lengthen(memory, data, TAG_BYTES as u16);
    }
    let mended =
        Extent { data, captured: extent.captured + TAG_BYTES, original: extent.original.saturating_add(TAG_BYTES) };
    memory.set_u16(at + packet::MAC, (data - header) as u16);
    memory.set_u32(at + packet::SNAPLEN, mended.captured);
    memory.set_u32(at + packet::LENGTH, mended.original);
    mended
}
