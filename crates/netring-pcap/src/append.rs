//! Appending to an existing file.

use std::fmt;

use crate::decode::{Decoder, Format};
use crate::encode::OutputFormat;
use crate::error::DecodeError;
use crate::link_type::LinkType;

/// How to append to a file that a [`Decoder`] has read to its end: truncate it to `length`, then write behind that.
///
/// In pcapng a new section follows ([`Encoder::begin`](crate::Encoder::begin)), so its interfaces need not be those
/// that are there. pcap has one header: the encoder has to have the file's format and link type, and begins with packets.
///
/// ```
/// use netring_pcap::{Append, BufferedDecoder, Event, LinkType, OutputFormat};
///
/// # let file: &[u8] = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0\
/// #              \x01\0\0\0\x02\0\0\0\x03\0\0\0\x40\0\0\0abc\x01";
/// # let mut file = file; // std::fs::File::open(path)?
/// let mut decoder = BufferedDecoder::new(Default::default(), 1 << 20);
/// loop {
///     match decoder.next()? {
///         Event::NeedMore => decoder.fill(&mut file).map(drop)?,
///         Event::Batch(_) => {}
///         Event::End { .. } => break,
///     }
/// }
/// let append = Append::to(decoder.decoder(), OutputFormat::PcapMicroseconds, LinkType::ETHERNET)?;
/// // The last byte is part of a record that its writer did not finish.
/// assert_eq!((append.length, append.begin), (24 + 16 + 3, false));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Append {
    /// Bytes of the file up to the end of its last whole record. What is behind them has to go.
    pub length: u64,
    /// Is [`Encoder::begin`](crate::Encoder::begin) to be called first?
    pub begin: bool,
}

/// Why nothing can be appended to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppendRefused {
    /// The file cannot be read to its end, or is no capture file.
    Unreadable(
        /// Why.
        DecodeError,
    ),
    /// The file has another format than what is to be written.
    Format {
        /// The file's.
        file: Format,
        /// What was asked for.
        wanted: OutputFormat,
    },
    /// A pcap file with another link type.
    LinkType {
        /// The file's.
        file: LinkType,
        /// What was asked for.
        wanted: LinkType,
    },
    /// A file of a big-endian host. pcap has one byte order a file; libpcap reads pcapng with one only (`pcap_ng_next_packet`,
    /// sf-pcapng.c).
    ByteOrder,
    /// A variant of pcap that netring reads and does not write.
    Variant,
}

impl Append {
    /// For a decoder that has read all of the file, what is to be written, and with which link type.
    ///
    /// A file without a whole header (an empty one, for instance) is begun anew.
    ///
    /// # Errors
    /// Where the file would not be one file.
    pub fn to(decoder: &Decoder, wanted: OutputFormat, link_type: LinkType) -> Result<Self, AppendRefused> {
        if let Some(error) = decoder.error() {
            return Err(AppendRefused::Unreadable(error));
        }
        let length = decoder.position() - decoder.truncated_bytes(0);
        let Some(file) = decoder.format().filter(|_| length > 0) else { return Ok(Self { length: 0, begin: true }) };
        match (file, wanted) {
            (Format::PcapNg, OutputFormat::PcapNg) => {
                let big_endian = decoder.section().is_some_and(|section| section.big_endian);
                if big_endian { Err(AppendRefused::ByteOrder) } else { Ok(Self { length, begin: true }) }
            }
            (Format::Pcap(header), OutputFormat::PcapMicroseconds | OutputFormat::PcapNanoseconds) => {
                if header.nanoseconds != (wanted == OutputFormat::PcapNanoseconds) {
                    return Err(AppendRefused::Format { file, wanted });
                }
                if header.big_endian {
                    return Err(AppendRefused::ByteOrder);
                }
                if header.modified || (header.major, header.minor) != (2, 4) {
                    return Err(AppendRefused::Variant);
                }
                if header.link_type != link_type {
                    return Err(AppendRefused::LinkType { file: header.link_type, wanted: link_type });
                }
                Ok(Self { length, begin: false })
            }
            _ => Err(AppendRefused::Format { file, wanted }),
        }
    }
}

impl fmt::Display for AppendRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "nothing can be appended to the file: {error}"),
            Self::Format { file, wanted } => {
                let file = match file {
                    Format::PcapNg => "pcapng",
                    Format::Pcap(header) if header.nanoseconds => "pcap with nanoseconds",
                    Format::Pcap(_) => "pcap with microseconds",
                };
                let wanted = match wanted {
                    OutputFormat::PcapNg => "pcapng",
                    OutputFormat::PcapMicroseconds => "pcap with microseconds",
                    OutputFormat::PcapNanoseconds => "pcap with nanoseconds",
                };
                write!(f, "the file is {file}; {wanted} cannot be appended to it")
            }
            Self::LinkType { file, wanted } => {
                write!(f, "the file's link type is {file}; packets of {wanted} cannot be appended to it")
            }
            Self::ByteOrder => write!(f, "the file is big-endian; netring writes little-endian"),
            Self::Variant => write!(f, "the file is an old variant of pcap, which netring only reads"),
        }
    }
}

impl std::error::Error for AppendRefused {}
