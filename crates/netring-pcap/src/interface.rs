//! An interface of a capture file, and what its capturer counted.

use crate::link_type::LinkType;
use crate::time::{Resolution, Timestamp};

/// One interface description block of pcapng, or the header of a pcap file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// What its packets begin with.
    pub link_type: LinkType,
    /// The most bytes of a packet that were kept; 262 144 where the file gives no limit.
    pub snap_len: u32,
    /// The section it belongs to, from 0: interfaces with equal numbers in the file differ by it.
    pub section: u32,
    /// The unit of its packets' times in the file; they are nanoseconds here.
    pub resolution: Resolution,
    /// Seconds that were added to every time of it.
    pub ts_offset: i64,
    /// As in `eth0`.
    pub name: Option<String>,
    /// A text for people.
    pub description: Option<String>,
    /// The capture filter, where the file has it as a text.
    pub filter: Option<String>,
    /// The operating system.
    pub os: Option<String>,
    /// The hardware.
    pub hardware: Option<String>,
    /// The Ethernet address.
    pub mac: Option<[u8; 6]>,
    /// Bits a second.
    pub speed: Option<u64>,
    /// Bits of frame check sequence at the end of each packet. pcapng's unit is bits; some writers put bytes.
    pub fcs_bits: Option<u8>,
    /// The last interface statistics block that names it.
    pub stats: Option<InterfaceStats>,
}

impl Interface {
    /// An interface of which no more is known, with times in microseconds.
    pub fn new(link_type: LinkType, snap_len: u32) -> Self {
        Self {
            link_type,
            snap_len,
            section: 0,
            resolution: Resolution::MICROSECONDS,
            ts_offset: 0,
            name: None,
            description: None,
            filter: None,
            os: None,
            hardware: None,
            mac: None,
            speed: None,
            fcs_bits: None,
            stats: None,
        }
    }
}

/// Counters of a capture. `None`: the file does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InterfaceStats {
    /// When the counters were read.
    pub time: Timestamp,
    /// When the capture began.
    pub start: Option<Timestamp>,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// Packets that the interface received.
    pub received: Option<u64>,
    /// Packets that the interface dropped for want of room.
    pub dropped: Option<u64>,
    /// Packets that the filter let in.
    pub filter_accepted: Option<u64>,
    /// Of those, packets that the operating system dropped.
    pub os_dropped: Option<u64>,
    /// Of those, packets that the capturing program got.
    pub delivered: Option<u64>,
}
