//! A batch of a file: packets of one link type that lie in a part of a buffer.

use netring_pcap::Packet;

use crate::link_type::LinkType;
use crate::ring::columns::{CopyFailure, Row};
use crate::ring::layout::status;
use crate::ring::{Column, ColumnSet, Columns, Memory};
use crate::source::BatchHeader;

/// Bytes of an Ethernet header, and where its parts are.
const ETHERNET: usize = 14;
const SOURCE: usize = 6;
const ADDRESS: usize = 6;
const ETHERTYPE: usize = 12;

/// Packets in the file's order. It cannot be copied; its memory is read into again once the source has it back.
#[derive(Debug)]
#[must_use = "a batch that is dropped keeps its buffer for ever"]
pub struct Batch {
    pub(super) source: u64,
    /// Number of the buffer that it lies in.
    pub(super) buffer: usize,
    pub(super) memory: Memory,
    pub(super) found: netring_pcap::Batch,
    pub(super) link_type: LinkType,
    pub(super) sequence: u64,
    pub(super) more: bool,
}

impl Batch {
    pub(super) fn packets(&self) -> u32 {
        self.found.packets().len() as u32
    }

    pub(super) fn header(&self) -> BatchHeader {
        let losing = self.found.packets().iter().any(|packet| self.is_losing(packet));
        BatchHeader { length: self.packets(), sequence: self.sequence, timed_out: false, losing, more: self.more }
    }

    fn is_losing(&self, packet: &Packet) -> bool {
        self.found.extra(packet).and_then(|extra| extra.drop_count).is_some_and(|count| count > 0)
    }

    /// Fills the columns of `set`, with offsets into the batch's memory.
    pub(super) fn fill(&self, columns: &Columns, set: ColumnSet) {
        columns.fill_rows(set, self.found.packets().iter().map(|packet| self.row(packet, packet.offset, set)));
    }

    /// Copies all packets into `target`, end to end, and their columns into `columns`, with offsets into `target`.
    pub(super) fn copy(&self, columns: &Columns, target: &Memory) -> Result<(), CopyFailure> {
        if self.packets() > columns.capacity() {
            return Err(CopyFailure::TargetTooSmall);
        }
        let mut at = 0;
        for packet in self.found.packets() {
            let length = packet.captured_len as usize;
            if !self.memory.copy_to(packet.offset as usize, length, target, at) {
                return Err(CopyFailure::TargetTooSmall);
            }
            at += length;
        }
        let mut at = 0;
        let rows = self.found.packets().iter().map(|packet| {
            let row = self.row(packet, at, ColumnSet::ALL);
            at += packet.captured_len;
            row
        });
        columns.fill_rows(ColumnSet::ALL, rows);
        Ok(())
    }

    #[inline]
    fn row(&self, packet: &Packet, offset: u32, set: ColumnSet) -> Row {
        let mut row = Row {
            offset,
            captured: packet.captured_len,
            original: packet.original_len,
            // What 32 bits do not hold ends at the largest value; before 1970 is 0.
            seconds: packet.time.seconds.clamp(0, u32::MAX.into()) as u32,
            nanoseconds: packet.time.nanoseconds,
            direction: packet.flags.direction().map_or(0, |direction| direction as u8),
            interface_id: packet.interface_id,
            ..Row::default()
        };
        if set.has(Column::Status) {
            row.status = self.status(packet);
        }
        if set.has(Column::Protocol) || set.has(Column::SourceAddress) || set.has(Column::AddressLength) {
            self.read_link(packet, &mut row);
        }
        row
    }

    fn status(&self, packet: &Packet) -> u32 {
        let mut word = packet.flags.tp_status();
        if packet.truncated() {
            word |= status::TRUNCATED;
        }
        if self.is_losing(packet) {
            word |= status::LOSING;
        }
        word
    }

    /// What the link layer says, where it is Ethernet.
    fn read_link(&self, packet: &Packet, row: &mut Row) {
        let mut head = [0; ETHERNET];
        let whole = self.link_type == LinkType::ETHERNET && packet.captured_len as usize >= ETHERNET;
        if whole && self.memory.read_into(packet.offset as usize, &mut head) {
            row.protocol = u16::from_be_bytes([head[ETHERTYPE], head[ETHERTYPE + 1]]);
            row.address_length = ADDRESS as u8;
            row.source_address[..ADDRESS].copy_from_slice(&head[SOURCE..SOURCE + ADDRESS]);
        }
    }
}
