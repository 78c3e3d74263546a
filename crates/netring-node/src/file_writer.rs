//! A writer of capture files.

use napi::Env;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::file::{FileWriter, Progress, WriterOptions};
use netring::link_type::LinkType;
use netring::ring::VolatileSlice;
use netring::ring::columns::Row;
use netring::stats::CaptureStats;
use netring::{Error as CoreError, ErrorKind};
use netring_pcap::{OutputFormat, RotationLimits};

use crate::array::JsArray;
use crate::callback::{JsCallback, Message};
use crate::error::{closed, to_js};
use crate::source::{NativeSource, NativeStats};

const NAME: &str = "capture file's writer";

/// Words that describe a packet to writePackets(), in this order.
const ROW_WORDS: usize = 6;

#[napi(object)]
pub struct NativeRotation {
    pub bytes: Option<f64>,
    pub seconds: Option<f64>,
    pub packets: Option<f64>,
    pub files: Option<u32>,
}

impl From<NativeRotation> for RotationLimits {
    fn from(from: NativeRotation) -> Self {
        Self {
            bytes: from.bytes.map(|bytes| bytes as u64),
            seconds: from.seconds.map(|seconds| seconds as u64),
            packets: from.packets.map(|packets| packets as u64),
            files: from.files.map(|files| files as usize),
        }
    }
}

#[napi(object)]
pub struct NativeFileWriterOptions {
    pub pcap: bool,
    /// A LINKTYPE_ number; absent: that of the first batch.
    pub link_type: Option<u32>,
    /// 0: no limit.
    pub snap_len: u32,
    pub interface_name: Option<String>,
    pub append: bool,
    pub rotate: Option<NativeRotation>,
}

impl From<NativeFileWriterOptions> for WriterOptions {
    fn from(from: NativeFileWriterOptions) -> Self {
        Self {
            format: if from.pcap { OutputFormat::PcapNanoseconds } else { OutputFormat::PcapNg },
            link_type: from.link_type.map(LinkType),
            snap_len: from.snap_len,
            interface_name: from.interface_name,
            append: from.append,
            rotate: from.rotate.map(Into::into),
            application: Some(concat!("netring ", env!("CARGO_PKG_VERSION")).to_owned()),
        }
    }
}

#[napi(object, object_from_js = false)]
pub struct NativeFileWriterStats {
    pub packets: f64,
    pub bytes: f64,
    pub files: f64,
    pub dropped: f64,
}

/// A writer, until free() is called.
#[napi]
pub struct NativeFileWriter {
    // Dropped in this order: the writer waits for its thread, which may still call.
    writer: Option<FileWriter>,
    signal: Option<JsCallback>,
}

#[napi]
impl NativeFileWriter {
    #[napi(factory)]
    pub fn open(path: String, options: NativeFileWriterOptions) -> Result<Self> {
        Ok(Self { writer: Some(FileWriter::open(path, options.into()).map_err(to_js)?), signal: None })
    }

    /// Writes nothing by itself: take() has the records.
    #[napi(factory)]
    pub fn detached(options: NativeFileWriterOptions) -> Result<Self> {
        Ok(Self { writer: Some(FileWriter::detached(options.into()).map_err(to_js)?), signal: None })
    }

    /// The records that wait, of a detached writer.
    #[napi]
    pub fn take(&self) -> Result<Uint8Array> {
        Ok(Uint8Array::from(self.writer()?.take()))
    }

    fn writer(&self) -> Result<&FileWriter> {
        self.writer.as_ref().ok_or_else(|| closed(NAME))
    }

    fn writer_mut(&mut self) -> Result<&mut FileWriter> {
        self.writer.as_mut().ok_or_else(|| closed(NAME))
    }

