//! Packets that own their bytes: end to end in one piece of memory, with all columns in another.

use std::ops::Range;

use super::arena::Arena;
use crate::ring::columns::{BYTES_PER_PACKET, CAPACITY_STEP};
use crate::ring::{Column, Columns, Memory};

/// Packets in order of arrival. The first ones may have been taken or dropped.
#[derive(Debug)]
pub(super) struct Chunk {
    columns: Columns,
    /// Offsets count from its start.
    data: Memory,
    rows: Range<u32>,
}

impl Chunk {
    /// Copies packets `rows`, described by the columns `from`, out of `bytes`. `None` where a column contradicts the
    /// bytes.
    pub(super) fn copy_of(bytes: &Memory, from: &Columns, rows: Range<u32>, arena: &mut Arena) -> Option<Self> {
        let count = rows.len() as u32;
        let capacity = count.next_multiple_of(CAPACITY_STEP);
        let columns = Columns::in_memory(arena.take(capacity as usize * BYTES_PER_PACKET), capacity)?;
        let size: usize = rows.clone().map(|row| length(from, row) as usize).sum();
        let data = arena.take(size);
        copy_rows(from, rows.clone(), &columns, 0)?;
        let mut at = 0;
        for (row, old) in rows.enumerate() {
            let length = length(from, old) as usize;
            if !bytes.copy_to(word(from, Column::Offset, old) as usize, length, &data, at) {
                return None;
            }
            set_offset(&columns, row as u32, at as u32);
            at += length;
        }
        Some(Self { columns, data, rows: 0..count })
    }

    /// Packets in it.
    pub(super) fn len(&self) -> u32 {
        self.rows.len() as u32
    }

    /// Bytes of each packet.
    pub(super) fn lengths(&self) -> impl Iterator<Item = u32> {
        self.rows.clone().map(|row| length(&self.columns, row))
    }

    /// Drops the first packet and returns its length.
    pub(super) fn drop_first(&mut self) -> Option<u32> {
        self.rows.next().map(|row| length(&self.columns, row))
    }

    /// Removes and returns the first `count` packets.
    pub(super) fn split_to(&mut self, count: u32) -> Self {
        let end = (self.rows.start + count).min(self.rows.end);
        let rows = self.rows.start..end;
        self.rows.start = end;
        Self { columns: self.columns.clone(), data: self.data.clone(), rows }
    }

    /// Copies the packets into `data` from byte `at` on and their columns into `columns` from row `row` on, and
    /// returns where the bytes end. `None` where there is no room.
    pub(super) fn copy_to(&self, columns: &Columns, row: u32, data: &Memory, at: u32) -> Option<u32> {
        let (Some(last), first) = (self.rows.end.checked_sub(1), self.rows.start) else { return Some(at) };
        let start = word(&self.columns, Column::Offset, first);
        let size = word(&self.columns, Column::Offset, last) + length(&self.columns, last) - start;
        copy_rows(&self.columns, self.rows.clone(), columns, row)?;
        for (row, old) in (row..).zip(self.rows.clone()) {
            set_offset(columns, row, word(&self.columns, Column::Offset, old) - start + at);
        }
        self.data.copy_to(start as usize, size as usize, data, at as usize).then_some(at + size)
    }
}

fn place(columns: &Columns, column: Column, row: u32) -> usize {
    column.start() * columns.capacity() as usize + column.width() * row as usize
}

fn word(columns: &Columns, column: Column, row: u32) -> u32 {
    columns.memory().u32(place(columns, column, row)).unwrap_or(0)
}

/// Captured bytes of a packet.
pub(super) fn length(columns: &Columns, row: u32) -> u32 {
    word(columns, Column::CapturedLength, row)
}

fn set_offset(columns: &Columns, row: u32, offset: u32) {
    columns.memory().set_u32(place(columns, Column::Offset, row), offset);
}

/// `None` where there is no room.
fn copy_rows(from: &Columns, rows: Range<u32>, to: &Columns, at: u32) -> Option<()> {
    if rows.end > from.capacity() || rows.len() as u32 > to.capacity().checked_sub(at)? {
        return None;
    }
    for column in Column::ALL {
        let (old, new) = (place(from, column, rows.start), place(to, column, at));
        let fits = from.memory().copy_to(old, column.width() * rows.len(), to.memory(), new);
        fits.then_some(())?;
    }
    Some(())
}
