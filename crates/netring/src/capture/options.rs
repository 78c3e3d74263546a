//! Options of a capture.

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

/// Options of a capture. The defaults suit a busy interface: a ring of 256 MiB, and blocks closed after 60 ms at the
/// latest.
#[derive(Clone, Debug)]
pub struct CaptureOptions {
    /// Bytes per block, a multiple of the page size.
    pub block_size: u32,
    /// The wanted number of blocks.
    pub block_count: u32,
    /// Bytes per frame; V3 checks it and does not use it.
    pub frame_size: u32,
    /// Milliseconds after which the kernel closes a block that is not full.
    pub block_timeout_ms: u32,
    /// Whether the kernel computes a flow hash for each packet.
    pub fill_rxhash: bool,
    /// Bytes to keep of each packet.
    pub snaplen: u32,
    /// Promiscuous mode.
    pub promiscuous: bool,
    /// Skip packets that this host sends.
    pub ignore_outgoing: bool,
    /// SO_BUSY_POLL in microseconds; 0 leaves it alone.
    pub busy_poll_us: u32,
    /// SO_REUSEPORT.
    pub reuse_port: bool,
    /// SO_RCVBUF in bytes; 0 leaves it alone.
    pub receive_buffer_bytes: u32,
    /// SO_RCVBUFFORCE instead.
    pub receive_buffer_force: bool,
    /// The clock for timestamps.
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
    /// Bytes per block, a multiple of the page size.
    block_size: u32,
    /// The wanted number of blocks.
    block_count: u32,
    /// Bytes per frame; V3 checks it and does not use it.
    frame_size: u32,
    /// Milliseconds after which the kernel closes a block that is not full.
    block_timeout_ms: u32,
    /// Whether the kernel computes a flow hash for each packet.
    fill_rxhash: bool,
    /// Bytes to keep of each packet.
    snaplen: u32,
    /// Promiscuous mode.
    promiscuous: bool,
    /// Skip packets that this host sends.
    ignore_outgoing: bool,
    /// SO_BUSY_POLL in microseconds; 0 leaves it alone.
    busy_poll_us: u32,
    /// SO_REUSEPORT.
    reuse_port: bool,
    /// SO_RCVBUF in bytes; 0 leaves it alone.
    receive_buffer_bytes: u32,
    /// SO_RCVBUFFORCE instead.
    receive_buffer_force: bool,
    /// The clock for timestamps.
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

/// Socket settings for roles that build on a capture; not public.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setup {
    /// The kernel writes a virtio-net header before each packet (`PACKET_VNET_HDR`), so that a bridge can send the
    /// packet on as it is (`ring::vnet`).
    pub(crate) vnet_header: bool,
    /// The socket stays outside its fanout group, behind a filter that drops every packet
    /// ([`StartBarrier`](super::StartBarrier)).
    pub(crate) paused: bool,
}
