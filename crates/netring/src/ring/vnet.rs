//! The virtio-net header that `PACKET_VNET_HDR` puts before each packet: what is left for the hardware to do.
//!
//! A packet that this host or its neighbour sent need not be finished: its checksum may be missing, and it may be
//! many segments in one. The header says so, and a packet that is sent with the same header is finished where it
//! would have been.

use super::memory::Memory;

/// `sizeof(struct virtio_net_hdr)`, include/uapi/linux/virtio_net.h. In the ring it lies just before the link-layer
/// header (`tpacket_rcv`, net/packet/af_packet.c). Its fields are native-endian (`vio_le`).
pub const BYTES: u32 = 10;

/// `flags`.
const FLAGS: u32 = 0;
/// `gso_type`.
const GSO_TYPE: u32 = 1;
/// `hdr_len`: bytes that should be in one piece.
const HEADER_LENGTH: u32 = 2;
/// `csum_start`: where checksumming starts, from the packet's first byte.
const CHECKSUM_START: u32 = 6;

/// `VIRTIO_NET_HDR_F_NEEDS_CSUM`.
const NEEDS_CHECKSUM: u8 = 1;
/// `VIRTIO_NET_HDR_GSO_NONE`.
const GSO_NONE: u8 = 0;

/// The packet at `data` has grown by so many bytes behind its addresses.
pub(super) fn lengthen(memory: &Memory, data: u32, by: u16) {
    let start = data - BYTES;
    let add = |field: u32| {
        let at = (start + field) as usize;
        // A packet on an even address: always, on Ethernet. Elsewhere no tag is put back.
        if let Some(value) = memory.u16(at) {
            memory.set_u16(at, value.saturating_add(by));
        }
    };
    if memory.u8((start + FLAGS) as usize).is_some_and(|flags| flags & NEEDS_CHECKSUM != 0) {
        add(CHECKSUM_START);
    }
    if memory.u8((start + GSO_TYPE) as usize).is_some_and(|kind| kind != GSO_NONE) {
        add(HEADER_LENGTH);
    }
}
