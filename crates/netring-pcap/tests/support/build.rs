//! Files made by hand, right ones and wrong ones.

/// Blocks of pcapng in one byte order.
#[derive(Clone, Copy)]
pub struct Ng {
    /// Big-endian?
    pub big: bool,
}

impl Ng {
    /// Two bytes.
    pub fn half(self, value: u16) -> Vec<u8> {
        if self.big { value.to_be_bytes().into() } else { value.to_le_bytes().into() }
    }

    /// Four bytes.
    pub fn word(self, value: u32) -> Vec<u8> {
        if self.big { value.to_be_bytes().into() } else { value.to_le_bytes().into() }
    }

    /// Eight bytes.
    pub fn long(self, value: u64) -> Vec<u8> {
        if self.big { value.to_be_bytes().into() } else { value.to_le_bytes().into() }
    }

    /// A time: two words, the upper one first.
    pub fn ticks(self, ticks: u64) -> Vec<u8> {
        [self.word((ticks >> 32) as u32), self.word(ticks as u32)].concat()
    }

    /// One option, padded.
    pub fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        padded([self.half(code), self.half(value.len() as u16), value.into()].concat())
    }

    /// Options with opt_endofopt.
    pub fn options(self, options: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes: Vec<u8> = options.iter().flat_map(|(code, value)| self.option(*code, value)).collect();
        bytes.extend(self.option(0, &[]));
        bytes
    }

    /// A block around a body whose length is a multiple of 4.
    pub fn block(self, block_type: u32, body: &[u8]) -> Vec<u8> {
        let total = self.word(body.len() as u32 + 12);
        [&self.word(block_type)[..], &total, body, &total].concat()
    }

    /// A section header without options, which says that its section has -1 bytes: as many as it has.
    pub fn section(self) -> Vec<u8> {
        self.section_of(u64::MAX, &[])
    }

    /// A section header.
    pub fn section_of(self, length: u64, options: &[u8]) -> Vec<u8> {
        let body = [self.word(0x1a2b_3c4d), self.half(1), self.half(0), self.long(length), options.into()].concat();
        self.block(0x0a0d_0d0a, &body)
    }

    /// An interface description.
    pub fn interface(self, link_type: u16, snap_len: u32, options: &[u8]) -> Vec<u8> {
        self.block(1, &[self.half(link_type), self.half(0), self.word(snap_len), options.into()].concat())
    }

    /// An enhanced packet.
    pub fn packet(self, interface: u32, ticks: u64, data: &[u8], options: &[u8]) -> Vec<u8> {
        let length = self.word(data.len() as u32);
        let head = [self.word(interface), self.ticks(ticks), length.clone(), length].concat();
        self.block(6, &[head, padded(data.into()), options.into()].concat())
    }

    /// A simple packet.
    pub fn simple(self, original: u32, data: &[u8]) -> Vec<u8> {
        self.block(3, &[self.word(original), padded(data.into())].concat())
    }

    /// A packet of the first drafts.
    pub fn old_packet(self, interface: u16, drops: u16, ticks: u64, data: &[u8], options: &[u8]) -> Vec<u8> {
        let length = self.word(data.len() as u32);
        let head = [self.half(interface), self.half(drops), self.ticks(ticks), length.clone(), length].concat();
        self.block(2, &[head, padded(data.into()), options.into()].concat())
    }
}

/// Zeros up to a multiple of 4.
pub fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// A pcap header.
pub fn pcap_header(big: bool, magic: u32, version: (u16, u16), snap_len: u32, link_type: u32) -> Vec<u8> {
    let ng = Ng { big };
    let version = [ng.half(version.0), ng.half(version.1)].concat();
    [ng.word(magic), version, vec![0; 8], ng.word(snap_len), ng.word(link_type)].concat()
}

/// A pcap record with any two lengths.
pub fn pcap_record(big: bool, time: (u32, u32), lengths: (u32, u32), data: &[u8]) -> Vec<u8> {
    let ng = Ng { big };
    [ng.word(time.0), ng.word(time.1), ng.word(lengths.0), ng.word(lengths.1), data.into()].concat()
}

/// A file with every kind of block, both byte orders, and two link types.
pub fn every_block() -> Vec<u8> {
    blocks(true)
}

/// The same; without `events`, the blocks that Wireshark takes for packets of a kind: custom ones, the journal's.
pub fn blocks(events: bool) -> Vec<u8> {
    let mut file = Vec::new();
    for big in [false, true] {
        let ng = Ng { big };
        let flags = ng.options(&[
            (1, b"a comment"),
            (2, &ng.word(1 | 1 << 9)),
            (3, &[5, 1, 2, 3, 4]),
            (4, &ng.long(3)),
            (5, &ng.long(99)),
            (6, &ng.word(7)),
            (7, &[0, 1]),
            (1, b"another comment"),
            (2988, b"\0\0\0\x01custom"),
        ]);
        let about = ng.options(&[(2, b"hardware"), (3, b"os"), (4, b"program"), (1, b"first"), (1, b"second")]);
        let names = ng.options(&[(2, b"eth0"), (3, b"the first"), (9, &[9]), (11, b"\0tcp"), (14, &ng.long(10))]);
        file.extend(ng.section_of(12, &about));
        file.extend(ng.interface(1, 96, &names));
        file.extend(ng.simple(40, &[0x55; 40]));
        file.extend(ng.packet(0, 1_700_000_000_123_456_789, &[1, 2, 3, 4, 5], &flags));
        file.extend(ng.block(4, &ng.options(&[(1, &[127, 0, 0, 1, b'l', 0])])));
        file.extend(ng.interface(101, 0, &[]));
        file.extend(ng.packet(1, 1_700_000_000_123_456, &[0x45; 20], &[]));
        file.extend(ng.packet(0, 7, &[], &[]));
        if events {
            file.extend(ng.block(0xbad, &[ng.word(32_473), vec![9; 40]].concat()));
            file.extend(ng.block(0x4000_0bad, &[ng.word(32_473), vec![9; 8]].concat()));
            file.extend(ng.block(9, &padded(b"MESSAGE=journal".into())));
        }
        file.extend(ng.old_packet(1, 5, 1_700_000_000_000_001, &[0x60; 41], &ng.options(&[(2, &ng.word(2))])));
        file.extend(ng.block(0xa, &[ng.word(0x544c_534b), ng.word(4), vec![1, 2, 3, 4]].concat()));
        file.extend(ng.block(0x1234_5678, &[]));
        let counted = ng.options(&[(2, &ng.ticks(5)), (4, &ng.long(1000)), (5, &ng.long(17)), (8, &ng.long(983))]);
        file.extend(ng.block(5, &[ng.word(0), ng.ticks(6), counted].concat()));
        file.extend(ng.packet(0, 8, &[8; 3], &ng.option(1, b"without an end")));
    }
    file
}
