//! Where the kernel puts each field, from `include/uapi/linux/if_packet.h`. Offsets in bytes.

/// `struct tpacket_block_desc` with its `struct tpacket_hdr_v1`: the header of a V3 block.
pub mod block {
    /// `hdr.bh1.block_status`, the word that passes ownership.
    pub const STATUS: usize = 8;
    /// `hdr.bh1.num_pkts`.
    pub const PACKETS: usize = 12;
    /// `hdr.bh1.offset_to_first_pkt`, from the block's start.
    pub const FIRST: usize = 16;
    /// `hdr.bh1.blk_len`: header, private area and packets.
    pub const LENGTH: usize = 20;
    /// `hdr.bh1.seq_num`, 64 bits.
    pub const SEQUENCE: usize = 24;
    /// Size of the header, and with no private area the offset of the first packet
    /// (`BLK_PLUS_PRIV(0)` in net/packet/af_packet.c).
    pub const SIZE: usize = 48;
}

/// `struct tpacket3_hdr` and the `struct sockaddr_ll` behind it: the header of one packet.
pub mod packet {
    /// `tp_next_offset`, from this header; 0 on the last packet.
    pub const NEXT: usize = 0;
    /// `tp_sec`.
    pub const SECONDS: usize = 4;
    /// `tp_nsec`.
    pub const NANOSECONDS: usize = 8;
    /// `tp_snaplen`: bytes captured.
    pub const SNAPLEN: usize = 12;
    /// `tp_len`: bytes on the wire.
    pub const LENGTH: usize = 16;
    /// `tp_status`.
    pub const STATUS: usize = 20;
    /// `tp_mac`, 16 bits: offset of the link-layer header from this header.
    pub const MAC: usize = 24;
    /// `hv1.tp_rxhash`.
    pub const RXHASH: usize = 28;
    /// `hv1.tp_vlan_tci`, 32 bits of which 16 are used.
    pub const VLAN_TCI: usize = 32;
    /// `hv1.tp_vlan_tpid`, 16 bits.
    pub const VLAN_TPID: usize = 36;
    /// `TPACKET_ALIGN(sizeof(struct tpacket3_hdr))`: where `struct sockaddr_ll` starts.
    pub const ADDRESS: usize = 48;
    /// `sll_protocol`, 16 bits, big-endian.
    pub const PROTOCOL: usize = ADDRESS + 2;
    /// `sll_hatype`, 16 bits: ARPHRD_*.
    pub const HARDWARE_TYPE: usize = ADDRESS + 8;
    /// `sll_pkttype`, 8 bits: PACKET_HOST …
    pub const PACKET_TYPE: usize = ADDRESS + 10;
    /// `sll_halen`, 8 bits.
    pub const ADDRESS_LENGTH: usize = ADDRESS + 11;
    /// `sll_addr`, 8 bytes.
    pub const ADDRESS_BYTES: usize = ADDRESS + 12;
    /// `TPACKET3_HDRLEN`: no link-layer header starts before this.
    pub const SIZE: usize = ADDRESS + 20;
    /// Packets start at multiples of this (`V3_ALIGNMENT`).
    pub const ALIGNMENT: usize = 8;
}

/// Bits of `block_status` and `tp_status`.
pub mod status {
    /// The kernel owns it.
    pub const KERNEL: u32 = libc::TP_STATUS_KERNEL;
    /// User space owns it.
    pub const USER: u32 = libc::TP_STATUS_USER;
    /// Frame cut. The kernel never sets it in V3; netring does when captured < original.
    pub const TRUNCATED: u32 = libc::TP_STATUS_COPY;
    /// Packets were dropped and the statistics have not been read since.
    pub const LOSING: u32 = libc::TP_STATUS_LOSING;
    /// `tp_vlan_tci` holds a tag that was stripped from the frame.
    pub const VLAN_VALID: u32 = libc::TP_STATUS_VLAN_VALID;
    /// The block timer closed the block before it was full.
    pub const BLOCK_TIMEOUT: u32 = libc::TP_STATUS_BLK_TMO;
    /// `tp_vlan_tpid` is valid.
    pub const VLAN_TPID_VALID: u32 = libc::TP_STATUS_VLAN_TPID_VALID;
}
