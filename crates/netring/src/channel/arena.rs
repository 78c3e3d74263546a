//! Memory for queued packets: allocated in order, freed in about the same order.
//!
//! Fresh memory costs a page fault per 4 KiB, more than copying the packets into it. So segments are reused.

use crate::ring::Memory;

/// Bytes per segment. Untouched pages take no memory.
const SEGMENT: usize = 2 << 20;
/// Larger pieces get memory of their own, so that little of a segment's end is wasted.
const LARGE: usize = SEGMENT / 4;
/// Free segments to keep, at most.
const MAX_FREE: usize = 4;

/// Allocates pieces of memory. Dropping a piece frees it.
#[derive(Debug, Default)]
pub(super) struct Arena {
    current: Option<Memory>,
    used: usize,
    /// Filled segments.
    filled: Vec<Memory>,
}

impl Arena {
    /// `len` bytes at an address that is a multiple of 8, with arbitrary contents.
    pub(super) fn take(&mut self, len: usize) -> Memory {
        if len <= LARGE {
            for _ in 0..2 {
                let at = self.used.next_multiple_of(8);
                if let Some(piece) = self.current.as_ref().and_then(|segment| segment.slice(at, len)) {
                    self.used = at + len;
                    return piece;
                }
                self.next_segment();
            }
        }
        Memory::zeroed(len)
    }

    fn next_segment(&mut self) {
        self.filled.extend(self.current.take());
        let mut free: Vec<Memory> = self.filled.extract_if(.., Memory::is_sole).take(MAX_FREE + 1).collect();
        self.current = Some(free.pop().unwrap_or_else(|| Memory::zeroed(SEGMENT)));
        self.used = 0;
        self.filled.extract_if(.., Memory::is_sole).for_each(drop);
        self.filled.append(&mut free);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_reused_and_few_are_kept() {
        let mut arena = Arena::default();
        let pieces: Vec<Memory> = (0..64).map(|_| arena.take(LARGE)).collect();
        assert_eq!(arena.filled.len(), 15);
        let first = pieces[0].as_ptr();
        drop(pieces);
        for _ in 0..4 {
            arena.take(LARGE);
        }
        assert!(arena.filled.len() <= MAX_FREE, "{}", arena.filled.len());
        let again: Vec<*mut u8> = (0..64).map(|_| arena.take(LARGE).as_ptr()).collect();
        let different = again.iter().collect::<std::collections::HashSet<_>>().len();
        assert!(different <= (MAX_FREE + 1) * SEGMENT / LARGE, "{different} places");
        let _ = first;
    }

    #[test]
    fn pieces_are_aligned_do_not_overlap_and_may_be_larger_than_a_segment() {
        let mut arena = Arena::default();
        let pieces: Vec<Memory> = [1, 7, 8, 9, LARGE, SEGMENT + 1, 3].map(|len| arena.take(len)).into();
        for (index, piece) in pieces.iter().enumerate() {
            assert!(piece.as_ptr().addr().is_multiple_of(8));
            for at in 0..piece.len() {
                piece.set_u8(at, index as u8 + 1);
            }
        }
        for (index, piece) in pieces.iter().enumerate() {
            assert!(piece.read(0, piece.len()).unwrap().iter().all(|byte| *byte == index as u8 + 1), "{index}");
        }
    }
}
