//! The encoder: packets in, bytes out.

mod block;
mod columns;
mod error;
mod record;

pub use columns::{Columns, Room, VlanColumns};
pub use error::EncodeError;
pub use record::PacketRecord;

use crate::interface::{Interface, InterfaceStats};
use crate::time::{NANOS, Timestamp};
use crate::wire::{block as code, magic, option, pcap};
use crate::{LinkType, MAX_INTERFACES};
use block::BlockWriter;

/// What is written. All of it is little-endian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// Interfaces, flags, comments, statistics; times in nanoseconds.
    #[default]
    PcapNg,
    /// Times in microseconds, as programs before 2011 need them.
    PcapMicroseconds,
    /// Times in nanoseconds.
    PcapNanoseconds,
}

/// The format, and what a pcapng section says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Default: pcapng.
    pub format: OutputFormat,
    /// The hardware that captures.
    pub hardware: Option<String>,
    /// Its operating system.
    pub os: Option<String>,
    /// The program that writes.
    pub application: Option<String>,
}

/// Writes capture files into a buffer of the caller's. It keeps what a file begins with, so that the next file of a
/// rotation begins with the same; it does no I/O.
///
/// ```
/// use netring_pcap::{Encoder, Interface, LinkType, PacketRecord};
///
/// let mut interface = Interface::new(LinkType::ETHERNET, 262_144);
/// interface.name = Some("eth0".into());
/// let encoder = Encoder::new(Default::default(), vec![interface])?;
///
/// let mut file = Vec::new();
/// encoder.begin(&mut file);
/// encoder.packet(&PacketRecord { comment: Some("the first"), ..PacketRecord::new(&[0; 60]) }, &mut file)?;
/// # assert_eq!(file.len() % 4, 0);
/// # Ok::<(), netring_pcap::EncodeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Encoder {
    options: EncodeOptions,
    interfaces: Vec<Interface>,
}

impl Encoder {
    /// An encoder of files with these interfaces. A packet's `interface_id` is an index into them. Of an interface its
    /// resolution, offset, section and statistics are not written: times are in nanoseconds here.
    ///
    /// # Errors
    /// Where the format cannot hold them: pcap holds one link type, and needs one interface to have it from.
    pub fn new(options: EncodeOptions, interfaces: Vec<Interface>) -> Result<Self, EncodeError> {
        for text in [&options.hardware, &options.os, &options.application].into_iter().flatten() {
            block::check_text(text)?;
        }
        let mut encoder = Self { options, interfaces: Vec::new() };
        for interface in interfaces {
            encoder.accept(interface)?;
        }
        if encoder.is_pcap() && encoder.interfaces.is_empty() {
            return Err(EncodeError::NoInterface(0));
        }
        Ok(encoder)
    }

    /// The format.
    pub fn format(&self) -> OutputFormat {
        self.options.format
    }

    /// The interfaces.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// What a file begins with: once for each file. In pcapng it begins a section, which may also stand behind the last
    /// block of another file.
    pub fn begin(&self, out: &mut Vec<u8>) {
        match self.options.format {
            OutputFormat::PcapNg => {
                self.section(out);
                self.interfaces.iter().for_each(|interface| describe(interface, out));
            }
            OutputFormat::PcapMicroseconds => pcap_header(magic::MICROSECONDS, &self.interfaces[0], out),
            OutputFormat::PcapNanoseconds => pcap_header(magic::NANOSECONDS, &self.interfaces[0], out),
        }
    }

    /// One more interface, in the file that has begun and in those that begin later; returns its number.
    ///
    /// # Errors
    /// Where the format cannot hold it.
    pub fn add_interface(&mut self, interface: Interface, out: &mut Vec<u8>) -> Result<u16, EncodeError> {
        let number = self.accept(interface)?;
        if !self.is_pcap() {
            describe(&self.interfaces[usize::from(number)], out);
        }
        Ok(number)
    }

