//! A batch: packets in frames, with their metadata.

use std::time::{SystemTime, UNIX_EPOCH};

use super::frames::Received;
use crate::ring::columns::{CopyFailure, Row};
use crate::ring::{Column, ColumnSet, Columns, Memory};
use crate::source::BatchHeader;

/// Bytes of an Ethernet header, and where its parts are.
const ETHERNET: usize = 14;
const SOURCE: usize = 6;
const ADDRESS: usize = 6;
const ETHERTYPE: usize = 12;

/// Packets of one queue, in order of arrival. User space owns their frames until the batch is
/// released; it cannot be copied.
#[derive(Debug)]
#[must_use = "a batch that is dropped keeps its frames from the kernel for ever"]
pub struct Batch {
    pub(super) socket: u64,
    /// Position of the queue among those of the socket.
    pub(super) queue: usize,
    pub(super) packets: Vec<Received>,
    memory: Memory,
    start: u32,
    sequence: u64,
    /// When it was taken, for all of its packets: the kernel gives an AF_XDP socket no time.
    seconds: u32,
    nanoseconds: u32,
    losing: bool,
    more: bool,
}

impl Batch {
    pub(super) fn new(socket: u64, queue: usize, packets: Vec<Received>, umem: &Memory, frame_size: u32) -> Self {
        let frames = packets.iter().map(Received::frame);
        let (first, last) = frames.fold((u32::MAX, 0), |(low, high), frame| (low.min(frame), high.max(frame)));
        let start = first * frame_size;
        let length = (last - first + 1) as usize * frame_size as usize;
        let memory = umem.slice(start as usize, length).expect("accepted frames lie inside the UMEM");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            socket,
            queue,
            packets,
            memory,
            start,
            sequence: 0,
            seconds: now.as_secs() as u32,
            nanoseconds: now.subsec_nanos(),
            losing: false,
            more: false,
        }
    }

    /// Adds what its socket knows of it: its number, whether packets of its queue were lost since
    /// the batch before, whether its queue's next one is there already.
    pub(super) fn with_context(mut self, sequence: u64, losing: bool, more: bool) -> Self {
        self.sequence = sequence;
        self.losing = losing;
        self.more = more;
        self
    }

    pub(super) fn header(&self) -> BatchHeader {
        BatchHeader {
            length: self.packets.len() as u32,
            sequence: self.sequence,
            timed_out: false,
            losing: self.losing,
            more: self.more,
        }
    }

    /// The memory from its first frame to its last, with all frames between.
    pub(super) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Fills the columns of `set`, with offsets into [`memory`](Self::memory).
    pub(super) fn fill(&self, columns: &Columns, set: ColumnSet) {
        columns.fill_rows(set, self.packets.iter().map(|packet| self.row(packet, packet.offset() - self.start, set)));
        if self.losing {
            columns.mark_losing();
        }
    }

    /// Copies all packets into `target`, end to end, and their columns into `columns`, with offsets into `target`.
    pub(super) fn copy(&self, columns: &Columns, target: &Memory) -> Result<(), CopyFailure> {
        let mut at = 0;
        for packet in &self.packets {
            let length = packet.length() as usize;
            if !self.memory.copy_to((packet.offset() - self.start) as usize, length, target, at) {
                return Err(CopyFailure::TargetTooSmall);
            }
            at += length;
        }
        if self.packets.len() > columns.capacity() as usize {
            return Err(CopyFailure::TargetTooSmall);
        }
        let mut at = 0;
        columns.fill_rows(
            ColumnSet::ALL,
            self.packets.iter().map(|packet| {
                let row = self.row(packet, at, ColumnSet::ALL);
                at += packet.length();
                row
            }),
        );
        if self.losing {
            columns.mark_losing();
        }
        Ok(())
    }

    #[inline]
    fn row(&self, packet: &Received, offset: u32, set: ColumnSet) -> Row {
        let length = packet.length();
        let mut row = Row {
            offset,
            captured: length,
            original: length,
            seconds: self.seconds,
            nanoseconds: self.nanoseconds,
            ..Row::default()
        };
        let link = set.has(Column::Protocol) || set.has(Column::SourceAddress) || set.has(Column::AddressLength);
        if link && length >= ETHERNET as u32 {
            let mut header = [0; ETHERNET];
            let inside = self.memory.read_into((packet.offset() - self.start) as usize, &mut header);
            assert!(inside, "accepted packets lie inside their frames");
            row.protocol = u16::from_be_bytes([header[ETHERTYPE], header[ETHERTYPE + 1]]);
            row.address_length = ADDRESS as u8;
            row.source_address[..ADDRESS].copy_from_slice(&header[SOURCE..SOURCE + ADDRESS]);
        }
        row
    }
}
