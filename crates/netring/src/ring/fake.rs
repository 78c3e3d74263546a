//! A fake kernel: writes blocks as `tpacket_rcv` does, and corrupts them on request.
//!
//! Serves unit tests, property tests, benches and fuzzing, so that they need no kernel and can
//! test one that breaks its promises.
//!
//! ```
//! use netring::ring::BatchReader;
//! use netring::ring::block::WalkOptions;
//! use netring::ring::fake::{FakeKernel, FakePacket};
//!
//! let (mut kernel, ring) = FakeKernel::with_ring(1 << 16, 4);
//! kernel.receive(&FakePacket::new(&[0xff; 60]));
//! assert!(kernel.retire(0), "the block is user space's now");
//!
//! let mut batches = BatchReader::new(ring, 2048);
//! let lease = batches.acquire().expect("a block was handed over");
//! batches.open(lease).expect("its headers are sound");
//! let options = WalkOptions { snaplen: u32::MAX, reinsert_vlan: false, vnet_header: false };
//! let (batch, _) = batches.next(options, &mut |_| None).unwrap().expect("it has packets");
//! assert_eq!(batch.length(), 1);
//! batches.release(batch);
//! ```

use super::geometry::Geometry;
use super::layout::{block, packet, status};
use super::memory::Memory;
use super::rx::RxRing;

/// One packet to deliver.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields of struct tpacket3_hdr and struct sockaddr_ll")]
pub struct FakePacket {
    pub data: Vec<u8>,
    pub original: u32,
    pub seconds: u32,
    pub nanoseconds: u32,
    pub status: u32,
    pub rxhash: u32,
    pub tci: u16,
    pub tpid: u16,
    pub packet_type: u8,
    pub protocol: u16,
    pub hardware_type: u16,
    pub source: [u8; 6],
}

impl FakePacket {
    /// A packet with these bytes in which every other field depends on its number.
    pub fn numbered(number: u32, data: &[u8]) -> Self {
        let mut packet = Self::new(data);
        packet.original = data.len() as u32 + number % 3;
        packet.seconds = number;
        packet.nanoseconds = 999_999_999 - number;
        packet.rxhash = 0xdead_0000 | number;
        packet.packet_type = (number % 5) as u8;
        packet.protocol = 0x86dd ^ number as u16;
        packet.source = [2, 0, 0, 0, (number >> 8) as u8, number as u8];
        packet
    }

    /// An Ethernet packet with these bytes and unremarkable metadata.
    pub fn new(data: &[u8]) -> Self {
        Self {
            data: data.to_vec(),
            original: data.len() as u32,
            seconds: 1_700_000_000,
            nanoseconds: 999_999_999,
            status: status::USER,
            rxhash: 0xdead_beef,
            tci: 0,
            tpid: 0,
            packet_type: 0,
            protocol: 0x0800,
            hardware_type: libc::ARPHRD_ETHER,
            source: [2, 0, 0, 0, 0, 1],
        }
    }

    /// The same with a stripped VLAN tag.
    #[must_use]
    pub fn tagged(mut self, tpid: u16, tci: u16) -> Self {
        self.status |= status::VLAN_VALID | status::VLAN_TPID_VALID;
        self.tpid = tpid;
        self.tci = tci;
        self
    }
}

/// The kernel's side of a ring.
#[derive(Debug)]
pub struct FakeKernel {
    memory: Memory,
    geometry: Geometry,
    /// The block being filled, or to be filled next.
    current: u32,
    sequence: u64,
    open: bool,
    /// Where the next packet goes, and the header of the last one.
    cursor: usize,
    last: Option<usize>,
    /// Bytes between the end of struct sockaddr_ll and the link-layer header, as PACKET_RESERVE
    /// and alignment make them.
    pub gap: usize,
    /// Packets that found no room.
    pub dropped: u64,
}

impl FakeKernel {
    /// A kernel and the ring it shares. Its pages are small, so that blocks can be.
    pub fn with_ring(block_size: u32, block_count: u32) -> (Self, RxRing) {
        Self::of(Geometry::new(block_size, block_count, 128, 128).expect("a valid geometry"))
    }

    /// A kernel and the ring it shares, of this geometry.
    pub fn of(geometry: Geometry) -> (Self, RxRing) {
        let memory = Memory::zeroed(geometry.ring_bytes());
        let ring = RxRing::new(memory.clone(), geometry);
        let kernel =
            Self { memory, geometry, current: 0, sequence: 1, open: false, cursor: 0, last: None, gap: 18, dropped: 0 };
        (kernel, ring)
    }

