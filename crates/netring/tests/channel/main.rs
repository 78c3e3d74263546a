//! The channel over a fake kernel: what gets in, what has to go, in which order it comes out, and how it ends.

mod batches;
mod ending;
mod limits;
mod model;
mod order;
mod support;