    /// Copies packets of a batch: those at `indices`, or all. False: much waits for the disk.
    #[napi]
    pub fn write_batch(
        &mut self,
        source: &NativeSource,
        id: u32,
        #[napi(ts_arg_type = "Uint32Array | undefined")] indices: Option<JsArray<u32>>,
    ) -> Result<bool> {
        let writer = self.writer_mut()?;
        source.views()?.borrow_mut().with_batch(id, |batch| {
            let length = batch.length;
            let Some(indices) = indices.map(|indices| indices.copy(usize::MAX)) else {
                let all = 0..length;
                return writer
                    .batch(batch.bytes, batch.columns, all, batch.link_type, batch.strips_vlan)
                    .map_err(to_js);
            };
            if let Some(index) = indices.iter().find(|index| **index >= length) {
                let message = format!("indices: the batch has {length} packets and none at {index}");
                return Err(to_js(CoreError::new(ErrorKind::Config, message)));
            }
            let chosen = indices.iter().copied();
            writer.batch(batch.bytes, batch.columns, chosen, batch.link_type, batch.strips_vlan).map_err(to_js)
        })
    }

    /// Copies packets. `rows` has six words for each: bytes on the wire, seconds, nanoseconds, status, direction, interface.
    #[napi]
    pub fn write_packets(
        &mut self,
        #[napi(ts_arg_type = "readonly Uint8Array[]")] data: Vec<JsArray<u8>>,
        #[napi(ts_arg_type = "Uint32Array")] rows: JsArray<u32>,
        link_type: u32,
    ) -> Result<bool> {
        let words = rows.copy(data.len() * ROW_WORDS);
        let packets: Vec<(VolatileSlice<'_>, Row)> = data
            .iter()
            .zip(words.chunks_exact(ROW_WORDS))
            .map(|(data, words)| (data.bytes(), row(data, words)))
            .collect();
        self.writer_mut()?.packets(&packets, LinkType(link_type)).map_err(to_js)
    }

    /// 0: records wait, and the waker is called once none does; 1: none waits; 2: all is on disk and the thread has ended.
    #[napi]
    pub fn drain(&mut self, waker: Function<'_, u32, ()>) -> Result<u32> {
        let writer = self.writer.as_ref().ok_or_else(|| closed(NAME))?;
        let signal = JsCallback::in_place(&mut self.signal, &waker)?;
        let wake = || -> Box<dyn Fn() + Send> {
            let send = signal.sender();
            Box::new(move || send(Message::Wake))
        };
        Ok(match writer.drain(wake).map_err(to_js)? {
            Progress::Writing => 0,
            Progress::Drained => 1,
            Progress::Finished => 2,
        })
    }

    #[napi]
    pub fn stop_waiting(&self) {
        if let Some(writer) = &self.writer {
            writer.forget_wake();
        }
    }

    /// Whether a wait keeps the process alive.
    #[napi]
    pub fn keep_alive(&mut self, env: &Env, keep: bool) -> Result<()> {
        self.signal.as_mut().map_or(Ok(()), |signal| signal.keep_alive(env, keep))
    }

    #[napi]
    pub fn stats(&self) -> Result<NativeFileWriterStats> {
        let stats = self.writer()?.stats();
        Ok(NativeFileWriterStats {
            packets: stats.packets as f64,
            bytes: stats.bytes as f64,
            files: stats.files as f64,
            dropped: stats.dropped as f64,
        })
    }

    /// Files that have become whole since the last call.
    #[napi]
    pub fn take_whole(&self) -> Result<Vec<String>> {
        Ok(self.writer()?.take_whole().into_iter().map(|path| path.display().to_string()).collect())
    }

    /// Ends the file; drain() tells when all is on disk.
    #[napi]
    pub fn close(&mut self, stats: Option<NativeStats>) -> Result<()> {
        let stats = stats.map(|stats| CaptureStats {
            packets: stats.packets as u64,
            drops: stats.drops as u64,
            freezes: stats.freeze_count as u64,
        });
        self.writer_mut()?.close(stats).map_err(to_js)
    }

    /// Frees it. Blocks while the thread writes.
    #[napi]
    pub fn free(&mut self) {
        self.writer = None;
        self.signal = None;
    }
}

fn row(data: &JsArray<u8>, words: &[u32]) -> Row {
    Row {
        captured: data.bytes().len() as u32,
        original: words[0],
        seconds: words[1],
        nanoseconds: words[2],
        status: words[3],
        direction: words[4] as u8,
        interface_id: words[5] as u16,
        ..Row::default()
    }
}
