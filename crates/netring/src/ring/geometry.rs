//! A ring's geometry, checked once.

use crate::error::{Error, ErrorKind, Result};

/// Block size and count and frame size, in bytes, such that the kernel's checks in
/// `packet_set_ring` (net/packet/af_packet.c) hold. Only [`Geometry::new`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    block_size: u32,
    block_count: u32,
    frame_size: u32,
}

/// `TPACKET_ALIGNMENT`.
const FRAME_ALIGNMENT: u32 = 16;

impl Geometry {
    /// Checks a geometry against a page size, which is a property of the running kernel (4, 16 or
    /// 64 KiB).
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config), naming the value that does not fit.
    pub fn new(block_size: u32, block_count: u32, frame_size: u32, page_size: u32) -> Result<Self> {
        let refuse = |message: String| Err(Error::new(ErrorKind::Config, message));
        if block_size == 0 || !block_size.is_multiple_of(page_size) {
            return refuse(format!(
                "`block_size` {block_size} is not a multiple of this machine's page size, {page_size} bytes"
            ));
        }
        if block_count == 0 {
            return refuse("`block_count` 0: a ring needs at least one block".into());
        }
        if frame_size < 128 || !frame_size.is_multiple_of(FRAME_ALIGNMENT) {
            return refuse(format!(
                "`frame_size` {frame_size} must be a multiple of {FRAME_ALIGNMENT} bytes and at least 128"
            ));
        }
        if frame_size > block_size {
            return refuse(format!("`frame_size` {frame_size} is larger than `block_size` {block_size}"));
        }
        let frames = u64::from(block_size / frame_size) * u64::from(block_count);
        if frames > u64::from(u32::MAX) || u64::from(block_size) * u64::from(block_count) > isize::MAX as u64 {
            return refuse(format!(
                "`block_size` {block_size} x `block_count` {block_count} is more than a ring can hold"
            ));
        }
        Ok(Self { block_size, block_count, frame_size })
    }

    /// Bytes per block.
    pub fn block_size(self) -> u32 {
        self.block_size
    }

    /// Blocks.
    pub fn block_count(self) -> u32 {
        self.block_count
    }

    /// Bytes per frame, for the kernel's checks; V3 packs packets regardless of it.
    pub fn frame_size(self) -> u32 {
        self.frame_size
    }

    /// The required `tp_frame_nr`.
    pub fn frame_count(self) -> u32 {
        self.block_size / self.frame_size * self.block_count
    }

    /// Bytes of the whole ring.
    pub fn ring_bytes(self) -> usize {
        self.block_size as usize * self.block_count as usize
    }

    /// The same with other blocks, at least one.
    #[must_use]
    pub fn with_block_count(self, block_count: u32) -> Self {
        Self { block_count: block_count.max(1), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_the_kernel_accepts_on_every_page_size() {
        for page in [4096, 16384, 65536] {
            let geometry = Geometry::new(1 << 22, 64, 2048, page).unwrap();
            assert_eq!(geometry.frame_count(), 2048 * 64);
            assert_eq!(geometry.ring_bytes(), 256 << 20);
        }
    }

    #[test]
    fn refuses_by_name() {
        let page = 16384;
        for (block, count, frame, word) in [
            (4096, 1, 2048, "page size"),
            (0, 1, 2048, "`block_size` 0"),
            (16384, 0, 2048, "`block_count` 0"),
            (16384, 1, 100, "`frame_size` 100"),
            (16384, 1, 2050, "`frame_size` 2050"),
            (16384, 1, 32768, "larger than `block_size`"),
            (16384 + 4096, 1, 2048, "page size, 16384 bytes"),
            (1 << 31, u32::MAX, 128, "more than a ring"),
        ] {
            let error = Geometry::new(block, count, frame, page).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Config);
            assert!(error.message.contains(word), "{error}");
        }
    }
}
