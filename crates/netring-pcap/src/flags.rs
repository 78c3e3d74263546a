//! What a packet's flags word says (option epb_flags of pcapng).

/// The bits of epb_flags (draft-ietf-opsawg-pcapng, "Enhanced Packet Block Flags Word"). 0: nothing is known.
///
/// ```
/// use netring_pcap::{Direction, PacketFlags};
///
/// let flags = PacketFlags::OUTBOUND | PacketFlags::CHECKSUM_NOT_READY;
/// assert_eq!(flags.direction(), Some(Direction::Outgoing));
/// assert!(flags.contains(PacketFlags::CHECKSUM_NOT_READY));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PacketFlags(
    /// The word as the file holds it.
    pub u32,
);

/// Where a packet came from and went to: the values of `sll_pkttype` (include/uapi/linux/if_packet.h), which are the
/// indices into `directions` of the npm package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Direction {
    /// Received, for this host.
    Host = 0,
    /// Received, for everybody on the link.
    Broadcast = 1,
    /// Received, for a group.
    Multicast = 2,
    /// Received in promiscuous mode, for another host.
    OtherHost = 3,
    /// Sent by this host.
    Outgoing = 4,
}

impl Direction {
    /// The direction of a value of `sll_pkttype`.
    pub const fn from_packet_type(packet_type: u8) -> Option<Self> {
        match packet_type {
            0 => Some(Self::Host),
            1 => Some(Self::Broadcast),
            2 => Some(Self::Multicast),
            3 => Some(Self::OtherHost),
            4 => Some(Self::Outgoing),
            _ => None,
        }
    }
}

/// Bits of `tp_status` (include/uapi/linux/if_packet.h) that are worth a bit in a file.
mod status {
    pub(super) const CHECKSUM_NOT_READY: u32 = 1 << 3;
    pub(super) const CHECKSUM_VALID: u32 = 1 << 7;
    pub(super) const GSO_TCP: u32 = 1 << 8;
}

impl PacketFlags {
    /// Bits 0 and 1: received.
    pub const INBOUND: Self = Self(1);
    /// Bits 0 and 1: sent.
    pub const OUTBOUND: Self = Self(2);
    /// Bit 9: the checksum is not yet computed, hardware was to do it.
    pub const CHECKSUM_NOT_READY: Self = Self(1 << 9);
    /// Bit 10: hardware found the checksum right.
    pub const CHECKSUM_VALID: Self = Self(1 << 10);
    /// Bit 11: one large TCP segment that hardware was to cut.
    pub const SEGMENTATION_OFFLOAD: Self = Self(1 << 11);

    /// Are all bits of `other` set?
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Bytes of frame check sequence at the packet's end (bits 5 to 8); 0 where nothing is said.
    pub const fn fcs_bytes(self) -> u32 {
        self.0 >> 5 & 0xf
    }

    /// The direction, from bits 0 and 1 and the reception type in bits 2 to 4. A packet of which is only known that
    /// it was received counts as one for this host.
    pub const fn direction(self) -> Option<Direction> {
        match (self.0 & 3, self.0 >> 2 & 7) {
            (2, _) => Some(Direction::Outgoing),
            (1, 2) => Some(Direction::Multicast),
            (1, 3) => Some(Direction::Broadcast),
            (1, 4) => Some(Direction::OtherHost),
            (1, _) => Some(Direction::Host),
            _ => None,
        }
    }

    /// The flags of a direction: bits 0 to 4.
    pub const fn from_direction(direction: Direction) -> Self {
        Self(match direction {
            Direction::Host => 1 | 1 << 2,
            Direction::Multicast => 1 | 2 << 2,
            Direction::Broadcast => 1 | 3 << 2,
            Direction::OtherHost => 1 | 4 << 2,
            Direction::Outgoing => 2,
        })
    }

    /// The flags of what AF_PACKET says of a packet: `tp_status` and `sll_pkttype`.
    #[inline]
    pub const fn from_af_packet(tp_status: u32, packet_type: u8) -> Self {
        let mut word = match Direction::from_packet_type(packet_type) {
            Some(direction) => Self::from_direction(direction).0,
            None => 0,
        };
        if tp_status & status::CHECKSUM_NOT_READY != 0 {
            word |= Self::CHECKSUM_NOT_READY.0;
        }
        if tp_status & status::CHECKSUM_VALID != 0 {
            word |= Self::CHECKSUM_VALID.0;
        }
        if tp_status & status::GSO_TCP != 0 {
            word |= Self::SEGMENTATION_OFFLOAD.0;
        }
        Self(word)
    }

    /// What AF_PACKET would say in `tp_status`: checksum state and segmentation.
    #[inline]
    pub const fn tp_status(self) -> u32 {
        let mut word = 0;
        if self.contains(Self::CHECKSUM_NOT_READY) {
            word |= status::CHECKSUM_NOT_READY;
        }
        if self.contains(Self::CHECKSUM_VALID) {
            word |= status::CHECKSUM_VALID;
        }
        if self.contains(Self::SEGMENTATION_OFFLOAD) {
            word |= status::GSO_TCP;
        }
        word
    }
}

impl std::ops::BitOr for PacketFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_go_both_ways() {
        for packet_type in 0..5 {
            let direction = Direction::from_packet_type(packet_type).unwrap();
            assert_eq!(direction as u8, packet_type);
            assert_eq!(PacketFlags::from_direction(direction).direction(), Some(direction));
        }
        assert_eq!(Direction::from_packet_type(5), None);
        assert_eq!(PacketFlags(0).direction(), None);
        assert_eq!(PacketFlags(3).direction(), None);
    }

    #[test]
    fn the_fcs_is_counted_in_bytes() {
        assert_eq!(PacketFlags(4 << 5).fcs_bytes(), 4);
        assert_eq!(PacketFlags(!(0xf << 5)).fcs_bytes(), 0);
    }

    #[test]
    fn the_kernels_status_becomes_bits_9_to_11() {
        let flags = PacketFlags::from_af_packet(0x188, 4);
        assert_eq!(flags.0, 2 | 1 << 9 | 1 << 10 | 1 << 11);
        assert_eq!((flags.tp_status(), flags.direction()), (0x188, Some(Direction::Outgoing)));
        assert_eq!(PacketFlags::from_af_packet(0x41, 6), PacketFlags(0));
        for status in [8, 0x80, 0x100] {
            assert_eq!(PacketFlags::from_af_packet(status, 0).tp_status(), status);
        }
    }
}
