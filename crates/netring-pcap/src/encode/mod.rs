//! The encoder: packets in, bytes out.

mod block;
mod columns;
mod error;
mod head;
mod record;
mod statistics;

pub use columns::{Columns, Room, VlanColumns};
pub use error::EncodeError;
pub use record::PacketRecord;

use crate::interface::Interface;
use crate::time::{NANOS, Timestamp};
use crate::wire::magic;
use crate::{LinkType, MAX_INTERFACES};
use head::{describe, pcap_header, section};

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
                section(&self.options, out);
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
}

fn check_link_type(file: LinkType, other: LinkType) -> Result<(), EncodeError> {
    if file == other { Ok(()) } else { Err(EncodeError::LinkType { file, other }) }
}

/// Nanoseconds since the epoch, as pcapng holds them.
fn nanoseconds(time: Timestamp) -> Result<u64, EncodeError> {
    u64::try_from(time.seconds)
        .ok()
        .and_then(|seconds| seconds.checked_mul(NANOS)?.checked_add(time.nanoseconds.into()))
        .ok_or(EncodeError::TimeOutOfRange(time.seconds))
}
