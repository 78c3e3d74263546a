//! Numbers of the two formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng, and libpcap's sf-pcap.c for the magic
//! numbers that no draft has.

/// First words of pcap files.
pub(crate) mod magic {
    pub(crate) const MICROSECONDS: u32 = 0xa1b2_c3d4;
    pub(crate) const NANOSECONDS: u32 = 0xa1b2_3c4d;
    /// Alexey Kuznetzov's libpcap: record headers of 24 bytes.
    pub(crate) const KUZNETZOV: u32 = 0xa1b2_cd34;
    /// Francisco Mesquita's libpcap.
    pub(crate) const FMESQUITA: u32 = 0xa1b2_34cd;
    /// Navtel Communications.
    pub(crate) const NAVTEL: u32 = 0xa12b_3c4d;
    /// libpcap 1.11: a classic BPF program.
    pub(crate) const CBPF: u32 = 0xa1b2_c3cb;
}

/// pcap: lengths of headers, and the parts of the header's last word.
pub(crate) mod pcap {
    pub(crate) const FILE_HEADER: usize = 24;
    pub(crate) const RECORD_HEADER: usize = 16;
    pub(crate) const MODIFIED_RECORD_HEADER: usize = 24;
    pub(crate) const LINK_TYPE: u32 = 0x0000_ffff;
    /// libpcap refuses a file with one of these set (`LT_RESERVED1`, sf-pcap.c).
    pub(crate) const RESERVED: u32 = 0x03ff_0000;
    /// The top four bits hold the length of the FCS, in units of 16 bits.
    pub(crate) const FCS_PRESENT: u32 = 0x0400_0000;
}

/// pcapng: block types.
pub(crate) mod block {
    /// The same in both byte orders.
    pub(crate) const SECTION_HEADER: u32 = 0x0a0d_0d0a;
    pub(crate) const INTERFACE_DESCRIPTION: u32 = 1;
    pub(crate) const PACKET: u32 = 2;
    pub(crate) const SIMPLE_PACKET: u32 = 3;
    pub(crate) const NAME_RESOLUTION: u32 = 4;
    pub(crate) const INTERFACE_STATISTICS: u32 = 5;
    pub(crate) const ENHANCED_PACKET: u32 = 6;
    pub(crate) const DECRYPTION_SECRETS: u32 = 0xa;
    /// A custom block that a program which does not know it may copy.
    pub(crate) const CUSTOM: u32 = 0xbad;

    pub(crate) const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

    /// Type and length in front, length behind.
    pub(crate) const FRAME: usize = 12;
}

/// pcapng: option codes.
pub(crate) mod option {
    pub(crate) const END: u16 = 0;
    pub(crate) const COMMENT: u16 = 1;

    pub(crate) const SHB_HARDWARE: u16 = 2;
    pub(crate) const SHB_OS: u16 = 3;
    pub(crate) const SHB_USERAPPL: u16 = 4;

    pub(crate) const IF_NAME: u16 = 2;
    pub(crate) const IF_DESCRIPTION: u16 = 3;
    pub(crate) const IF_MAC: u16 = 6;
    pub(crate) const IF_SPEED: u16 = 8;
    pub(crate) const IF_TSRESOL: u16 = 9;
    pub(crate) const IF_FILTER: u16 = 11;
    pub(crate) const IF_OS: u16 = 12;
    pub(crate) const IF_FCSLEN: u16 = 13;
    pub(crate) const IF_TSOFFSET: u16 = 14;
    pub(crate) const IF_HARDWARE: u16 = 15;

    pub(crate) const PACKET_FLAGS: u16 = 2;
    pub(crate) const PACKET_HASH: u16 = 3;
    pub(crate) const EPB_DROPCOUNT: u16 = 4;
    pub(crate) const EPB_PACKETID: u16 = 5;
    pub(crate) const EPB_QUEUE: u16 = 6;
    pub(crate) const EPB_VERDICT: u16 = 7;

    pub(crate) const ISB_STARTTIME: u16 = 2;
    pub(crate) const ISB_ENDTIME: u16 = 3;
    pub(crate) const ISB_IFRECV: u16 = 4;
    pub(crate) const ISB_IFDROP: u16 = 5;
    pub(crate) const ISB_FILTERACCEPT: u16 = 6;
    pub(crate) const ISB_OSDROP: u16 = 7;
    pub(crate) const ISB_USRDELIV: u16 = 8;
}

/// What libpcap takes for "no limit" (`MAX_SNAPLEN`): it stands for 0 and for what is above 2^31.
pub(crate) const NO_SNAP_LEN: u32 = 262_144;
