//! One packet.

use super::block::{check_text, push_option};
use super::{EncodeError, Encoder, OutputFormat, nanoseconds};
use crate::decode::padded;
use crate::flags::PacketFlags;
use crate::interface::Interface;
use crate::time::Timestamp;
use crate::wire::{block, option, pcap};

/// A packet to be written. pcap holds its bytes, lengths and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketRecord<'a> {
    /// The bytes that there are; what is beyond the interface's snaplen is cut off.
    pub data: &'a [u8],
    /// Bytes that it had on the wire.
    pub original_len: u32,
    /// When it was captured.
    pub time: Timestamp,
    /// Its interface.
    pub interface_id: u16,
    /// Direction and checksum state.
    pub flags: PacketFlags,
    /// Packets lost since the one before, if that is known.
    pub drop_count: Option<u64>,
    /// The queue it came from.
    pub queue: Option<u32>,
    /// A text about it.
    pub comment: Option<&'a str>,
}

impl<'a> PacketRecord<'a> {
    /// A whole packet of the first interface, at the epoch, of which no more is known.
    pub fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            original_len: data.len() as u32,
            time: Timestamp::default(),
            interface_id: 0,
            flags: PacketFlags(0),
            drop_count: None,
            queue: None,
            comment: None,
        }
    }
}

/// A packet whose bytes lie in two places, with a VLAN tag between them.
pub(super) struct Parts<'a> {
    pub(super) front: &'a [u8],
    pub(super) tag: Option<[u8; 4]>,
    pub(super) back: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(super) fn of(data: &'a [u8]) -> Self {
        Self { front: data, tag: None, back: &[] }
    }

    pub(super) fn len(&self) -> usize {
        self.front.len() + self.tag.map_or(0, |tag| tag.len()) + self.back.len()
    }

    /// At most so many bytes of it.
    fn push(&self, captured: usize, out: &mut Vec<u8>) {
        let Some(tag) = self.tag else { return out.extend_from_slice(&self.front[..captured]) };
        let mut left = captured;
        for part in [self.front, &tag, self.back] {
            let taken = part.len().min(left);
            out.extend_from_slice(&part[..taken]);
            left -= taken;
        }
    }
}

/// What a record says of its packet.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) original: u32,
    pub(super) time: Timestamp,
    pub(super) interface_id: u16,
    pub(super) flags: PacketFlags,
    pub(super) drop_count: Option<u64>,
    pub(super) queue: Option<u32>,
}

/// Bytes of a packet that are kept.
pub(super) fn captured(interface: &Interface, length: usize) -> usize {
    // 0: no limit.
    if interface.snap_len == 0 { length } else { length.min(interface.snap_len as usize) }
}

/// A packet of 2^30 bytes makes no block that a decoder takes.
pub(super) fn check_length(length: usize) -> Result<(), EncodeError> {
    if length < 1 << 30 { Ok(()) } else { Err(EncodeError::PacketTooLong(length)) }
}

impl Encoder {
    /// One packet.
    ///
    /// # Errors
    /// Where the format cannot hold it; then `out` is as it was.
    pub fn packet(&self, record: &PacketRecord<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let PacketRecord { data, original_len, time, interface_id, flags, drop_count, queue, comment } = *record;
        let interface = self.interface(interface_id)?;
        comment.map_or(Ok(()), check_text)?;
        check_length(data.len())?;
        let head = Head { original: original_len.max(data.len() as u32), time, interface_id, flags, drop_count, queue };
        self.push(&Parts::of(data), captured(interface, data.len()), head, comment, out)
    }

    /// Writes a record of `captured` bytes. All but the time has been checked.
    #[inline]
    pub(super) fn push(
        &self,
        parts: &Parts<'_>,
        captured: usize,
        head: Head,
        comment: Option<&str>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        match self.format() {
            OutputFormat::PcapNg => enhanced_packet(parts, captured, head, comment, out),
            OutputFormat::PcapMicroseconds => pcap_record(parts, captured, head, 1000, out),
            OutputFormat::PcapNanoseconds => pcap_record(parts, captured, head, 1, out),
        }
    }

