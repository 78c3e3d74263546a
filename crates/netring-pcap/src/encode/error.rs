//! Why something cannot be written.

use std::fmt;

use crate::link_type::LinkType;

/// Something that the format cannot hold, or a batch whose columns disagree. Nothing of it has been written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// pcap has one link type a file.
    LinkType {
        /// The file's.
        file: LinkType,
        /// The packet's or the interface's.
        other: LinkType,
    },
    /// An interface that was not given to the encoder.
    NoInterface(
        /// Its number.
        u32,
    ),
    /// More interfaces than [`MAX_INTERFACES`](crate::MAX_INTERFACES).
    TooManyInterfaces,
    /// A text of 65 536 bytes or more, which no option can hold.
    TextTooLong(
        /// Its bytes.
        usize,
    ),
    /// A time before 1970, or behind 2106 in pcap and 2554 in pcapng.
    TimeOutOfRange(
        /// Seconds since the epoch.
        i64,
    ),
    /// A packet of 2^30 bytes or more.
    PacketTooLong(
        /// Its bytes.
        usize,
    ),
    /// A packet that columns place outside of the batch's bytes, or that has no columns.
    Bounds(
        /// Its index in the batch.
        u32,
    ),
    /// Statistics or a block of another kind for a pcap file.
    NotInPcap,
    /// A block to copy that is no whole block of the byte order that netring writes.
    RawBlock,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LinkType { file, other } => {
                write!(f, "a pcap file has one link type, here {file}; {other} does not go into it: write pcapng")
            }
            Self::NoInterface(number) => write!(f, "interface {number} was not described before its packet"),
            Self::TooManyInterfaces => write!(f, "more than {} interfaces", crate::MAX_INTERFACES),
            Self::TextTooLong(bytes) => write!(f, "a text of {bytes} bytes; an option holds 65 535"),
            Self::TimeOutOfRange(seconds) => write!(f, "the format cannot hold the time {seconds} s"),
            Self::PacketTooLong(bytes) => write!(f, "a packet of {bytes} bytes"),
            Self::Bounds(index) => write!(f, "packet {index} does not lie inside of its batch"),
            Self::NotInPcap => write!(f, "pcap holds packets only; write pcapng"),
            Self::RawBlock => write!(f, "no whole little-endian block"),
        }
    }
}

impl std::error::Error for EncodeError {}
