#![forbid(unsafe_code)]
//! Capture files, pcap and pcapng: reading and writing by batches, appending, rotation, replay pacing.
//!
//! Nothing here does I/O, reads a clock or starts a thread: bytes go in and come out, and time is an argument. So the same code
//! serves files, pipes, streams of a JavaScript program and tests. There are no dependencies and no `unsafe`.
//!
//! | to | use | what it does not do |
//! |---|---|---|
//! | read into a buffer of its own | [`BufferedDecoder`] | open files |
//! | read in place, from bytes that you hold | [`Decoder`] | keep the bytes |
//! | write | [`Encoder`], [`Columns`] | write to files |
//! | append to a file | [`Append`] | truncate it |
//! | write many files | [`Rotation`], [`NameTemplate`] | ask for the time, delete |
//! | send again what was captured | [`Pacer`] | wait, send |
//!
//! # Reading
//!
//! A [`Batch`] holds descriptors of packets, [`Packet`], that lie in the bytes of one call; no packet is copied. All packets of a
//! batch begin with the same [`LinkType`]. What only some packets have, comments for instance, is an [`Extra`].
//!
//! ```
//! use std::io::Read;
//!
//! use netring_pcap::{BufferedDecoder, DecodeOptions, Event};
//!
//! /// Prints what a file holds, even when it is still being written or was cut off.
//! fn print(mut file: impl Read) -> Result<u64, Box<dyn std::error::Error>> {
//!     let mut decoder = BufferedDecoder::new(DecodeOptions::default(), 1 << 20);
//!     loop {
//!         match decoder.next()? {
//!             Event::NeedMore => drop(decoder.fill(&mut file)?),
//!             Event::Batch(found) => {
//!                 for (packet, data) in found.iter() {
//!                     println!("{}.{:09} {} bytes", packet.time.seconds, packet.time.nanoseconds, data.len());
//!                     if let Some(comment) = found.batch.extra(packet).and_then(|extra| extra.comment) {
//!                         println!("  {}", String::from_utf8_lossy(comment.of(found.bytes)));
//!                     }
//!                 }
//!             }
//!             Event::End { truncated_bytes } => return Ok(truncated_bytes),
//!         }
//!     }
//! }
//! # assert_eq!(print(&[][..]).unwrap(), 0);
//! ```
//!
//! What the decoder makes of a file that is not as the formats want it:
//!
//! - **It ends inside of a record.** Every whole packet is given, then the number of bytes behind the last one. No error.
//! - **A record cannot be read.** Every packet before it is given, then a [`DecodeError`] with the byte where it begins.
//! - **Lengths lie.** No length in a file makes the decoder take memory; a buffer grows to at most twice the bytes that have
//!   arrived. A record that says it is longer than 256 MiB ([`DecodeOptions::max_record_len`]) is an error. A file may describe
//!   65 536 interfaces ([`MAX_INTERFACES`]).
//! - **Options are wrong.** One that runs past its block ends the options, one of the wrong length says nothing; the packet is
//!   given.
//! - **A pcap packet is longer than the file's snaplen, or its length on the wire is below the captured one, or its fraction of a
//!   second is above a second.** It is given whole, with the length on the wire raised, and with seconds carried.
//!
//! # Writing
//!
//! ```
//! use netring_pcap::{Columns, Encoder, Interface, InterfaceStats, LinkType, Room, Timestamp};
//!
//! let mut interface = Interface::new(LinkType::ETHERNET, 262_144);
//! interface.name = Some("eth0".into());
//! let encoder = Encoder::new(Default::default(), vec![interface])?;
//!
//! let mut out = Vec::new();
//! encoder.begin(&mut out);
//! // A block of an AF_PACKET ring: its bytes, and its packets as columns.
//! let block = [0; 256];
//! let columns = Columns {
//!     offset: &[0, 128],
//!     captured_len: &[60, 60],
//!     original_len: &[60, 1500],
//!     seconds: &[1_700_000_000, 1_700_000_000],
//!     nanoseconds: &[1, 1001],
//!     status: &[1, 1],
//!     direction: &[0, 4],
//!     ..Default::default()
//! };
//! assert_eq!(encoder.batch(&block, &columns, 0..2, Room::UNLIMITED, &mut out)?, 2);
//! // At the end, the kernel's counters: a reader of the file then knows how many packets were dropped.
//! let time = Timestamp { seconds: 1_700_000_001, nanoseconds: 0 };
//! let stats = InterfaceStats { time, received: Some(12), dropped: Some(10), delivered: Some(2), ..Default::default() };
//! encoder.statistics(0, &stats, &mut out)?;
//! # Ok::<(), netring_pcap::EncodeError>(())
//! ```
//!
//! The formats are those of draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng; where a draft leaves something open or is
//! wrong, libpcap's savefile.c, sf-pcap.c and sf-pcapng.c decide.

/// The example of README.md, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod append;
mod decode;
mod encode;
mod error;
mod flags;
mod interface;
mod link_type;
mod replay;
mod rotate;
mod time;
mod wire;

pub use append::{Append, AppendRefused};
pub use decode::{
    Batch, BufferedDecoder, DecodeOptions, Decoder, Event, Extra, Format, Found, MAX_INTERFACES, Next, Packet,
    PcapHeader, Progress, RawBlock, SectionInfo, Span,
};
pub use encode::{Columns, EncodeError, EncodeOptions, Encoder, OutputFormat, PacketRecord, Room, VlanColumns};
pub use error::{DecodeError, Reason};
pub use flags::{Direction, PacketFlags};
pub use interface::{Interface, InterfaceStats};
pub use link_type::{LinkType, UnknownLinkType};
pub use replay::{Accuracy, BadPace, Due, Pace, Pacer};
pub use rotate::{BadTemplate, NameTemplate, NextFile, Rotation, RotationLimits};
pub use time::{Resolution, Timestamp};
