//! The memory that a file is read into. Bytes are read behind those that have not been handed out yet; a batch takes its
//! bytes from the front, and a buffer is read into anew once every batch of it is back.
#![expect(unsafe_code, reason = "the decoder reads bytes in place")]

use crate::ring::Memory;

/// Bytes of a buffer. A batch of small packets takes some 200 KiB of it.
pub(super) const SIZE: usize = 1 << 20;
/// Buffers that are kept while no batch is in them.
const SPARE: usize = 4;

#[derive(Debug)]
struct Buffer {
    memory: Memory,
    /// What has not been handed out lies from here
    start: usize,
    /// to here.
    end: usize,
    /// Batches that lie in it and are not back.
    held: usize,
}

/// Where read bytes lie.
#[derive(Debug)]
pub(super) struct Buffers {
    buffers: Vec<Option<Buffer>>,
    /// The one that is read into.
    current: usize,
}

impl Buffers {
    pub(super) fn new() -> Self {
        Self { buffers: vec![Some(Buffer::new(SIZE))], current: 0 }
    }

    fn current(&self) -> &Buffer {
        self.buffers[self.current].as_ref().expect("the current buffer is there")
    }

    fn current_mut(&mut self) -> &mut Buffer {
        self.buffers[self.current].as_mut().expect("the current buffer is there")
    }

    /// What has been read and not handed out.
    pub(super) fn unread(&self) -> &[u8] {
        let Buffer { memory, start, end, .. } = self.current();
        // SAFETY: F1. take() hands out what lies before `start` only, and a buffer starts again when every batch of it is
        // back; read(2) and copies go behind `end`, and both take this by `&mut`.
        unsafe { memory.private(*start, end - start) }.expect("the unread bytes lie in their buffer")
    }

    /// Hands out the first of the unread bytes, with the number of their buffer: for release().
    pub(super) fn take(&mut self, len: usize) -> (usize, Memory) {
        let number = self.current;
        let buffer = self.current_mut();
        let memory = buffer.memory.slice(buffer.start, len).expect("the unread bytes lie in their buffer");
        buffer.start += len;
        buffer.held += 1;
        (number, memory)
    }

    /// Passes over the first of the unread bytes.
    pub(super) fn skip(&mut self, len: usize) {
        let buffer = self.current_mut();
        buffer.start = (buffer.start + len).min(buffer.end);
    }

    /// A batch of this buffer is back, and nothing can reach its bytes any more.
    pub(super) fn release(&mut self, number: usize) {
        let buffer = self.buffers[number].as_mut().expect("a buffer with a batch in it is there");
        buffer.held -= 1;
        if buffer.held > 0 || number == self.current {
            return;
        }
        let spare = |(at, buffer): (usize, &Option<Buffer>)| {
            at != self.current && buffer.as_ref().is_some_and(|buffer| buffer.held == 0)
        };
        let spares = self.buffers.iter().enumerate().filter(|entry| spare(*entry)).count();
        if spares > SPARE || self.buffers[number].as_ref().is_some_and(|buffer| buffer.memory.len() != SIZE) {
            self.buffers[number] = None;
        }
    }

    /// Where `least` bytes or more can be put: the memory, and a range of it. What is unread moves to the front, in this
    /// buffer or in another one.
    pub(super) fn room(&mut self, least: usize) -> (Memory, usize, usize) {
        let buffer = self.current_mut();
        let unread = buffer.end - buffer.start;
        if buffer.memory.len() - unread >= least && buffer.is_free() {
            if buffer.start > 0 {
                buffer.memory.copy_within(buffer.start, 0, unread);
                (buffer.start, buffer.end) = (0, unread);
            }
        } else if buffer.memory.len() - buffer.end < least {
            self.change(unread, unread + least);
        }
        let buffer = self.current();
        (buffer.memory.clone(), buffer.end, buffer.memory.len() - buffer.end)
    }

    /// Goes on in a buffer of `size` bytes or more.
    fn change(&mut self, unread: usize, size: usize) {
        let old = self.current;
        let mut fits = |(at, buffer): (usize, &mut Option<Buffer>)| {
            at != old && buffer.as_mut().is_some_and(|one| one.memory.len() >= size && one.is_free())
        };
        let free = self.buffers.iter_mut().enumerate().position(&mut fits);
        let number = free.unwrap_or_else(|| self.add(size.max(SIZE)));
        let (from, start) = (self.current().memory.clone(), self.current().start);
        self.current = number;
        let buffer = self.current_mut();
        from.copy_to(start, unread, &buffer.memory, 0);
        (buffer.start, buffer.end) = (0, unread);
        let left = self.buffers[old].as_mut().expect("it was the current one");
        (left.start, left.end) = (0, 0);
        // A small file's buffers are not many; one that grew for a long record is not kept for the next.
        if left.held == 0 && left.memory.len() != SIZE {
            self.buffers[old] = None;
        }
    }

