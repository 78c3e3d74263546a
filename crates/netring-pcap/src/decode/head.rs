//! The first bytes of a file: which format, and pcap's header.

use super::Stop;
use super::bytes::{u16_at, u32_at};
use crate::error::Reason;
use crate::interface::Interface;
use crate::link_type::LinkType;
use crate::time::Resolution;
use crate::wire::{NO_SNAP_LEN, block, magic, pcap};

/// A file's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One interface, one link type.
    Pcap(PcapHeader),
    /// Sections, interfaces, options.
    PcapNg,
}

/// The header of a pcap file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcapHeader {
    /// The byte order of the host that wrote it.
    pub big_endian: bool,
    /// Are times in nanoseconds? Else in microseconds.
    pub nanoseconds: bool,
    /// Kuznetzov's variant, with 24 bytes in front of a packet.
    pub modified: bool,
    /// 2; 543 of DG/UX's tcpdump.
    pub major: u16,
    /// 4; with less than 3 (and 543.0) the two lengths of a packet change places, with 3 where they must.
    pub minor: u16,
    /// The most bytes of a packet that were kept; 262 144 where the file gives no limit.
    pub snap_len: u32,
    /// What its packets begin with.
    pub link_type: LinkType,
    /// Bytes of frame check sequence at the end of each packet, where the file says.
    pub fcs_bytes: Option<u8>,
}

impl PcapHeader {
    pub(super) fn interface(&self) -> Interface {
        let mut interface = Interface::new(self.link_type, self.snap_len);
        interface.fcs_bits = self.fcs_bytes.map(|bytes| bytes * 8);
        if self.nanoseconds {
            interface.resolution = Resolution::NANOSECONDS;
        }
        interface
    }
}

pub(super) enum Head {
    Pcap(PcapHeader),
    PcapNg,
}

/// Tells the format by the first four bytes, and reads pcap's header.
pub(super) fn read(bytes: &[u8]) -> Result<Head, Stop> {
    let Some(first) = bytes.first_chunk::<4>() else { return Err(Stop::More(4)) };
    if u32::from_le_bytes(*first) == block::SECTION_HEADER {
        return Ok(Head::PcapNg);
    }
    let (big_endian, variant) = variant(first).map_err(Stop::Failed)?;
    let Some(header) = bytes.first_chunk::<{ pcap::FILE_HEADER }>() else { return Err(Stop::More(pcap::FILE_HEADER)) };
    let read = if big_endian { pcap_header::<true> } else { pcap_header::<false> };
    read(header, variant).map(Head::Pcap).map_err(Stop::Failed)
}

#[derive(Clone, Copy)]
struct Variant {
    nanoseconds: bool,
    modified: bool,
}

/// The byte order, and what the magic number says beyond it.
fn variant(first: &[u8; 4]) -> Result<(bool, Variant), Reason> {
    for (big_endian, word) in [(false, u32::from_le_bytes(*first)), (true, u32::from_be_bytes(*first))] {
        let (nanoseconds, modified) = match word {
            magic::MICROSECONDS => (false, false),
            magic::NANOSECONDS => (true, false),
            magic::KUZNETZOV => (false, true),
            magic::FMESQUITA => return Err(Reason::Unsupported("FMESQUITA's variant of pcap (magic a1b234cd)")),
            magic::NAVTEL => return Err(Reason::Unsupported("Navtel's variant of pcap (magic a12b3c4d)")),
            magic::CBPF => {
                return Err(Reason::Unsupported(
                    "a savefile of a classic BPF program (magic a1b2c3cb), which holds no packets,",
                ));
            }
            _ => continue,
        };
        return Ok((big_endian, Variant { nanoseconds, modified }));
    }
    Err(match *first {
        [0x1f, 0x8b, ..] => Reason::Compressed("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd] => Reason::Compressed("zstd"),
        [0x04, 0x22, 0x4d, 0x18] => Reason::Compressed("lz4"),
        other => Reason::NotACapture(other),
    })
}

/// Checks what libpcap checks (`pcap_check_header`, sf-pcap.c). Field 6 is as draft-ietf-opsawg-pcap has it; that
/// draft's table of byte orders has the magic numbers wrong, and libpcap's are taken.
fn pcap_header<const BIG: bool>(header: &[u8; pcap::FILE_HEADER], variant: Variant) -> Result<PcapHeader, Reason> {
    let (major, minor) = (u16_at::<BIG>(header, 4), u16_at::<BIG>(header, 6));
    if !matches!((major, minor), (2, 0..=4) | (543, 0)) {
        return Err(Reason::Version { major, minor });
    }
    let word = u32_at::<BIG>(header, 20);
    if word & pcap::RESERVED != 0 {
        return Err(Reason::ReservedBits(word));
    }
    Ok(PcapHeader {
        big_endian: BIG,
        nanoseconds: variant.nanoseconds,
        modified: variant.modified,
        major,
        minor,
        snap_len: snap_len(u32_at::<BIG>(header, 16)),
        link_type: LinkType::from_number((word & pcap::LINK_TYPE) as u16),
        // Four bits, times two.
        fcs_bytes: (word & pcap::FCS_PRESENT != 0).then_some((word >> 28) as u8 * 2),
    })
}

/// 0 and what is above 2^31 mean no limit (`pcapint_adjust_snapshot`, savefile.c).
pub(super) fn snap_len(value: u32) -> u32 {
    if value == 0 || value > i32::MAX as u32 { NO_SNAP_LEN } else { value }
}
