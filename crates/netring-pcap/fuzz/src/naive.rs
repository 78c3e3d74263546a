//! A slow and obvious reader of capture files, written from the formats' drafts and not from the decoder: what both
//! say of a file has to be the same.

/// A packet, with all that a file may say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The link type's number.
    pub link_type: u16,
    /// The interface's number over all sections.
    pub interface: usize,
    /// Seconds since the epoch.
    pub seconds: i64,
    /// Nanoseconds below a second.
    pub nanoseconds: u32,
    /// Its bytes.
    pub data: Vec<u8>,
    /// Bytes on the wire.
    pub original: u32,
    /// The flags word.
    pub flags: u32,
    /// Option 4.
    pub drop_count: Option<u64>,
    /// Option 6.
    pub queue: Option<u32>,
    /// Option 5.
    pub packet_id: Option<u64>,
    /// The first option 1.
    pub comment: Option<Vec<u8>>,
    /// Option 3.
    pub hash: Option<Vec<u8>>,
    /// Option 7.
    pub verdict: Option<Vec<u8>>,
}

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With so many bytes behind the last whole record.
    Cut(u64),
    /// With a record, here, that cannot be read.
    Corrupt(u64),
}

/// The longest record that is taken.
pub const MAX_RECORD: u32 = 256 << 20;

/// Why a record is not read.
enum Fault {
    Short,
    Wrong,
}

use Fault::{Short, Wrong};

/// Reads a file.
pub fn read(file: &[u8]) -> (Vec<Seen>, End) {
    let mut seen = Vec::new();
    let (at, fault) = match word(file, 0, false) {
        Ok(0x0a0d_0d0a) => read_pcapng(file, &mut seen),
        Ok(_) => read_pcap(file, &mut seen),
        Err(fault) => (0, fault),
    };
    let end = match fault {
        Short => End::Cut((file.len() - at) as u64),
        Wrong => End::Corrupt(at as u64),
    };
    (seen, end)
}

fn word(bytes: &[u8], at: usize, big: bool) -> Result<u32, Fault> {
    let raw: [u8; 4] = bytes.get(at..at + 4).ok_or(Short)?.try_into().unwrap();
    Ok(if big { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) })
}

fn half(bytes: &[u8], at: usize, big: bool) -> Result<u16, Fault> {
    let raw: [u8; 2] = bytes.get(at..at + 2).ok_or(Short)?.try_into().unwrap();
    Ok(if big { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) })
}

fn require(condition: bool) -> Result<(), Fault> {
    if condition { Ok(()) } else { Err(Wrong) }
}

fn raw_link_type(number: u16) -> u16 {
    if number == 12 || number == 14 { 101 } else { number }
}

fn real_snaplen(value: u32) -> u32 {
    if value == 0 || value >= 1 << 31 { 262_144 } else { value }
}

// ---------------------------------------------------------------- pcap

struct Pcap {
    big: bool,
    units: u32,
    modified: bool,
    version: (u16, u16),
    link_type: u16,
}

fn pcap_head(file: &[u8]) -> Result<Pcap, Fault> {
    let known = [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34];
    let big = !known.contains(&word(file, 0, false)?);
    let magic = word(file, 0, big)?;
    require(known.contains(&magic))?;
    let last = word(file, 20, big)?;
    let version = (half(file, 4, big)?, half(file, 6, big)?);
    require(version == (543, 0) || version.0 == 2 && version.1 <= 4)?;
    require(last & 0x03ff_0000 == 0)?;
    let units = if magic == 0xa1b2_3c4d { 1_000_000_000 } else { 1_000_000 };
    Ok(Pcap { big, units, modified: magic == 0xa1b2_cd34, version, link_type: raw_link_type(last as u16) })
}

fn read_pcap(file: &[u8], seen: &mut Vec<Seen>) -> (usize, Fault) {
    let pcap = match pcap_head(file) {
        Ok(pcap) => pcap,
        Err(fault) => return (0, fault),
    };
    let mut at = 24;
    loop {
        match pcap_record(&pcap, &file[at..]) {
            Ok((packet, length)) => {
                seen.push(packet);
                at += length;
            }
            Err(fault) => return (at, fault),
        }
    }
}