    /// An interface statistics block. Times that are `None` are left out, counters too.
    ///
    /// # Errors
    /// In pcap, which has none; a time that it cannot hold.
    pub fn statistics(&self, interface_id: u16, stats: &InterfaceStats, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.is_pcap() {
            return Err(EncodeError::NotInPcap);
        }
        self.interface(interface_id)?;
        let time = nanoseconds(stats.time)?;
        let times = [(option::ISB_STARTTIME, stats.start), (option::ISB_ENDTIME, stats.end)];
        let counters = [
            (option::ISB_IFRECV, stats.received),
            (option::ISB_IFDROP, stats.dropped),
            (option::ISB_FILTERACCEPT, stats.filter_accepted),
            (option::ISB_OSDROP, stats.os_dropped),
            (option::ISB_USRDELIV, stats.delivered),
        ];
        for (_, time) in times {
            time.map(nanoseconds).transpose()?;
        }
        let mut block = BlockWriter::begin(code::INTERFACE_STATISTICS, out);
        block.word(interface_id.into());
        block.ticks(time);
        for (code, time) in times {
            if let Some(time) = time {
                block.ticks_option(code, nanoseconds(time)?);
            }
        }
        for (code, counter) in counters {
            if let Some(counter) = counter {
                block.option(code, &counter.to_le_bytes());
            }
        }
        block.end();
        Ok(())
    }

    /// The most bytes that [`statistics`](Self::statistics) writes for each interface; what a rotation by bytes keeps
    /// free for them.
    pub const STATISTICS_LEN: u64 = 24 + 7 * 12 + 4;

    /// A block of another file as it is: names, secrets, custom blocks ([`RawBlock`](crate::RawBlock)).
    ///
    /// # Errors
    /// In pcap; where `block` is no whole block or is of a big-endian section, whose numbers mean nothing here.
    pub fn raw_block(&self, block: &[u8], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.is_pcap() {
            return Err(EncodeError::NotInPcap);
        }
        let length = |at: usize| -> Option<usize> {
            Some(u32::from_le_bytes(block.get(at..)?.first_chunk().copied()?) as usize)
        };
        let whole = block.len() >= code::FRAME && block.len().is_multiple_of(4);
        if !whole || length(4) != Some(block.len()) || length(block.len() - 4) != Some(block.len()) {
            return Err(EncodeError::RawBlock);
        }
        out.extend_from_slice(block);
        Ok(())
    }

    fn is_pcap(&self) -> bool {
        self.options.format != OutputFormat::PcapNg
    }

    fn interface(&self, number: u16) -> Result<&Interface, EncodeError> {
        self.interfaces.get(usize::from(number)).ok_or(EncodeError::NoInterface(number.into()))
    }

    fn accept(&mut self, interface: Interface) -> Result<u16, EncodeError> {
        let Interface { name, description, filter, os, hardware, .. } = &interface;
        for text in [name, description, filter, os, hardware].into_iter().flatten() {
            block::check_text(text)?;
        }
        if let (true, Some(first)) = (self.is_pcap(), self.interfaces.first()) {
            check_link_type(first.link_type, interface.link_type)?;
        }
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(EncodeError::TooManyInterfaces);
        }
        self.interfaces.push(interface);
        Ok((self.interfaces.len() - 1) as u16)
    }

    fn section(&self, out: &mut Vec<u8>) {
        let mut block = BlockWriter::begin(code::SECTION_HEADER, out);
        block.word(code::BYTE_ORDER_MAGIC);
        // Version 1.0; the length of the section is not known.
        block.word(1);
        block.ticks(u64::MAX);
        let EncodeOptions { hardware, os, application, .. } = &self.options;
        for (code, text) in
            [(option::SHB_HARDWARE, hardware), (option::SHB_OS, os), (option::SHB_USERAPPL, application)]
        {
            block.text_option(code, text.as_deref());
        }
        block.end();
    }
}

fn check_link_type(file: LinkType, other: LinkType) -> Result<(), EncodeError> {
    if file == other { Ok(()) } else { Err(EncodeError::LinkType { file, other }) }
}

/// An interface description block.
fn describe(interface: &Interface, out: &mut Vec<u8>) {
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

fn pcap_header(magic: u32, interface: &Interface, out: &mut Vec<u8>) {
    let fcs = interface.fcs_bits.map_or(0, |bits| pcap::FCS_PRESENT | u32::from((bits / 16) & 0xf) << 28);
    let link_type = u32::from(interface.link_type.number()) | fcs;
    for word in [magic, 2 | 4 << 16, 0, 0, interface.snap_len, link_type] {
        out.extend_from_slice(&word.to_le_bytes());
    }
}

/// Nanoseconds since the epoch, as pcapng holds them.
fn nanoseconds(time: Timestamp) -> Result<u64, EncodeError> {
    u64::try_from(time.seconds)
        .ok()
        .and_then(|seconds| seconds.checked_mul(NANOS)?.checked_add(time.nanoseconds.into()))
        .ok_or(EncodeError::TimeOutOfRange(time.seconds))
}
