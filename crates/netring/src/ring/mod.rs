//! Pure ring logic: bytes and positions, no file descriptor and no system call.

pub mod batches;
pub mod block;
pub mod columns;
pub mod geometry;
pub mod layout;
pub mod memory;
mod prefetch;
pub mod rx;
pub mod slice;
pub mod slots;
pub mod view;
pub mod vlan;
pub mod vnet;

#[cfg(any(test, feature = "fake"))]
pub mod fake;

pub use batches::{Batch, BatchReader};
pub use block::{Block, Frame, Malformed};
pub use columns::{Column, ColumnSet, Columns};
pub use geometry::Geometry;
pub use memory::Memory;
pub use rx::{Lease, RxRing};
pub use slice::VolatileSlice;
pub use slots::{SlotRing, SlotToken};