fn pcap_record(pcap: &Pcap, bytes: &[u8]) -> Result<(Seen, usize), Fault> {
    let header = if pcap.modified { 24 } else { 16 };
    let head = bytes.get(..header).ok_or(Short)?;
    let (seconds, fraction) = (word(head, 0, pcap.big)?, word(head, 4, pcap.big)?);
    let (first, second) = (word(head, 8, pcap.big)?, word(head, 12, pcap.big)?);
    let swapped = match pcap.version {
        (543, 0) | (2, 0..=2) => true,
        (2, 3) => first > second,
        _ => false,
    };
    let (captured, original) = if swapped { (second, first) } else { (first, second) };
    require(captured <= MAX_RECORD)?;
    let data = bytes.get(header..header + captured as usize).ok_or(Short)?;
    let direction = [0b101, 0b1101, 0b1001, 0b10001, 0b10];
    let flags = if pcap.modified { direction.get(usize::from(head[22])).copied().unwrap_or(0) } else { 0 };
    let nanos = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * u64::from(1_000_000_000 / pcap.units);
    let packet = Seen {
        link_type: pcap.link_type,
        interface: 0,
        seconds: (nanos / 1_000_000_000) as i64,
        nanoseconds: (nanos % 1_000_000_000) as u32,
        data: data.to_vec(),
        original: original.max(captured),
        flags,
        ..nothing()
    };
    Ok((packet, header + captured as usize))
}

fn nothing() -> Seen {
    Seen {
        link_type: 0,
        interface: 0,
        seconds: 0,
        nanoseconds: 0,
        data: Vec::new(),
        original: 0,
        flags: 0,
        drop_count: None,
        queue: None,
        packet_id: None,
        comment: None,
        hash: None,
        verdict: None,
    }
}

// ---------------------------------------------------------------- pcapng

#[derive(Default)]
struct Sections {
    big: bool,
    interfaces: Vec<Interface>,
    before: usize,
}

struct Interface {
    link_type: u16,
    snaplen: u32,
    resolution: u8,
    offset: i64,
}

fn read_pcapng(file: &[u8], seen: &mut Vec<Seen>) -> (usize, Fault) {
    let mut sections = Sections::default();
    let mut at = 0;
    loop {
        match sections.block(&file[at..]) {
            Ok((packet, length)) => {
                seen.extend(packet);
                at += length;
            }
            Err(fault) => return (at, fault),
        }
    }
}

fn whole(bytes: &[u8], length: u32, big: bool) -> Result<&[u8], Fault> {
    let block = bytes.get(..length as usize).ok_or(Short)?;
    require(word(block, block.len() - 4, big)? == length)?;
    Ok(&block[..block.len() - 4])
}

impl Sections {
    fn block(&mut self, bytes: &[u8]) -> Result<(Option<Seen>, usize), Fault> {
        let (block_type, mut length) = (word(bytes, 0, self.big)?, word(bytes, 4, self.big)?);
        let mut big = self.big;
        if block_type == 0x0a0d_0d0a {
            big = word(bytes, 8, true)? == 0x1a2b_3c4d;
            require(big || word(bytes, 8, false)? == 0x1a2b_3c4d)?;
            length = word(bytes, 4, big)?;
        }
        let least = match block_type {
            0x0a0d_0d0a => 28,
            1 => 20,
            2 | 6 => 32,
            3 => 16,
            5 => 24,
            _ => 12,
        };
        require(length.is_multiple_of(4) && length >= least && length <= MAX_RECORD)?;
        let packet = match block_type {
            0x0a0d_0d0a => {
                let block = whole(bytes, length, big)?;
                require(half(block, 12, big)? == 1 && [0, 2].contains(&half(block, 14, big)?))?;
                self.before += self.interfaces.len();
                self.interfaces.clear();
                self.big = big;
                None
            }
            1 => {
                let interface = self.interface(whole(bytes, length, big)?)?;
                require(self.before + self.interfaces.len() < 65_536)?;
                self.interfaces.push(interface);
                None
            }
            2 | 3 | 6 => Some(self.packet(block_type, bytes, length)?),
            _ => whole(bytes, length, big).map(|_| None)?,
        };
        Ok((packet, length as usize))
    }

