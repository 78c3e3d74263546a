//! tcpdump's filter language, compiled in safe Rust.
//!
//! An expression such as `tcp port 443 and net 10.0.0.0/8` becomes a small program. The program runs in three places:
//!
//! - in a socket of the kernel, as classic BPF: [`Filter::program`] gives what SO_ATTACH_FILTER takes;
//! - in front of an XDP program, as eBPF: [`Filter::to_xdp`];
//! - on packets in memory: [`Filter::matches`].
//!
//! The language is that of [pcap-filter(7)](https://www.tcpdump.org/manpages/pcap-filter.7.html), and a filter accepts the packets that
//! libpcap's program accepts, link types and quirks included. The crate has no dependency, no `unsafe` and, but for [`System::read`],
//! makes no system call.
//!
//! ```
//! use netring_filter::{BuiltIn, Options, compile};
//!
//! let filter = compile("udp port domain", &Options::default(), &BuiltIn)?;
//! let mut frame = [0u8; 64];
//! frame[12..14].copy_from_slice(&[0x08, 0x00]); // IPv4
//! frame[14] = 0x45;
//! frame[23] = 17; // UDP
//! frame[36..38].copy_from_slice(&53u16.to_be_bytes()); // to port 53
//! assert!(filter.matches(&frame, 64));
//! assert!(filter.to_string().starts_with("(000) ldh      [12]"));
//! # Ok::<(), netring_filter::FilterError>(())
//! ```
//!
//! Mistakes come with their place:
//!
//! ```
//! use netring_filter::{BuiltIn, FilterErrorKind, Options, compile};
//!
//! let error = compile("tcp port http or", &Options::default(), &BuiltIn).unwrap_err();
//! assert_eq!(error.kind, FilterErrorKind::Syntax);
//! assert_eq!(error.span, 16..16);
//! ```
#![forbid(unsafe_code)]

mod bpf;
mod display;
mod ebpf;
mod emit;
mod error;
mod filter;
mod r#gen;
mod interpret;
mod ir;
mod keywords;
mod lexer;
mod names;
mod optimize;
mod options;
mod parser;
mod tree;
mod verify;

pub use bpf::Instruction;
pub use display::{as_c_array, as_decimal, as_text};
pub use ebpf::{EbpfInstruction, XdpError, translate};
pub use error::{FilterError, FilterErrorKind};
pub use filter::{Filter, check_syntax, compile};
pub use interpret::{Ancillary, Verdict, run};
pub use names::{BuiltIn, Resolved, Resolver, System, Transport};
pub use options::{LinkType, LoopbackFamily, Options, Target, Vlan};
pub use verify::{MAX_INSTRUCTIONS, Program, ProgramError, Rules};

/// The README's example is tried with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
