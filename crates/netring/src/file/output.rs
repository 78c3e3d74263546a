//! The files that records go to, on the thread that writes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use netring_pcap::{
    Append, BufferedDecoder, DecodeOptions, Event, LinkType, NameTemplate, OutputFormat, Rotation, RotationLimits,
};

use super::chunk::{Kind, Walk};
use crate::error::{Error, ErrorKind, Result};

/// Where records go.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    path: PathBuf,
    /// Bytes of whole records in the file.
    length: u64,
    pcap: bool,
    /// The file has its beginning.
    begun: bool,
    /// What every further file begins with: the beginning of the first.
    head: Vec<u8>,
    rotation: Option<Rotation>,
}

/// What became of records.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) bytes: u64,
    pub(super) packets: u64,
    /// Files that were begun.
    pub(super) begun: u64,
    /// Files that are whole now.
    pub(super) files: Vec<PathBuf>,
}

impl Output {
    /// A new file, or the first of several.
    pub(super) fn create(path: &Path, pcap: bool, rotation: Option<(RotationLimits, u64)>) -> Result<Self> {
        let mut rotation = match rotation {
            Some((limits, reserved)) => {
                let name = path.to_str().ok_or_else(|| Error::new(ErrorKind::Config, "the path is no UTF-8"))?;
                let template = NameTemplate::new(name)
                    .map_err(|error| Error::new(ErrorKind::Config, format!("{}: {error}", path.display())))?;
                Some(Rotation::new(template, limits, reserved))
            }
            None => None,
        };
        let path: PathBuf = match &mut rotation {
            Some(rotation) => rotation.next_file(now()).name.into(),
            None => path.into(),
        };
        let file = File::create(&path).map_err(|error| cannot_write(&path, "open", &error))?;
        Ok(Self { file, path, length: 0, pcap, begun: false, head: Vec::new(), rotation })
    }

    /// Behind the last whole record of a file that is there, and whether the file has to be begun.
    pub(super) fn append(path: &Path, format: OutputFormat, link_type: LinkType) -> Result<(Self, bool)> {
        let failed = |syscall, error: &io::Error| cannot_write(path, syscall, error);
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let file = file.as_mut().map_err(|error| failed("open", error))?;
        let mut decoder = BufferedDecoder::new(DecodeOptions::default(), 1 << 20);
        loop {
            match decoder.next() {
                Ok(Event::NeedMore) => drop(decoder.fill(file).map_err(|error| failed("read", &error))?),
                Ok(Event::Batch(_)) => {}
                // Append::to() tells why.
                Ok(Event::End { .. }) | Err(_) => break,
            }
        }
        let append = Append::to(decoder.decoder(), format, link_type)
            .map_err(|error| Error::new(ErrorKind::Config, format!("{}: {error}", path.display())))?;
        file.set_len(append.length).map_err(|error| failed("ftruncate", &error))?;
        let file = file.try_clone().map_err(|error| failed("fcntl", &error))?;
        let pcap = format != OutputFormat::PcapNg;
        let (length, begun) = (append.length, !append.begin);
        Ok((Self { file, path: path.into(), length, pcap, begun, head: Vec::new(), rotation: None }, append.begin))
    }

    /// Writes whole records. Where it fails the file ends with the last whole record that went into it.
    pub(super) fn write(&mut self, records: &[u8], packets: u64, written: &mut Written) -> Result<()> {
        if self.rotation.is_none() {
            return self.put(records, packets, written);
        }
        let mut rest = records;
        while !rest.is_empty() {
            let (length, packets) = self.fitting(rest);
            if length == 0 {
                self.next_file(written)?;
                continue;
            }
            let (now, later) = rest.split_at(length);
            self.put(now, packets, written)?;
            rest = later;
        }
        Ok(())
    }

    /// Bytes and packets of the records that still go into this file. Keeps what later files begin with.
    fn fitting(&mut self, records: &[u8]) -> (usize, u64) {
        let Some(rotation) = &self.rotation else { return (records.len(), 0) };
        let (room, due) = (rotation.room(), rotation.is_due(now()) && self.length > self.head.len() as u64);
        let mut walk = Walk::new(self.pcap, self.begun);
        let (mut at, mut packets) = (0, 0);
        while let Some((length, kind)) = walk.next(&records[at..]) {
            if kind == Kind::Head {
                self.head.extend_from_slice(&records[at..at + length]);
            } else if kind == Kind::Packet {
                let first = packets == 0 && room.one_at_least;
                let full = packets == room.packets || (at + length) as u64 > room.bytes;
                if due || (full && !first) {
                    break;
                }
                packets += 1;
            }
            at += length;
        }
        (at, packets)
    }

    fn next_file(&mut self, written: &mut Written) -> Result<()> {
        let Some(rotation) = &mut self.rotation else { return Ok(()) };
        let next = rotation.next_file(now());
        let path = PathBuf::from(next.name);
        let file = File::create(&path).map_err(|error| cannot_write(&path, "open", &error))?;
        written.begun += 1;
        written.files.push(std::mem::replace(&mut self.path, path));
        (self.file, self.length, self.begun) = (file, 0, false);
        if let Some(old) = next.delete {
            match std::fs::remove_file(&old) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(cannot_write(Path::new(&old), "unlink", &error));
                }
                _ => {}
            }
        }
        let head = std::mem::take(&mut self.head);
        let begun = self.put(&head, 0, written);
        self.head = head;
        begun
    }

    fn put(&mut self, records: &[u8], packets: u64, written: &mut Written) -> Result<()> {
        let mut at = 0;
        while at < records.len() {
            let failure = match self.file.write(&records[at..]) {
                Ok(0) => io::ErrorKind::WriteZero.into(),
                Ok(count) => {
                    at += count;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => error,
            };
            let (bytes, packets) = Walk::new(self.pcap, self.begun).whole(&records[..at]);
            written.bytes += bytes as u64;
            written.packets += packets;
            // A pipe cannot be cut, and a reader of one sees that it ended. The first failure is what is told.
            let _ = self.file.set_len(self.length + bytes as u64);
            return Err(cannot_write(&self.path, "write", &failure));
        }
        self.begun |= !records.is_empty();
        self.length += records.len() as u64;
        written.bytes += records.len() as u64;
        written.packets += packets;
        if let Some(rotation) = &mut self.rotation {
            rotation.wrote(records.len() as u64, packets);
        }
        Ok(())
    }

    /// Waits until the disk has it all.
    pub(super) fn finish(self, written: &mut Written) -> Result<()> {
        match self.file.sync_all() {
            // A pipe or a terminal has no disk.
            Err(error) if !matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EROFS)) => {
                Err(cannot_write(&self.path, "fsync", &error))
            }
            _ => {
                written.files.push(self.path);
                Ok(())
            }
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn cannot_write(path: &Path, syscall: &'static str, error: &io::Error) -> Error {
    Error::file(syscall, error, format_args!("cannot write {}", path.display()))
}
