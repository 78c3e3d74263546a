//! What must hold for files and packets whose bytes are anything at all. Shared by the fuzz targets and by
//! `tests/decode` and `tests/encode`, which run it on made-up files and on the seeds, with stable Rust.

pub mod decode;
pub mod encode;
pub mod naive;
