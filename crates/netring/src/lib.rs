//! Packet rings of Linux: AF_PACKET (`TPACKET_V3`) and AF_XDP, with bounds-checked access to memory that the kernel
//! shares. The npm package `netring` binds this crate; the crate knows no Node and stands by itself.
//!
//! ```no_run
//! use std::time::Duration;
//! use netring::capture::{Capture, CaptureOptions};
//! use netring::SourceExt;
//!
//! # fn main() -> netring::Result<()> {
//! let mut capture = Capture::open("eth0", CaptureOptions::default().promiscuous(true))?;
//! while let Some(batch) = capture.next_batch_within(Duration::from_secs(1))? {
//!     for packet in batch.packets() {
//!         println!("{:?}: {} of {} bytes", packet.timestamp(), packet.bytes().len(), packet.original_length());
//!     }
//!     // Here the batch is dropped, and the kernel has its memory back.
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Dependencies inside go one way:
//!
//! - [`ring`]: pure ring logic over bytes and positions, without a system call. With the feature `fake` there is a fake
//!   kernel (`ring::fake`) that writes the other side in tests, property tests and fuzzing.
//! - [`parse`]: pure, too: the headers of a packet, of many packets as columns.
//! - `sys`, private: the only callers of the operating system.
//! - the roles that join them: [`capture`], [`channel`], [`injector`], [`bridge`], `xdp` (feature `xdp`), [`mod@file`],
//!   [`interface`], [`link`], and the pieces they share: [`source`], [`sink`], [`filter`], [`fanout`], [`stats`], [`error`].
//!
//! The numbered invariants that `SAFETY` comments name (R1 … ) are those of `docs/safety.md` in the repository.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `xdp` | yes | AF_XDP; building it takes clang, m4 and libelf's headers |
//! | `fake` | no | the fake kernels, for tests, benches and fuzzing of dependents |

/// Setters for options: each takes the options and gives them back with one field set.
macro_rules! setters {
    ($options:ident { $($(#[$docs:meta])* $field:ident: $kind:ty,)+ }) => {
        impl $options {
            $(
                $(#[$docs])*
                #[must_use]
                pub fn $field(mut self, $field: $kind) -> Self {
                    self.$field = $field;
                    self
                }
            )+
        }
    };
}
pub(crate) use setters;

pub mod affinity;
pub mod batch;
pub mod bridge;
pub mod capture;
pub mod channel;
pub mod error;
pub mod fanout;
pub mod file;
pub mod filter;
pub mod injector;
pub mod interface;
pub mod link;
pub mod link_type;
pub mod parse;
pub mod readiness;
pub mod ring;
pub mod sink;
pub mod source;
pub mod stats;
mod sys;
pub mod tx;
#[cfg(feature = "xdp")]
pub mod xdp;

pub use batch::SourceExt;
pub use error::{Error, ErrorKind, Result};
pub use link_type::LinkType;
pub use sink::Sink;
pub use source::Source;

/// Calls of the operating system that this crate's own tests make, too. No part of the API.
#[cfg(feature = "fake")]
#[doc(hidden)]
pub mod test_support {
    #[cfg(feature = "xdp")]
    pub use crate::sys::bpf;
    pub use crate::sys::{epoll, netlink, netns, packet, poll};
}
