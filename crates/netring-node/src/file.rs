//! What only a capture file has; its batches come from its NativeSource.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::file::FileSource;
use netring_pcap::{Format, Interface};

use crate::array::JsArray;
use crate::erased::{HeldBatches, Shared, share};
use crate::error::{closed, to_js};
use crate::source::NativeSource;

/// What errors call it.
const NAME: &str = "capture file";

/// An interface that a file describes.
#[napi(object, object_from_js = false)]
pub struct NativeFileInterface {
    pub name: Option<String>,
    pub description: Option<String>,
    pub link_type: u32,
    pub snap_len: u32,
    /// Units a second.
    pub timestamp_resolution: f64,
    pub stats: Option<NativeFileStats>,
}

/// What the file's writer counted.
#[napi(object, object_from_js = false)]
pub struct NativeFileStats {
    pub received: Option<f64>,
    pub dropped: Option<f64>,
}

impl From<&Interface> for NativeFileInterface {
    fn from(from: &Interface) -> Self {
        let stats = from.stats.map(|stats| NativeFileStats {
            received: stats.received.map(|count| count as f64),
            dropped: stats.dropped.or(stats.os_dropped).map(|count| count as f64),
        });
        Self {
            name: from.name.clone(),
            description: from.description.clone(),
            link_type: from.link_type.number().into(),
            snap_len: from.snap_len,
            timestamp_resolution: from.resolution.units_per_second(),
            stats,
        }
    }
}

/// A capture file, until its source is closed.
#[napi]
pub struct NativeFile {
    file: Weak<RefCell<FileSource>>,
    /// Until source() has given it away.
    source: Option<NativeSource>,
}

#[napi]
impl NativeFile {
    /// A regular file.
    #[napi(factory)]
    pub fn open(path: String) -> Result<Self> {
        Ok(Self::of(FileSource::open(path).map_err(to_js)?))
    }

    /// Bytes that feed() is called with.
    #[napi(factory)]
    pub fn fed() -> Self {
        Self::of(FileSource::fed())
    }

    fn of(file: FileSource) -> Self {
        let file = share(file);
        let weak = Rc::downgrade(&file);
        Self { file: weak, source: Some(NativeSource::of(NAME, share(HeldBatches::new(NAME, file, None)))) }
    }

    /// The file's batches: once.
    #[napi]
    pub fn source(&mut self) -> Result<NativeSource> {
        self.source.take().ok_or_else(|| closed(NAME))
    }

    fn file(&self) -> Result<Shared<FileSource>> {
        self.file.upgrade().ok_or_else(|| closed(NAME))
    }

    /// Copies bytes that follow those that were fed before.
    #[napi]
    pub fn feed(&self, #[napi(ts_arg_type = "Uint8Array")] bytes: JsArray<u8>) -> Result<()> {
        self.file()?.borrow_mut().feed(bytes.bytes());
        Ok(())
    }

    /// No more bytes will be fed.
    #[napi]
    pub fn finish(&self) -> Result<()> {
        self.file()?.borrow_mut().finish();
        Ok(())
    }

    /// Whether next() would give a batch or fail, or never give one any more; else bytes have to be fed.
    #[napi]
    pub fn look(&self) -> Result<bool> {
        Ok(self.file()?.borrow_mut().look())
    }

    /// Whether all batches have been handed out.
    #[napi]
    pub fn ended(&self) -> Result<bool> {
        Ok(self.file()?.borrow().ended())
    }

    /// Once the header has been read.
    #[napi(ts_return_type = "'pcap' | 'pcapng' | null")]
    pub fn format(&self) -> Result<Option<&'static str>> {
        Ok(self.file()?.borrow().format().map(|format| match format {
            Format::Pcap(_) => "pcap",
            Format::PcapNg => "pcapng",
        }))
    }

    /// Those described as far as the file has been read.
    #[napi]
    pub fn interfaces(&self) -> Result<Vec<NativeFileInterface>> {
        Ok(self.file()?.borrow().interfaces().iter().map(Into::into).collect())
    }

    /// Bytes behind the last whole packet, once all has been read.
    #[napi]
    pub fn truncated_bytes(&self) -> Result<f64> {
        Ok(self.file()?.borrow().truncated_bytes() as f64)
    }
}