    fn add(&mut self, size: usize) -> usize {
        let place = self.buffers.iter().position(Option::is_none).unwrap_or(self.buffers.len());
        if place == self.buffers.len() {
            self.buffers.push(None);
        }
        self.buffers[place] = Some(Buffer::new(size));
        place
    }

    /// So many bytes have been put where room() said.
    pub(super) fn filled(&mut self, count: usize) {
        let buffer = self.current_mut();
        assert!(count <= buffer.memory.len() - buffer.end, "{count} bytes are more than there was room for");
        buffer.end += count;
    }
}

impl Buffer {
    fn new(size: usize) -> Self {
        Self { memory: Memory::zeroed(size), start: 0, end: 0, held: 0 }
    }

    /// Whether its bytes may be written anew: every batch is back, and nobody has kept the memory of one.
    fn is_free(&mut self) -> bool {
        self.held == 0 && self.memory.is_sole()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(buffers: &mut Buffers, bytes: &[u8]) {
        let (memory, at, room) = buffers.room(bytes.len());
        assert!(room >= bytes.len() && memory.write(at, bytes));
        buffers.filled(bytes.len());
    }

    fn used(buffers: &Buffers) -> usize {
        buffers.buffers.iter().flatten().count()
    }

    #[test]
    fn unread_bytes_move_and_what_was_handed_out_stays() {
        let mut buffers = Buffers::new();
        put(&mut buffers, &vec![1; SIZE - 4]);
        let (number, first) = buffers.take(SIZE - 8);
        put(&mut buffers, &[2; 16]);
        assert_eq!(buffers.unread(), [&[1; 4][..], &[2; 16]].concat());
        assert!(first.read(0, SIZE - 8).unwrap().iter().all(|byte| *byte == 1));
        assert_eq!(used(&buffers), 2);
        drop(first);
        buffers.release(number);
        put(&mut buffers, &vec![3; SIZE - 30]);
        assert_eq!(used(&buffers), 2, "the rest of the buffer is used first");
        assert_eq!(buffers.unread().len(), SIZE - 10);
    }

    #[test]
    fn one_buffer_is_enough_where_batches_come_back_at_once() {
        let mut buffers = Buffers::new();
        for round in 0..20 {
            put(&mut buffers, &vec![round; SIZE - 100]);
            assert!(buffers.unread().iter().all(|byte| *byte == round));
            let (number, _) = buffers.take(SIZE - 100);
            buffers.release(number);
        }
        assert_eq!(used(&buffers), 1);
    }

    #[test]
    fn few_buffers_are_kept_and_no_large_one() {
        let mut buffers = Buffers::new();
        let mut held = Vec::new();
        for _ in 0..12 {
            put(&mut buffers, &vec![1; SIZE]);
            held.push(buffers.take(SIZE).0);
        }
        put(&mut buffers, &vec![2; 3 * SIZE]);
        held.push(buffers.take(3 * SIZE).0);
        put(&mut buffers, &[1]);
        assert_eq!(used(&buffers), 14);
        for number in held {
            buffers.release(number);
        }
        assert!(used(&buffers) <= SPARE + 1, "{}", used(&buffers));
        assert!(buffers.buffers.iter().flatten().all(|buffer| buffer.memory.len() == SIZE));
    }

    #[test]
    fn memory_that_somebody_kept_is_not_written_anew() {
        let mut buffers = Buffers::new();
        put(&mut buffers, &vec![1; SIZE]);
        let (number, kept) = buffers.take(SIZE);
        buffers.release(number);
        put(&mut buffers, &vec![2; SIZE]);
        assert!(kept.read(0, SIZE).unwrap().iter().all(|byte| *byte == 1));
        assert_eq!(used(&buffers), 2);
        let (second, _) = buffers.take(SIZE);
        buffers.release(second);
        drop(kept);
        put(&mut buffers, &vec![3; SIZE]);
        assert_eq!(used(&buffers), 2, "the first one is free again");
    }
}
