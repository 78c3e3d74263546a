//! The headers of packets, parsed by the crate `etherparse`.
//!
//! [`Layers`] holds what one packet's bytes say. [`ParsedColumns`] are many packets as columns, a [`Record`] is one
//! packet with all of its fields; both are filled from `Layers`, so that there is one parser.
//!
//! Others can write the memory of packets, so they are not parsed in place (R1): the first
//! [`HEAD_BYTES`] of a packet are copied and the copy is parsed. It contains all headers of nearly every packet;
//! where headers continue after it, the whole packet is copied and parsed again.
//!
//! `docs/parsing.md` says what the fields mean.
//!
//! ```
//! use netring::parse::{Place, Record, Word};
//! use netring::ring::Memory;
//!
//! let mut frame = [0u8; 60];
//! frame[12..14].copy_from_slice(&[0x08, 0x00]); // IPv4
//! frame[14..24].copy_from_slice(&[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17]); // UDP
//! frame[34..42].copy_from_slice(&[0, 53, 0x30, 0x39, 0, 8, 0, 0]); // from port 53 to 12345
//! let memory = Memory::zeroed(64);
//! memory.write(0, &frame);
//! let record = Record::of(&memory, Place { offset: 0, captured: 60, original: 60 }).expect("it lies inside");
//! assert_eq!((record.get(Word::SourcePort), record.get(Word::DestinationPort)), (53, 12345));
//! ```

mod columns;
mod error;
mod layers;
mod options;
mod record;

pub use columns::{Parsed, ParsedColumns};
pub use error::ParseError;
pub use layers::{ABSENT, Layers, MAX_VLANS, Network, Transport};
pub use record::{MAX_OPTIONS, Record, Word};

use crate::ring::Memory;

/// Bytes of a packet that are copied before they are parsed: room for Ethernet, two VLAN tags, IPv6 and the longest TCP
/// header (14 + 8 + 40 + 60), in two cache lines.
pub const HEAD_BYTES: usize = 128;

/// Offset and length of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Of its first byte in the memory that holds it.
    pub offset: u32,
    /// Bytes present there.
    pub captured: u32,
    /// Bytes on the wire.
    pub original: u32,
}

/// Copies the first [`HEAD_BYTES`] of the packet at `place`; `None` where the place is not inside the memory.
#[inline(always)]
fn copy_head<'a>(memory: &Memory, place: Place, head: &'a mut [u8; HEAD_BYTES]) -> Option<&'a [u8]> {
    let (offset, captured) = (place.offset as usize, place.captured as usize);
    if captured > memory.len() || offset > memory.len() - captured {
        return None;
    }
    let length = captured.min(HEAD_BYTES);
    // A copy of a fixed length is the faster one; the parser ignores bytes after a short packet.
    let copied = memory.read_into(offset, head) || memory.read_into(offset, &mut head[..length]);
    copied.then_some(&head[..length])
}

/// Copies the whole packet, for headers that continue after [`HEAD_BYTES`].
#[cold]
#[inline(never)]
fn copy_whole(memory: &Memory, offset: u32, captured: u32) -> Vec<u8> {
    memory.read(offset as usize, captured as usize).expect("the head has been copied from there")
}
