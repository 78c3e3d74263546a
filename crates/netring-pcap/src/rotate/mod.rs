//! When the next file begins, what it is called, and which one goes.

mod name;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub use name::{BadTemplate, NameTemplate};

use crate::encode::Room;

/// When a file is full: whichever limit comes first. `None`: no such limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RotationLimits {
    /// Bytes a file. A file has one packet at least, however long.
    pub bytes: Option<u64>,
    /// Seconds from a file's beginning.
    pub seconds: Option<u64>,
    /// Packets a file.
    pub packets: Option<u64>,
    /// Files that are kept; the oldest goes when one more begins.
    pub files: Option<usize>,
}

impl RotationLimits {
    fn rotates(&self) -> bool {
        self.bytes.is_some() || self.seconds.is_some() || self.packets.is_some()
    }
}

/// A file that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextFile {
    /// Its name.
    pub name: String,
    /// A file that is now one too many.
    pub delete: Option<String>,
}

/// Which file packets go to. It opens and deletes no file and reads no clock: the caller does, and passes the time.
///
/// ```
/// use netring_pcap::{NameTemplate, Rotation, RotationLimits};
///
/// let limits = RotationLimits { seconds: Some(60), files: Some(2), ..Default::default() };
/// let mut rotation = Rotation::new(NameTemplate::new("eth0-%Y%m%d-%H%M%S.pcapng")?, limits, 0);
///
/// assert_eq!(rotation.next_file(1_700_000_000).name, "eth0-20231114-221320.pcapng");
/// assert!(!rotation.is_due(1_700_000_059));
/// assert!(rotation.is_due(1_700_000_060));
/// rotation.next_file(1_700_000_060);
/// assert_eq!(rotation.next_file(1_700_000_120).delete.as_deref(), Some("eth0-20231114-221320.pcapng"));
/// # Ok::<(), netring_pcap::BadTemplate>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rotation {
    template: NameTemplate,
    limits: RotationLimits,
    /// Bytes that every file keeps free for what is written at its end.
    reserved: u64,
    kept: VecDeque<String>,
    last: Option<String>,
    began: u64,
    bytes: u64,
    packets: u64,
    count: u64,
}

impl Rotation {
    /// Files with names after `template`. `reserved` bytes of [`RotationLimits::bytes`] stay free for what is written at a file's
    /// end: [`Encoder::STATISTICS_LEN`](crate::Encoder::STATISTICS_LEN) for each interface, or 0.
    pub fn new(template: NameTemplate, limits: RotationLimits, reserved: u64) -> Self {
        Self { template, limits, reserved, kept: VecDeque::new(), last: None, began: 0, bytes: 0, packets: 0, count: 0 }
    }

    /// Begins the first file, or the next one, at `now` seconds since the epoch.
    ///
    /// Where names would repeat (no `%i`, and two files in what the template calls the same time), the file's number is put in
    /// before the name's first point: `eth0.pcapng` is followed by `eth0_00002.pcapng`.
    pub fn next_file(&mut self, now: u64) -> NextFile {
        self.count += 1;
        let mut name = self.template.name(now, self.count);
        if self.last.as_ref() == Some(&name) || self.kept.contains(&name) || self.is_always_the_same() {
            name = self.template.numbered(now, self.count);
        }
        (self.began, self.bytes, self.packets) = (now, 0, 0);
        self.last = Some(name.clone());
        NextFile { delete: self.keep(&name), name }
    }

    /// Is a file of so many seconds full at `now`, in seconds since the epoch? A clock that was set back does not fill it.
    pub fn is_due(&self, now: u64) -> bool {
        self.limits.seconds.is_some_and(|limit| now >= self.began.saturating_add(limit))
    }

    /// What the file has room for. Where it is too little for the next packet ([`Encoder::batch`](crate::Encoder::batch)
    /// then writes none), the next file is to begin.
    pub fn room(&self) -> Room {
        let bytes =
            self.limits.bytes.map_or(u64::MAX, |limit| limit.saturating_sub(self.bytes.saturating_add(self.reserved)));
        let packets = self.limits.packets.map_or(u64::MAX, |limit| limit.max(1).saturating_sub(self.packets));
        Room { bytes, packets, one_at_least: self.packets == 0 }
    }

    /// So much has been written into the file: its beginning with 0 packets too.
    pub fn wrote(&mut self, bytes: u64, packets: u64) {
        self.bytes += bytes;
        self.packets += packets;
    }

    /// Files begun.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// One name for all files, which so have numbers from the first on.
    fn is_always_the_same(&self) -> bool {
        self.limits.rotates() && self.template.is_constant()
    }

    fn keep(&mut self, name: &str) -> Option<String> {
        let files = self.limits.files?;
        self.kept.push_back(name.to_owned());
        if self.kept.len() > files.max(1) { self.kept.pop_front() } else { None }
    }
}