    fn base(&self) -> usize {
        self.current as usize * self.geometry.block_size() as usize
    }

    /// Memory of the ring, for corrupting it.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    fn open_block(&mut self) -> bool {
        let word = self.memory.load_acquire(self.base() + block::STATUS).expect("inside");
        if word & status::USER != 0 {
            return false; // frozen
        }
        let base = self.base();
        self.memory.set_u32(base + block::PACKETS, 0);
        self.memory.set_u32(base + block::FIRST, block::SIZE as u32);
        self.memory.set_u32(base + block::LENGTH, block::SIZE as u32);
        self.memory.set_u64(base + block::SEQUENCE, self.sequence);
        self.sequence += 1;
        self.cursor = base + block::SIZE;
        self.last = None;
        self.open = true;
        true
    }

    /// Receives one packet. False when it found no room and was dropped.
    ///
    /// As in `tpacket_rcv`, what is too large for a block is clamped to it; and as in
    /// `__packet_lookup_frame_in_block`, a packet that would end exactly where its block ends goes
    /// to the next one. So a clamped packet leaves an empty block behind.
    pub fn receive(&mut self, packet: &FakePacket) -> bool {
        let mac = packet::SIZE + self.gap;
        let block_size = self.geometry.block_size() as usize;
        let captured = packet.data.len().min((block_size - block::SIZE).saturating_sub(mac));
        let size = (mac + captured).next_multiple_of(packet::ALIGNMENT);
        if !self.open && !self.open_block() {
            self.dropped += 1;
            return false;
        }
        if self.cursor + size >= self.base() + block_size {
            self.retire(0);
            if !self.open_block() {
                self.dropped += 1;
                return false;
            }
        }
        self.write(packet, mac, captured);
        let base = self.base();
        let count = self.memory.u32(base + block::PACKETS).expect("inside");
        self.memory.set_u32(base + block::PACKETS, count + 1);
        if let Some(last) = self.last {
            self.memory.set_u32(last + packet::NEXT, (self.cursor - last) as u32);
        }
        self.last = Some(self.cursor);
        self.cursor += size;
        self.memory.set_u32(base + block::LENGTH, (self.cursor - base) as u32);
        true
    }

    fn write(&self, packet: &FakePacket, mac: usize, captured: usize) {
        let (memory, at) = (&self.memory, self.cursor);
        memory.set_u32(at + packet::NEXT, 0);
        memory.set_u32(at + packet::SECONDS, packet.seconds);
        memory.set_u32(at + packet::NANOSECONDS, packet.nanoseconds);
        memory.set_u32(at + packet::SNAPLEN, captured as u32);
        memory.set_u32(at + packet::LENGTH, packet.original);
        memory.set_u32(at + packet::STATUS, packet.status);
        memory.set_u16(at + packet::MAC, mac as u16);
        memory.set_u32(at + packet::RXHASH, packet.rxhash);
        memory.set_u32(at + packet::VLAN_TCI, u32::from(packet.tci));
        memory.set_u16(at + packet::VLAN_TPID, packet.tpid);
        memory.set_u16(at + packet::PROTOCOL, packet.protocol.to_be());
        memory.set_u16(at + packet::HARDWARE_TYPE, packet.hardware_type);
        memory.set_u8(at + packet::PACKET_TYPE, packet.packet_type);
        memory.set_u8(at + packet::ADDRESS_LENGTH, 6);
        memory.write(at + packet::ADDRESS_BYTES, &packet.source);
        memory.write(at + mac, &packet.data[..captured]);
    }

    /// Closes the open block, full or because its timer fired (`status::BLOCK_TIMEOUT`).
    /// Opens an empty one first where none is open, as after a frame too large for a block.
    pub fn retire(&mut self, bits: u32) -> bool {
        if !self.open && !self.open_block() {
            return false;
        }
        self.memory.store_release(self.base() + block::STATUS, status::USER | bits);
        self.open = false;
        self.current = (self.current + 1) % self.geometry.block_count();
        true
    }

    /// Offset in memory of the header of packet `index` of block `number`.
    pub fn header(&self, number: u32, index: u32) -> usize {
        let mut at = number as usize * self.geometry.block_size() as usize + block::SIZE;
        for _ in 0..index {
            at += self.memory.u32(at + packet::NEXT).expect("inside") as usize;
        }
        at
    }
}
