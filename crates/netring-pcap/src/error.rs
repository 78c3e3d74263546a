//! Why a file cannot be read on.

use std::fmt;

/// A place in a file that cannot be read, and why. Every packet before it has been given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Bytes from the file's start to the header, record or block that is wrong.
    pub position: u64,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The first four bytes begin no capture file.
    NotACapture(
        /// These bytes.
        [u8; 4],
    ),
    /// The file is compressed, by this program.
    Compressed(
        /// `gzip`, `zstd` or `lz4`.
        &'static str,
    ),
    /// A variant that is known and not read.
    Unsupported(
        /// Its name.
        &'static str,
    ),
    /// A version of the format that is not read.
    Version {
        /// In front of the point.
        major: u16,
        /// Behind it.
        minor: u16,
    },
    /// Bits of pcap's link type word that have no meaning are set.
    ReservedBits(
        /// The word.
        u32,
    ),
    /// A section's byte-order magic in neither byte order.
    ByteOrderMagic(
        /// What stands in its place, read as little-endian.
        u32,
    ),
    /// A record or block that says it is longer than the decoder takes.
    TooLong {
        /// What it says.
        length: u32,
        /// [`DecodeOptions::max_record_len`](crate::DecodeOptions::max_record_len).
        limit: u32,
    },
    /// A block length that is too small for the block, or no multiple of 4.
    BlockLength(
        /// The length.
        u32,
    ),
    /// The length behind a block is not the length in front of it.
    Trailer {
        /// In front.
        header: u32,
        /// Behind.
        trailer: u32,
    },
    /// A packet that says it is longer than its block.
    PacketLength {
        /// What it says.
        captured: u32,
        /// Bytes that its block has for it.
        room: u32,
    },
    /// A packet of an interface that its section has not described.
    NoInterface(
        /// The number in the file.
        u32,
    ),
    /// More interfaces than [`MAX_INTERFACES`](crate::MAX_INTERFACES).
    TooManyInterfaces,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NotACapture([a, b, c, d]) => {
                write!(f, "no pcap or pcapng file: it begins with {a:02x} {b:02x} {c:02x} {d:02x}")
            }
            Self::Compressed(program) => write!(f, "the file is compressed ({program}); decompress it first"),
            Self::Unsupported(name) => write!(f, "{name} is not supported"),
            Self::Version { major, minor } => write!(f, "version {major}.{minor} of the format is not supported"),
            Self::ReservedBits(word) => write!(f, "reserved bits of the link type are set: {word:#010x}"),
            Self::ByteOrderMagic(word) => write!(f, "the section's byte-order magic is {word:#010x}"),
            Self::TooLong { length, limit } => {
                write!(f, "a record says it has {length} bytes; more than {limit} are not taken")
            }
            Self::BlockLength(length) => write!(f, "a block says it has {length} bytes, which no such block can have"),
            Self::Trailer { header, trailer } => {
                write!(f, "a block's length is {header} in front of it and {trailer} behind it")
            }
            Self::PacketLength { captured, room } => {
                write!(f, "a packet says it has {captured} bytes; its block has room for {room}")
            }
            Self::NoInterface(number) => {
                write!(f, "a packet of interface {number}, which its section does not describe")
            }
            Self::TooManyInterfaces => write!(f, "more than {} interfaces", crate::MAX_INTERFACES),
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.position, self.reason)
    }
}

impl std::error::Error for DecodeError {}
