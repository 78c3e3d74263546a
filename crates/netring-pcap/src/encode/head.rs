//! What a file begins with.

use super::EncodeOptions;
use super::block::BlockWriter;
use crate::interface::Interface;
use crate::wire::{block as code, option, pcap};

/// A section header block.
pub(super) fn section(options: &EncodeOptions, out: &mut Vec<u8>) {
    let mut block = BlockWriter::begin(code::SECTION_HEADER, out);
    block.word(code::BYTE_ORDER_MAGIC);
    // Version 1.0; the length of the section is not known.
    block.word(1);
    block.ticks(u64::MAX);
    let EncodeOptions { hardware, os, application, .. } = options;
    for (code, text) in [(option::SHB_HARDWARE, hardware), (option::SHB_OS, os), (option::SHB_USERAPPL, application)] {
        block.text_option(code, text.as_deref());
    }
    block.end();
}

/// An interface description block.
pub(super) fn describe(interface: &Interface, out: &mut Vec<u8>) {
    let mut block = BlockWriter::begin(code::INTERFACE_DESCRIPTION, out);
    block.word(interface.link_type.number().into());
    block.word(interface.snap_len);
    block.text_option(option::IF_NAME, interface.name.as_deref());
    block.text_option(option::IF_DESCRIPTION, interface.description.as_deref());
    if let Some(mac) = interface.mac {
        block.option(option::IF_MAC, &mac);
    }
    if let Some(speed) = interface.speed {
        block.option(option::IF_SPEED, &speed.to_le_bytes());
    }
    block.option(option::IF_TSRESOL, &[9]);
    if let Some(filter) = &interface.filter {
        // 0: a text of libpcap's filter language.
        block.option(option::IF_FILTER, &[&[0], filter.as_bytes()].concat());
    }
    block.text_option(option::IF_OS, interface.os.as_deref());
    if let Some(bits) = interface.fcs_bits {
        block.option(option::IF_FCSLEN, &[bits]);
    }
    block.text_option(option::IF_HARDWARE, interface.hardware.as_deref());
    block.end();
}

/// The header of a pcap file.
pub(super) fn pcap_header(magic: u32, interface: &Interface, out: &mut Vec<u8>) {
    let fcs = interface.fcs_bits.map_or(0, |bits| pcap::FCS_PRESENT | u32::from((bits / 16) & 0xf) << 28);
    let link_type = u32::from(interface.link_type.number()) | fcs;
    for word in [magic, 2 | 4 << 16, 0, 0, interface.snap_len, link_type] {
        out.extend_from_slice(&word.to_le_bytes());
    }
}
