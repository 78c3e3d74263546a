//! Pure ring logic: bytes and positions, no file descriptor and no system call.

pub mod block;
pub mod columns;
pub mod geometry;
pub mod layout;
pub mod lent;
pub mod memory;
mod prefetch;
pub mod runs;
pub mod rx;
pub mod slots;
pub mod vlan;
pub mod vnet;
pub mod window;

#[cfg(any(test, feature = "fake"))]
pub mod fake;

pub use block::{Block, Frame, Malformed};
pub use columns::{Column, ColumnSet, Columns};
pub use geometry::Geometry;
pub use lent::Lent;
pub use memory::Memory;
pub use runs::{Run, Runs};
pub use rx::{Lease, RxRing};
pub use slots::{SlotRing, SlotToken};
