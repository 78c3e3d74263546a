//! Blocks that describe: sections, interfaces, statistics.

use super::options::{Options, text};
use super::{Block, Blocks, Clock, Step, Walk, check_length, whole};
use crate::decode::bytes::{ticks_at, u16_at, u32_at, u64_of};
use crate::decode::head::snap_len;
use crate::decode::{MAX_INTERFACES, Stop};
use crate::error::Reason;
use crate::interface::{Interface, InterfaceStats};
use crate::link_type::LinkType;
use crate::time::{Resolution, Timestamp};
use crate::wire::{block, option};

/// What a section's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionInfo {
    /// The byte order of the host that wrote it.
    pub big_endian: bool,
    /// Behind the point of version 1.0, or of 1.2, which has been written too and means the same.
    pub minor: u16,
    /// The hardware that captured.
    pub hardware: Option<String>,
    /// Its operating system.
    pub os: Option<String>,
    /// The program that wrote the file.
    pub application: Option<String>,
    /// The first comment.
    pub comment: Option<String>,
}

impl Blocks {
    /// A section header block. Its length of the section is not read: there are writers that put a wrong one, and
    /// blocks tell the section's end by themselves.
    pub(super) fn begin_section(&mut self, walk: &Walk<'_>, at: usize) -> Step {
        let rest = &walk.bytes[at..];
        let Some(head) = rest.first_chunk::<12>() else { return Step::Break(Stop::More(28)) };
        let read = if u32_at::<false>(head, 8) == block::BYTE_ORDER_MAGIC {
            section::<false>
        } else if u32_at::<true>(head, 8) == block::BYTE_ORDER_MAGIC {
            section::<true>
        } else {
            return Step::Break(Stop::Failed(Reason::ByteOrderMagic(u32_at::<false>(head, 8))));
        };
        let (length, info) = match read(walk, at) {
            Ok(read) => read,
            Err(stop) => return Step::Break(stop),
        };
        if self.section.is_some() {
            self.sections = self.sections.saturating_add(1);
        }
        self.section = Some(info);
        self.clocks.clear();
        self.first_interface = walk.interfaces.len();
        Step::Continue(length)
    }

    pub(super) fn describe_interface<const BIG: bool>(&mut self, walk: &mut Walk<'_>, block: Block<'_>) -> Step {
        if block.total < 20 {
            return Step::Break(Stop::Failed(Reason::BlockLength(block.total as u32)));
        }
        let length = whole::<BIG>(block)?;
        if walk.interfaces.len() == MAX_INTERFACES {
            return Step::Break(Stop::Failed(Reason::TooManyInterfaces));
        }
        let mut interface = interface::<BIG>(&block.rest[..length - 4]);
        interface.section = self.sections;
        self.clocks.push(Clock {
            link_type: interface.link_type,
            resolution: interface.resolution,
            snap_len: interface.snap_len,
            offset: interface.ts_offset,
        });
        walk.interfaces.push(interface);
        Step::Continue(length)
    }

    /// An interface statistics block. One of an interface that is not there counts nothing, as in libpcap.
    pub(super) fn count_interface<const BIG: bool>(&mut self, walk: &mut Walk<'_>, block: Block<'_>) -> Step {
        if block.total < 24 {
            return Step::Break(Stop::Failed(Reason::BlockLength(block.total as u32)));
        }
        let length = whole::<BIG>(block)?;
        let number = u32_at::<BIG>(block.rest, 8) as usize;
        if let Some(clock) = self.clocks.get(number) {
            let stats = statistics::<BIG>(&block.rest[..length - 4], *clock);
            walk.interfaces[self.first_interface + number].stats = Some(stats);
        }
        Step::Continue(length)
    }
}

