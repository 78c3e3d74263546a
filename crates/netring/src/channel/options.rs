//! What a channel is asked to be.

/// What happens to a packet that finds no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// It waits in the ring, and the thread with it: what then finds no room in the ring the kernel drops and counts.
    Block,
    /// The oldest packets make room.
    DropOldest,
    /// It is dropped.
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
    /// How much a channel holds. A packet that alone is larger than all of `capacity_bytes` is dropped whatever the policy.
    /// Packets, at least one.
    capacity: u32,
    /// Bytes of packets.
    capacity_bytes: u64,
    /// What to do when the queue is full.
    when_full: WhenFull,
});