    fn interface(&self, block: &[u8]) -> Result<Interface, Fault> {
        let mut interface = Interface {
            link_type: raw_link_type(half(block, 8, self.big)?),
            snaplen: real_snaplen(word(block, 12, self.big)?),
            resolution: 6,
            offset: 0,
        };
        for (code, value) in self.options(&block[16..]) {
            if code == 9 && value.len() == 1 {
                interface.resolution = value[0];
            }
            if code == 14 {
                interface.offset = self.number(&value).unwrap_or(0) as i64;
            }
        }
        Ok(interface)
    }

    fn packet(&self, block_type: u32, bytes: &[u8], length: u32) -> Result<Seen, Fault> {
        let simple = block_type == 3;
        let header = if simple { 12 } else { 28 };
        bytes.get(..header).ok_or(Short)?;
        let original = word(bytes, if simple { 8 } else { 24 }, self.big)?;
        let captured = match self.interfaces.first() {
            Some(interface) if simple => original.min(interface.snaplen),
            _ if simple => original,
            _ => word(bytes, 20, self.big)?,
        };
        require(captured <= length - header as u32 - 4)?;
        let block = whole(bytes, length, self.big)?;
        let number = match block_type {
            6 => word(block, 8, self.big)? as usize,
            2 => usize::from(half(block, 8, self.big)?),
            _ => 0,
        };
        let interface = self.interfaces.get(number).ok_or(Wrong)?;
        let time = if simple { None } else { Some((word(block, 12, self.big)?, word(block, 16, self.big)?)) };
        let (seconds, nanoseconds) = interface.time(time);
        let mut packet = Seen {
            link_type: interface.link_type,
            interface: self.before + number,
            seconds,
            nanoseconds,
            data: block[header..header + captured as usize].to_vec(),
            original: original.max(captured),
            ..nothing()
        };
        if block_type == 2 {
            let drops = half(block, 10, self.big)?;
            packet.drop_count = (drops != 0 && drops != 65_535).then_some(drops.into());
        }
        self.describe(&mut packet, &block[header + (captured as usize).next_multiple_of(4)..]);
        Ok(packet)
    }

    fn describe(&self, packet: &mut Seen, options: &[u8]) {
        for (code, value) in self.options(options) {
            let short = || (value.len() == 4).then(|| word(&value, 0, self.big).ok()).flatten();
            match code {
                1 if packet.comment.is_none() => packet.comment = Some(value),
                2 => packet.flags = short().unwrap_or(0),
                3 => packet.hash = Some(value),
                4 => packet.drop_count = self.number(&value),
                5 => packet.packet_id = self.number(&value),
                6 => packet.queue = short(),
                7 => packet.verdict = Some(value),
                _ => {}
            }
        }
    }

    fn options(&self, mut bytes: &[u8]) -> Vec<(u16, Vec<u8>)> {
        let mut options = Vec::new();
        while let (Ok(code), Ok(length)) = (half(bytes, 0, self.big), half(bytes, 2, self.big)) {
            let length = usize::from(length);
            if code == 0 || bytes.len() < 4 + length {
                break;
            }
            options.push((code, bytes[4..4 + length].to_vec()));
            bytes = bytes.get(4 + length.next_multiple_of(4)..).unwrap_or(&[]);
        }
        options
    }

    fn number(&self, value: &[u8]) -> Option<u64> {
        let raw = value.try_into().ok()?;
        Some(if self.big { u64::from_be_bytes(raw) } else { u64::from_le_bytes(raw) })
    }
}

impl Interface {
    fn time(&self, ticks: Option<(u32, u32)>) -> (i64, u32) {
        let Some((high, low)) = ticks else { return (0, 0) };
        let nanos = (u128::from(high) << 32 | u128::from(low)) * 1_000_000_000;
        let exponent = u32::from(self.resolution & 0x7f);
        let nanos = match self.resolution & 0x80 {
            0 => 10u128.checked_pow(exponent).map_or(0, |unit| nanos / unit),
            _ => nanos >> exponent,
        };
        let seconds = (nanos / 1_000_000_000).min(i64::MAX as u128) as i64;
        (seconds.saturating_add(self.offset), (nanos % 1_000_000_000) as u32)
    }
}