/// Its length, and what it says.
fn section<const BIG: bool>(walk: &Walk<'_>, at: usize) -> Result<(usize, SectionInfo), Stop> {
    let rest = &walk.bytes[at..];
    let total = u32_at::<BIG>(rest, 4);
    check_length(total, 28, walk.limits).map_err(Stop::Failed)?;
    let length = match whole::<BIG>(Block { at, total: total as usize, rest }) {
        Step::Continue(length) => length,
        Step::Break(stop) => return Err(stop),
    };
    let (major, minor) = (u16_at::<BIG>(rest, 12), u16_at::<BIG>(rest, 14));
    // 1.2 is 1.0 by another number, and there has been no other (`pcap_ng_check_header`, sf-pcapng.c).
    if !matches!((major, minor), (1, 0 | 2)) {
        return Err(Stop::Failed(Reason::Version { major, minor }));
    }
    let mut info = SectionInfo { big_endian: BIG, minor, hardware: None, os: None, application: None, comment: None };
    let mut options = Options::<BIG>::new(&rest[..length - 4], 24);
    while let Some((code, value, _)) = options.next() {
        match code {
            option::SHB_HARDWARE => info.hardware = Some(text(value)),
            option::SHB_OS => info.os = Some(text(value)),
            option::SHB_USERAPPL => info.application = Some(text(value)),
            option::COMMENT if info.comment.is_none() => info.comment = Some(text(value)),
            _ => {}
        }
    }
    Ok((length, info))
}

/// Of an interface description block without the length behind it.
fn interface<const BIG: bool>(bytes: &[u8]) -> Interface {
    let link_type = LinkType::from_number(u16_at::<BIG>(bytes, 8));
    let mut interface = Interface::new(link_type, snap_len(u32_at::<BIG>(bytes, 12)));
    let mut options = Options::<BIG>::new(bytes, 16);
    while let Some((code, value, _)) = options.next() {
        match code {
            option::IF_NAME => interface.name = Some(text(value)),
            option::IF_DESCRIPTION => interface.description = Some(text(value)),
            option::IF_OS => interface.os = Some(text(value)),
            option::IF_HARDWARE => interface.hardware = Some(text(value)),
            option::IF_MAC => interface.mac = value.try_into().ok(),
            option::IF_SPEED => interface.speed = u64_of::<BIG>(value),
            // 0: a text of libpcap's filter language; anything else is a program.
            option::IF_FILTER => interface.filter = value.strip_prefix(&[0]).map(text),
            option::IF_TSRESOL => {
                if let [byte] = *value {
                    interface.resolution = Resolution::from_option(byte);
                }
            }
            option::IF_FCSLEN => interface.fcs_bits = value.first().copied(),
            // In the byte order of the section.
            option::IF_TSOFFSET => interface.ts_offset = u64_of::<BIG>(value).map_or(0, |seconds| seconds as i64),
            _ => {}
        }
    }
    interface
}

/// Of an interface statistics block without the length behind it.
fn statistics<const BIG: bool>(bytes: &[u8], clock: Clock) -> InterfaceStats {
    let time = |ticks| clock.resolution.timestamp(ticks, clock.offset);
    let time_of = |value: &[u8]| -> Option<Timestamp> { (value.len() == 8).then(|| time(ticks_at::<BIG>(value, 0))) };
    let mut stats = InterfaceStats { time: time(ticks_at::<BIG>(bytes, 12)), ..Default::default() };
    let mut options = Options::<BIG>::new(bytes, 20);
    while let Some((code, value, _)) = options.next() {
        match code {
            option::ISB_STARTTIME => stats.start = time_of(value),
            option::ISB_ENDTIME => stats.end = time_of(value),
            option::ISB_IFRECV => stats.received = u64_of::<BIG>(value),
            option::ISB_IFDROP => stats.dropped = u64_of::<BIG>(value),
            option::ISB_FILTERACCEPT => stats.filter_accepted = u64_of::<BIG>(value),
            option::ISB_OSDROP => stats.os_dropped = u64_of::<BIG>(value),
            option::ISB_USRDELIV => stats.delivered = u64_of::<BIG>(value),
            _ => {}
        }
    }
    stats
}
