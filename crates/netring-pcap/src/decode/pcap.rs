//! The records of pcap.

use super::batch::{Batch, Packet};
use super::bytes::u32_at;
use super::head::PcapHeader;
use super::{Limits, Stop};
use crate::error::Reason;
use crate::flags::{Direction, PacketFlags};
use crate::time::Timestamp;
use crate::wire::pcap::{MODIFIED_RECORD_HEADER, RECORD_HEADER};

/// Where the two lengths of a packet stand (`lengths_swapped`, sf-pcap.c).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lengths {
    CapturedFirst,
    OriginalFirst,
    /// The smaller one is the captured one.
    Either,
}

impl Lengths {
    fn of(header: &PcapHeader) -> Self {
        match (header.major, header.minor) {
            (2, 0..=2) | (543, _) => Self::OriginalFirst,
            (2, 3) => Self::Either,
            _ => Self::CapturedFirst,
        }
    }
}

/// Fills the batch with the records in `bytes` from `at` on; returns where it stopped.
pub(super) fn walk(header: &PcapHeader, limits: &Limits, bytes: &[u8], at: usize, batch: &mut Batch) -> (usize, Stop) {
    batch.link_type = Some(header.link_type);
    let walk = match (header.big_endian, header.modified) {
        (false, false) => records::<false, RECORD_HEADER>,
        (true, false) => records::<true, RECORD_HEADER>,
        (false, true) => records::<false, MODIFIED_RECORD_HEADER>,
        (true, true) => records::<true, MODIFIED_RECORD_HEADER>,
    };
    let ended = walk(header, limits, bytes, at, batch);
    if batch.packets.is_empty() {
        batch.link_type = None;
    }
    ended
}

fn records<const BIG: bool, const HEADER: usize>(
    header: &PcapHeader,
    limits: &Limits,
    bytes: &[u8],
    mut at: usize,
    batch: &mut Batch,
) -> (usize, Stop) {
    let lengths = Lengths::of(header);
    let (units, nanos) = if header.nanoseconds { (1_000_000_000, 1) } else { (1_000_000, 1000) };
    while batch.packets.len() < limits.max_packets {
        let rest = &bytes[at..];
        let Some(record) = rest.first_chunk::<HEADER>() else { return (at, Stop::More(HEADER)) };
        let (mut captured, mut original) = (u32_at::<BIG>(record, 8), u32_at::<BIG>(record, 12));
        if lengths != Lengths::CapturedFirst && (lengths == Lengths::OriginalFirst || captured > original) {
            (captured, original) = (original, captured);
        }
        if captured > limits.max_record_len {
            return (at, Stop::Failed(Reason::TooLong { length: captured, limit: limits.max_record_len }));
        }
        let end = HEADER + captured as usize;
        if rest.len() < end {
            return (at, Stop::More(end));
        }
        let mut time = Timestamp { seconds: u32_at::<BIG>(record, 0).into(), nanoseconds: u32_at::<BIG>(record, 4) };
        if time.nanoseconds >= units {
            // Some writers let the fraction run past a second.
            time.seconds += i64::from(time.nanoseconds / units);
            time.nanoseconds %= units;
        }
        time.nanoseconds *= nanos;
        batch.packets.push(Packet {
            offset: (at + HEADER) as u32,
            captured_len: captured,
            original_len: original.max(captured),
            time,
            flags: if HEADER == MODIFIED_RECORD_HEADER { modified_flags(record[22]) } else { PacketFlags(0) },
            interface_id: 0,
            extra: Packet::NO_EXTRA,
        });
        at += end;
    }
    (at, Stop::Full)
}

/// `pkt_type` of `pcap_sf_patched_pkthdr` (pcap-int.h) has the values of `sll_pkttype`.
fn modified_flags(packet_type: u8) -> PacketFlags {
    Direction::from_packet_type(packet_type).map_or(PacketFlags(0), PacketFlags::from_direction)
}
