//! Capture files: a source of what a pcap or pcapng file holds, and a writer of such files.
//!
//! The formats are netring-pcap's; here are the system calls, the memory that batches lie in, and the thread that writes.
//!
//! ```no_run
//! use netring::SourceExt;
//! use netring::file::FileSource;
//!
//! # fn main() -> netring::Result<()> {
//! let mut file = FileSource::open("eth0.pcapng")?;
//! while let Some(batch) = file.next_batch()? {
//!     for packet in batch.packets() {
//!         println!("{:?}: {} bytes", packet.timestamp(), packet.bytes().len());
//!     }
//! }
//! println!("{} bytes are no whole packet", file.truncated_bytes());
//! # Ok(())
//! # }
//! ```

mod batch;
mod buffers;
mod chunk;
mod output;
mod source;
mod writer;

pub use batch::Batch;
pub use source::FileSource;
pub use writer::{FileWriter, Progress, WriterOptions, WriterStats};
