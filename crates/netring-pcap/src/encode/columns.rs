//! A whole batch in one call.

use super::record::{Head, Parts, captured, check_length};
use super::{EncodeError, Encoder, check_link_type};
use crate::flags::PacketFlags;
use crate::interface::Interface;
use crate::link_type::LinkType;
use crate::time::Timestamp;

/// Packets as columns: entry `i` of each is packet `i`'s. Those that are empty say nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Columns<'a> {
    /// Where the packet begins in the batch's bytes.
    pub offset: &'a [u32],
    /// Bytes present there.
    pub captured_len: &'a [u32],
    /// Bytes on the wire.
    pub original_len: &'a [u32],
    /// Seconds since the epoch.
    pub seconds: &'a [u32],
    /// Nanoseconds below a second.
    pub nanoseconds: &'a [u32],
    /// `tp_status` of AF_PACKET: checksum state, segmentation, VLAN. May be empty.
    pub status: &'a [u32],
    /// `sll_pkttype` of AF_PACKET. May be empty.
    pub direction: &'a [u8],
    /// The interface of each packet; empty: the first of all.
    pub interface_id: &'a [u16],
    /// VLAN tags that the kernel took out of the bytes, to be put back; `None` where they are in the bytes.
    pub vlan: Option<VlanColumns<'a>>,
    /// The queue that all of them came from, as an AF_XDP socket knows it.
    pub queue: Option<u32>,
    /// Packets lost before the first of the packets that are written.
    pub drop_count: Option<u64>,
}

/// VLAN tags as AF_PACKET has them beside the bytes. A packet has one where its status says TP_STATUS_VLAN_VALID.
#[derive(Clone, Copy, Debug)]
pub struct VlanColumns<'a> {
    /// Priority and number.
    pub tci: &'a [u16],
    /// The tag's ethertype; used where the status says TP_STATUS_VLAN_TPID_VALID, else 0x8100.
    pub tpid: &'a [u16],
}

/// Bits of `tp_status`, include/uapi/linux/if_packet.h.
const VLAN_VALID: u32 = 1 << 4;
const VLAN_TPID_VALID: u32 = 1 << 6;

/// How much may be written, as a rotation says ([`Rotation::room`](crate::Rotation::room)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Write the first packet even if it is longer than `bytes`: a file without packets has room for one.
    pub one_at_least: bool,
}

impl Room {
    /// No limit.
    pub const UNLIMITED: Self = Self { bytes: u64::MAX, packets: u64::MAX, one_at_least: true };
}

impl Encoder {
    /// Writes the packets at `indices` of a batch, in that order, as far as there is room; returns how many of
    /// them. All of a batch: `0..length`.
    ///
    /// ```
    /// # use netring_pcap::{Columns, Encoder, Interface, LinkType, Room};
    /// # let encoder = Encoder::new(Default::default(), vec![Interface::new(LinkType::RAW, 0)])?;
    /// let bytes = b"..abcdefg";
    /// let columns = Columns {
    ///     offset: &[2, 5],
    ///     captured_len: &[3, 4],
    ///     original_len: &[3, 4],
    ///     seconds: &[1, 1],
    ///     nanoseconds: &[0, 500],
    ///     ..Default::default()
    /// };
    /// let mut file = Vec::new();
    /// assert_eq!(encoder.batch(bytes, &columns, 0..2, Room::UNLIMITED, &mut file)?, 2);
    /// # Ok::<(), netring_pcap::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// Where a packet does not lie in `bytes`, where columns are shorter than others, and where the format cannot hold
    /// a packet; then `out` is as it was.
    pub fn batch(
        &self,
        bytes: &[u8],
        columns: &Columns<'_>,
        indices: impl IntoIterator<Item = u32>,
        room: Room,
        out: &mut Vec<u8>,
    ) -> Result<usize, EncodeError> {
        let start = out.len();
        let written = self.push_batch(bytes, columns, indices.into_iter(), room, out);
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn push_batch(
        &self,
        bytes: &[u8],
        columns: &Columns<'_>,
        indices: impl Iterator<Item = u32>,
        room: Room,
        out: &mut Vec<u8>,
    ) -> Result<usize, EncodeError> {
        let mut left = room.bytes;
        let mut written = 0;
        let mut last: Option<(u16, &Interface)> = None;
        for index in indices {
            if written as u64 == room.packets {
                break;
            }
            let (parts, mut head) = columns.packet(bytes, index).ok_or(EncodeError::Bounds(index))?;
            let interface = match last {
                Some((id, interface)) if id == head.interface_id => interface,
                _ => last.insert((head.interface_id, self.interface(head.interface_id)?)).1,
            };
            if columns.vlan.is_some() {
                check_link_type(LinkType::ETHERNET, interface.link_type)?;
            }
            head.drop_count = if written == 0 { columns.drop_count } else { None };
            check_length(parts.len())?;
            let captured = captured(interface, parts.len());
            let length = self.record_len(captured, &head) as u64;
            if length > left && !(written == 0 && room.one_at_least) {
                break;
            }
            self.push(&parts, captured, head, None, out)?;
            left = left.saturating_sub(length);
            written += 1;
        }
        Ok(written)
    }
}

impl<'a> Columns<'a> {
    /// The packet of an index; `None` where it is not inside of `bytes`, or a column has no entry for it.
    #[inline]
    fn packet<'b>(&self, bytes: &'b [u8], index: u32) -> Option<(Parts<'b>, Head)> {
        let i = index as usize;
        let data = bytes.get(*self.offset.get(i)? as usize..)?.get(..*self.captured_len.get(i)? as usize)?;
        let status = optional(self.status, i)?;
        // No direction is none of the known ones.
        let direction = if self.direction.is_empty() { u8::MAX } else { *self.direction.get(i)? };
        let parts = match self.vlan {
            Some(vlan) if status & VLAN_VALID != 0 => vlan.parts(data, i, status)?,
            _ => Parts::of(data),
        };
        let tag = (parts.len() - data.len()) as u32;
        let original = self.original_len.get(i)?.saturating_add(tag).max(parts.len() as u32);
        let seconds = i64::from(*self.seconds.get(i)?);
        let head = Head {
            original,
            time: Timestamp { seconds, nanoseconds: *self.nanoseconds.get(i)? },
            interface_id: optional(self.interface_id, i)?,
            flags: PacketFlags::from_af_packet(status, direction),
            drop_count: None,
            queue: self.queue,
        };
        Some((parts, head))
    }
}

impl VlanColumns<'_> {
    /// The packet with its tag behind the two addresses. What is shorter than these stays without.
    fn parts<'b>(&self, data: &'b [u8], i: usize, status: u32) -> Option<Parts<'b>> {
        let tpid = if status & VLAN_TPID_VALID != 0 { *self.tpid.get(i)? } else { 0x8100 };
        let ([t0, t1], [c0, c1]) = (tpid.to_be_bytes(), self.tci.get(i)?.to_be_bytes());
        Some(match data.split_at_checked(12) {
            Some((front, back)) => Parts { front, tag: Some([t0, t1, c0, c1]), back },
            None => Parts::of(data),
        })
    }
}

/// An entry of a column that may be empty.
#[inline]
fn optional<T: Copy + Default>(column: &[T], index: usize) -> Option<T> {
    if column.is_empty() { Some(T::default()) } else { column.get(index).copied() }
}
