//! The channel over a fake kernel: which packets it accepts, which it drops, their order, and how it ends.

mod batches;
mod ending;
mod limits;
mod model;
mod order;
mod support;