    /// Bytes of the record of a packet without a comment.
    #[inline]
    pub(super) fn record_len(&self, captured: usize, head: &Head) -> usize {
        match self.format() {
            OutputFormat::PcapNg => 32 + padded(captured) + options_len(head),
            _ => pcap::RECORD_HEADER + captured,
        }
    }
}

#[inline]
fn pcap_record(
    parts: &Parts<'_>,
    captured: usize,
    head: Head,
    unit: u32,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let seconds = u32::try_from(head.time.seconds).map_err(|_| EncodeError::TimeOutOfRange(head.time.seconds))?;
    let mut header = [0; pcap::RECORD_HEADER];
    put(&mut header, [seconds, head.time.nanoseconds / unit, captured as u32, head.original]);
    out.extend_from_slice(&header);
    parts.push(captured, out);
    Ok(())
}

#[inline]
fn enhanced_packet(
    parts: &Parts<'_>,
    captured: usize,
    head: Head,
    comment: Option<&str>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let ticks = nanoseconds(head.time)?;
    let mut total = 32 + padded(captured) + options_len(&head);
    if let Some(comment) = comment {
        // opt_endofopt is counted once.
        let end = if options_len(&head) == 0 { 4 } else { 0 };
        total += 4 + padded(comment.len()) + end;
    }
    let total = total as u32;
    let mut header = [0; 28];
    let interface = head.interface_id.into();
    let times = [(ticks >> 32) as u32, ticks as u32];
    put(&mut header, [block::ENHANCED_PACKET, total, interface, times[0], times[1], captured as u32, head.original]);
    out.extend_from_slice(&header);
    parts.push(captured, out);
    let padding = padded(captured) - captured;
    if head.drop_count.is_none() && head.queue.is_none() && comment.is_none() {
        push_flags(head.flags, padding, total, out);
    } else {
        out.extend_from_slice(&[0; 3][..padding]);
        push_options(head, comment, out);
        out.extend_from_slice(&total.to_le_bytes());
    }
    Ok(())
}

/// What follows the bytes of most packets: padding, flags if there are any, the length again. One copy of known length,
/// cut to its end.
#[inline]
fn push_flags(flags: PacketFlags, padding: usize, total: u32, out: &mut Vec<u8>) {
    let mut tail = [0; 16];
    if flags == PacketFlags(0) {
        put(&mut tail[..], [total]);
        tail.copy_within(0..4, padding);
        tail[..padding].fill(0);
        return out.extend_from_slice(&tail[..padding + 4]);
    }
    put(&mut tail, [u32::from(option::PACKET_FLAGS) | 4 << 16, flags.0, 0, total]);
    out.extend_from_slice(&[0; 3][..padding]);
    out.extend_from_slice(&tail);
}

/// Bytes of the options that [`push_options`] writes where there is no comment.
#[inline]
fn options_len(head: &Head) -> usize {
    let flags = if head.flags == PacketFlags(0) { 0 } else { 8 };
    let length = flags + head.drop_count.map_or(0, |_| 12) + head.queue.map_or(0, |_| 8);
    if length == 0 { 0 } else { length + 4 }
}

#[cold]
fn push_options(head: Head, comment: Option<&str>, out: &mut Vec<u8>) {
    if let Some(comment) = comment {
        push_option(option::COMMENT, comment.as_bytes(), out);
    }
    if head.flags != PacketFlags(0) {
        push_option(option::PACKET_FLAGS, &head.flags.0.to_le_bytes(), out);
    }
    if let Some(drop_count) = head.drop_count {
        push_option(option::EPB_DROPCOUNT, &drop_count.to_le_bytes(), out);
    }
    if let Some(queue) = head.queue {
        push_option(option::EPB_QUEUE, &queue.to_le_bytes(), out);
    }
    push_option(option::END, &[], out);
}

#[inline(always)]
fn put<const WORDS: usize>(bytes: &mut [u8], words: [u32; WORDS]) {
    for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
}
