//! What a capture is asked to be.

use crate::fanout::Fanout;
use crate::filter::Filter;

/// Which clock stamps packets, `Documentation/networking/timestamping.rst`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampSource {
    /// The kernel, when the packet arrives.
    Software,
    /// The interface's own clock.
    RawHardware,
    /// The interface's clock, converted to the system's.
    SystemHardware,
}

impl TimestampSource {
    /// The value of PACKET_TIMESTAMP, or `None` for the default.
    pub(super) fn flag(self) -> Option<libc::c_int> {
        match self {
            Self::Software => None,
            Self::RawHardware => Some(libc::SOF_TIMESTAMPING_RAW_HARDWARE as libc::c_int),
            Self::SystemHardware => Some(libc::SOF_TIMESTAMPING_SYS_HARDWARE as libc::c_int),
        }
    }
}

/// Options of a capture. The defaults suit a busy interface: a ring of 256 MiB, a hand-over every 60 ms at the latest.
#[derive(Clone, Debug)]
pub struct CaptureOptions {
    /// Bytes a block, a multiple of the page size.
    pub block_size: u32,
    /// Blocks asked for.
    pub block_count: u32,
    /// Bytes a frame; in V3 a formality.
    pub frame_size: u32,
    /// Milliseconds after which a block that is not full is handed over.
    pub block_timeout_ms: u32,
    /// Whether the kernel computes a flow hash for each packet.
    pub fill_rxhash: bool,
    /// Bytes of a packet that are kept.
    pub snaplen: u32,
    /// Promiscuous mode.
    pub promiscuous: bool,
    /// Leave out what this host sends.
    pub ignore_outgoing: bool,
    /// SO_BUSY_POLL in microseconds; 0 leaves it alone.
    pub busy_poll_us: u32,
    /// SO_REUSEPORT.
    pub reuse_port: bool,
    /// SO_RCVBUF in bytes; 0 leaves it alone.
    pub receive_buffer_bytes: u32,
    /// SO_RCVBUFFORCE instead.
    pub receive_buffer_force: bool,
    /// Which clock.
    pub timestamp_source: TimestampSource,
    /// Put stripped VLAN tags back into the frames.
    pub reinsert_vlan: bool,
    /// Network namespace, a name or a path.
    pub namespace: Option<String>,
    /// Fanout group to join.
    pub fanout: Option<Fanout>,
    /// Filter.
    pub filter: Option<Filter>,
}

impl Default for CaptureOptions {
    fn default() -> Self {
        Self {
            block_size: 4 << 20,
            block_count: 64,
            frame_size: 2048,
            block_timeout_ms: 60,
            fill_rxhash: true,
            snaplen: crate::filter::WHOLE_PACKET,
            promiscuous: false,
            ignore_outgoing: false,
            busy_poll_us: 0,
            reuse_port: false,
            receive_buffer_bytes: 0,
            receive_buffer_force: false,
            timestamp_source: TimestampSource::Software,
            reinsert_vlan: true,
            namespace: None,
            fanout: None,
            filter: None,
        }
    }
}

crate::setters!(CaptureOptions {
    /// Options of a capture. The defaults suit a busy interface: a ring of 256 MiB, a hand-over every 60 ms at the latest.
    /// Bytes a block, a multiple of the page size.
    block_size: u32,
    /// Blocks asked for.
    block_count: u32,
    /// Bytes a frame; in V3 a formality.
    frame_size: u32,
    /// Milliseconds after which a block that is not full is handed over.
    block_timeout_ms: u32,
    /// Whether the kernel computes a flow hash for each packet.
    fill_rxhash: bool,
    /// Bytes of a packet that are kept.
    snaplen: u32,
    /// Promiscuous mode.
    promiscuous: bool,
    /// Leave out what this host sends.
    ignore_outgoing: bool,
    /// SO_BUSY_POLL in microseconds; 0 leaves it alone.
    busy_poll_us: u32,
    /// SO_REUSEPORT.
    reuse_port: bool,
    /// SO_RCVBUF in bytes; 0 leaves it alone.
    receive_buffer_bytes: u32,
    /// SO_RCVBUFFORCE instead.
    receive_buffer_force: bool,
    /// Which clock.
    timestamp_source: TimestampSource,
    /// Put stripped VLAN tags back into the frames.
    reinsert_vlan: bool,
    /// Network namespace, a name or a path.
    namespace: Option<String>,
    /// Fanout group to join.
    fanout: Option<Fanout>,
    /// Filter.
    filter: Option<Filter>,
});

/// What a role that builds on a capture needs of its socket, and users do not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setup {
    /// The kernel writes a virtio-net header before each packet (`PACKET_VNET_HDR`), so that a bridge can send the packet on
    /// as it is (`ring::vnet`).
    pub(crate) vnet_header: bool,
    /// The socket stays outside its fanout group, behind a filter that lets nothing pass ([`StartBarrier`](super::StartBarrier)).
    pub(crate) paused: bool,
}
