//! Options of a channel.

/// What to do when the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The thread stops reading. When the ring is full, too, the kernel drops and counts packets.
    Block,
    /// Drop the oldest queued packets.
    DropOldest,
    /// Drop the new packet.
    DropNewest,
}

/// How much a channel holds. A packet that alone is larger than all of `capacity_bytes` is dropped whatever the policy.
#[derive(Clone, Copy, Debug)]
pub struct ChannelOptions {
    /// Packets, at least one.
    pub capacity: u32,
    /// Bytes of packets.
    pub capacity_bytes: u64,
    /// What to do when the queue is full.
    pub when_full: WhenFull,
}

impl Default for ChannelOptions {
    fn default() -> Self {
        Self { capacity: 262_144, capacity_bytes: 256 << 20, when_full: WhenFull::Block }
    }
}

crate::setters!(ChannelOptions {
    /// Packets, at least one.
    capacity: u32,
    /// Bytes of packets.
    capacity_bytes: u64,
    /// What to do when the queue is full.
    when_full: WhenFull,
});
