//! Blocks that hold a packet.

use super::options::Options;
use super::{Block, Blocks, Clock, Step, Walk, whole};
use crate::decode::Stop;
use crate::decode::batch::{Extra, Packet, Span};
use crate::decode::bytes::{padded, ticks_at, u16_at, u32_at, u32_of, u64_of};
use crate::error::Reason;
use crate::flags::PacketFlags;
use crate::time::Timestamp;
use crate::wire::option;

/// Bytes in front of a packet: of its block, and of a simple packet block.
const HEADER: usize = 28;
const SIMPLE_HEADER: usize = 12;

/// What distinguishes one packet block from another.
struct Parts {
    /// The number in the section.
    interface: u32,
    time: Option<u64>,
    captured: u32,
    original: u32,
    header: usize,
    drop_count: Option<u64>,
}

impl Blocks {
    #[inline(always)]
    pub(super) fn enhanced_packet<const BIG: bool>(&self, walk: &mut Walk<'_>, block: Block<'_>) -> Step {
        let Some(head) = block.rest.first_chunk::<HEADER>() else { return short(block, HEADER) };
        let parts = Parts {
            interface: u32_at::<BIG>(head, 8),
            time: Some(ticks_at::<BIG>(head, 12)),
            captured: u32_at::<BIG>(head, 20),
            original: u32_at::<BIG>(head, 24),
            header: HEADER,
            drop_count: None,
        };
        self.packet::<BIG>(walk, block, parts)
    }

    /// The packet block of the first drafts. It is read and no longer written.
    pub(super) fn old_packet<const BIG: bool>(&self, walk: &mut Walk<'_>, block: Block<'_>) -> Step {
        let Some(head) = block.rest.first_chunk::<HEADER>() else { return short(block, HEADER) };
        let drops = u16_at::<BIG>(head, 10);
        let parts = Parts {
            interface: u16_at::<BIG>(head, 8).into(),
            time: Some(ticks_at::<BIG>(head, 12)),
            captured: u32_at::<BIG>(head, 20),
            original: u32_at::<BIG>(head, 24),
            header: HEADER,
            // 0xffff: not known.
            drop_count: (drops != 0 && drops != u16::MAX).then_some(drops.into()),
        };
        self.packet::<BIG>(walk, block, parts)
    }

    /// No time and no interface, which is then the section's first; how much was captured follows from its snaplen.
    pub(super) fn simple_packet<const BIG: bool>(&self, walk: &mut Walk<'_>, block: Block<'_>) -> Step {
        let Some(head) = block.rest.first_chunk::<SIMPLE_HEADER>() else { return short(block, SIMPLE_HEADER) };
        let original = u32_at::<BIG>(head, 8);
        let captured = self.clocks.first().map_or(original, |clock| original.min(clock.snap_len));
        let parts = Parts { interface: 0, time: None, captured, original, header: SIMPLE_HEADER, drop_count: None };
        self.packet::<BIG>(walk, block, parts)
    }

    #[inline(always)]
    fn packet<const BIG: bool>(&self, walk: &mut Walk<'_>, block: Block<'_>, parts: Parts) -> Step {
        // Before all of it is there: what cannot become right is not waited for.
        let room = match block.total.checked_sub(parts.header + 4) {
            Some(room) if parts.captured as usize <= room => room,
            room => return too_long(block, parts.captured, room),
        };
        let length = whole::<BIG>(block)?;
        let Some(clock) = self.clocks.get(parts.interface as usize) else {
            return Step::Break(Stop::Failed(Reason::NoInterface(parts.interface)));
        };
        if !walk.batch.packets.is_empty() && walk.batch.link_type != Some(clock.link_type) {
            return Step::Break(Stop::Full);
        }
        walk.batch.link_type = Some(clock.link_type);
        let mut packet = self.descriptor(block, &parts, clock);
        // As both numbers are multiples of 4, padding does not run past the room.
        let data = padded(parts.captured as usize);
        if data < room || parts.drop_count.is_some() {
            let options = Options::<BIG>::new(&walk.bytes[..block.at + length - 4], block.at + parts.header + data);
            let extra = Extra { drop_count: parts.drop_count, ..Default::default() };
            describe(&mut packet, options, extra, &mut walk.batch.extras);
        }
        walk.batch.packets.push(packet);
        Step::Continue(length)
    }

    #[inline(always)]
    fn descriptor(&self, block: Block<'_>, parts: &Parts, clock: &Clock) -> Packet {
        let time = parts.time.map_or(Timestamp::default(), |ticks| clock.resolution.timestamp(ticks, clock.offset));
        Packet {
            offset: (block.at + parts.header) as u32,
            captured_len: parts.captured,
            original_len: parts.original.max(parts.captured),
            time,
            flags: PacketFlags(0),
            // Below MAX_INTERFACES: an interface of this number is there.
            interface_id: (self.first_interface + parts.interface as usize) as u16,
            extra: Packet::NO_EXTRA,
        }
    }
}

/// A block that has no room for its header, or not all of it yet.
#[cold]
fn short(block: Block<'_>, header: usize) -> Step {
    if block.total < header + 4 {
        return Step::Break(Stop::Failed(Reason::BlockLength(block.total as u32)));
    }
    Step::Break(Stop::More(block.total))
}

#[cold]
fn too_long(block: Block<'_>, captured: u32, room: Option<usize>) -> Step {
    Step::Break(Stop::Failed(match room {
        Some(room) => Reason::PacketLength { captured, room: room as u32 },
        None => Reason::BlockLength(block.total as u32),
    }))
}

/// Adds what the options say. Flags are in the packet itself: in files that netring writes, every packet has them.
#[inline(never)]
fn describe<const BIG: bool>(
    packet: &mut Packet,
    mut options: Options<'_, BIG>,
    mut extra: Extra,
    extras: &mut Vec<Extra>,
) {
    while let Some((code, value, at)) = options.next() {
        let span = Some(Span { offset: at as u32, len: value.len() as u32 });
        match code {
            option::PACKET_FLAGS => packet.flags = PacketFlags(u32_of::<BIG>(value).unwrap_or(0)),
            option::COMMENT if extra.comment.is_none() => extra.comment = span,
            option::PACKET_HASH => extra.hash = span,
            option::EPB_DROPCOUNT => extra.drop_count = u64_of::<BIG>(value),
            option::EPB_PACKETID => extra.packet_id = u64_of::<BIG>(value),
            option::EPB_QUEUE => extra.queue = u32_of::<BIG>(value),
            option::EPB_VERDICT => extra.verdict = span,
            _ => {}
        }
    }
    if extra != Extra::default() {
        packet.extra = extras.len() as u32;
        extras.push(extra);
    }
}
