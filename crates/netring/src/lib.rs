//! AF_PACKET and AF_XDP packet rings for Linux: the core that the npm package `netring` binds.
//!
//! This crate knows no Node. It is laid out so that dependencies go one way:
//!
//! - [`ring`]: pure ring logic over bytes and positions, without a system call. A fake kernel
//!   ([`ring::fake`]) writes the other side in tests, property tests and fuzzing.
//! - [`parse`]: pure, too: the headers of a packet, of many packets as columns.
//! - [`sys`]: the only callers of the operating system.
//! - the roles that join them: [`capture`], [`channel`], [`injector`], [`xdp`], [`bridge`], [`interface`],
//!   [`link`], and the pieces they share: [`source`], [`sink`], [`filter`], [`fanout`], [`stats`], [`error`].
//!
//! The numbered invariants that `SAFETY` comments name (R1 … ) are those of `docs/safety.md`.

pub mod affinity;
pub mod bridge;
pub mod capture;
pub mod channel;
pub mod error;
pub mod fanout;
pub mod filter;
pub mod injector;
pub mod interface;
pub mod link;
pub mod parse;
pub mod readiness;
pub mod ring;
pub mod sink;
pub mod source;
pub mod stats;
pub mod sys;
pub mod tx;
pub mod xdp;

pub use error::{Error, ErrorKind, Result};
pub use sink::Sink;
pub use source::Source;
