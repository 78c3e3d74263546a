//! Options of an injector.

use super::in_flight::SMALLEST_OVERHEAD;
use crate::tx::socket::SendOptions;

/// What to do with a frame that the kernel refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnMalformed {
    /// Count it, report it, go on.
    Skip,
    /// Count it, fail the flush; the next flush goes on behind it.
    Stop,
}

/// Options of an injector.
#[derive(Clone, Debug)]
pub struct InjectorOptions {
    /// Bytes of the largest frame.
    pub frame_size: u32,
    /// Slots.
    pub frame_count: u32,
    /// Hand frames to the driver past the queueing discipline.
    pub qdisc_bypass: bool,
    /// What to do with a frame that the kernel refuses.
    pub on_malformed: OnMalformed,
    /// Network namespace, a name or a path.
    pub namespace: Option<String>,
}

impl Default for InjectorOptions {
    fn default() -> Self {
        Self {
            frame_size: 2048,
            frame_count: 1024,
            qdisc_bypass: false,
            on_malformed: OnMalformed::Skip,
            namespace: None,
        }
    }
}

crate::setters!(InjectorOptions {
    /// Bytes of the largest frame.
    frame_size: u32,
    /// Slots.
    frame_count: u32,
    /// Hand frames to the driver past the queueing discipline.
    qdisc_bypass: bool,
    /// What to do with a frame that the kernel refuses.
    on_malformed: OnMalformed,
    /// Network namespace, a name or a path.
    namespace: Option<String>,
});
impl InjectorOptions {
    /// Those of the socket. Its send buffer has room for a frame in every slot.
    pub(crate) fn socket(&self, owner: &'static str) -> SendOptions<'_> {
        SendOptions {
            owner,
            buffer_bytes: u64::from(self.frame_count) * (u64::from(self.frame_size) + 2 * SMALLEST_OVERHEAD),
            qdisc_bypass: self.qdisc_bypass,
            namespace: self.namespace.as_deref(),
        }
    }
}
