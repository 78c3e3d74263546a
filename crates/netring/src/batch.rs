//! Batches for Rust callers: a batch that is released on drop, and its packets.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Error, ErrorKind, Result};
use crate::ring::columns::Row;
use crate::ring::{ColumnSet, Columns, Memory, VolatileSlice};
use crate::source::{BatchHeader, Pollable, Source};

/// A batch that is released to its source when dropped.
///
/// It borrows the source, so there is one at a time. Callers that hold several, or release them in another order,
/// use [`Source::next`] and [`Source::release`].
///
/// ```compile_fail
/// # use netring::{SourceExt, capture::Capture};
/// # fn outlives(mut capture: Capture) -> Option<()> {
/// let batch = capture.next_batch().ok()??;
/// drop(capture); // error: the batch still borrows the capture
/// drop(batch);
/// # Some(())
/// # }
/// ```
///
/// ```compile_fail
/// # use netring::{SourceExt, capture::Capture};
/// # fn outlives(mut capture: Capture) -> Option<()> {
/// let batch = capture.next_batch().ok()??;
/// let packet = batch.packets().next()?;
/// drop(batch); // error: the packet still borrows the batch
/// packet.original_length();
/// # Some(())
/// # }
/// ```
#[derive(Debug)]
pub struct HeldBatch<'s, S: Source> {
    source: &'s mut S,
    /// `Some` until the drop.
    batch: Option<S::Batch>,
    header: BatchHeader,
    columns: Columns,
    bytes: Memory,
}

impl<S: Source> HeldBatch<'_, S> {
    /// Its metadata: packet count, number, whether packets were lost before it.
    pub fn header(&self) -> BatchHeader {
        self.header
    }

    /// Its packets, in order of arrival.
    pub fn packets(&self) -> impl ExactSizeIterator<Item = Packet<'_>> {
        (0..self.header.length).map(|index| Packet { row: self.columns.row(index), bytes: &self.bytes })
    }
}

impl<S: Source> Drop for HeldBatch<'_, S> {
    fn drop(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.source.release(batch);
        }
    }
}

/// A packet in a batch.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'b> {
    row: Row,
    bytes: &'b Memory,
}

impl<'b> Packet<'b> {
    /// The captured bytes, from the link-layer header on. The kernel, and maybe others, can write this memory, so
    /// callers copy the bytes instead of borrowing them: [`VolatileSlice::to_vec`], [`VolatileSlice::copy_to`].
    pub fn bytes(&self) -> VolatileSlice<'b> {
        let part = self.bytes.part(self.row.offset as usize, self.row.captured as usize);
        part.unwrap_or_else(|| VolatileSlice::from(&[][..]))
    }

    /// Bytes on the wire; more than the captured bytes where the snap length cut the packet.
    pub fn original_length(&self) -> u32 {
        self.row.original
    }

    /// When it was received.
    pub fn timestamp(&self) -> SystemTime {
        UNIX_EPOCH + Duration::new(self.row.seconds.into(), self.row.nanoseconds)
    }

    /// The ethertype of the link layer; 0 where the source does not know it.
    pub fn protocol(&self) -> u16 {
        self.row.protocol
    }
}

/// Methods for callers that take one batch at a time.
pub trait SourceExt: Source {
    /// The next batch, or `None`. Never blocks.
    ///
    /// # Errors
    ///
    /// As [`Source::next`]: [`InterfaceRemoved`](crate::ErrorKind::InterfaceRemoved) once the interface is gone and the
    /// ring is empty.
    fn next_batch(&mut self) -> Result<Option<HeldBatch<'_, Self>>> {
        let mut target = |packets| Some((Columns::for_packets(packets), ColumnSet::ALL));
        let Some((batch, columns)) = self.next(&mut target)? else { return Ok(None) };
        let Some(columns) = columns else {
            self.release(batch);
            return Err(Error::new(ErrorKind::Io, "the source filled no columns: its packets cannot be found"));
        };
        let (header, bytes) = (Self::header(&batch), self.bytes(&batch));
        let bytes = bytes.unwrap_or_else(|| Memory::zeroed(0));
        Ok(Some(HeldBatch { source: self, batch: Some(batch), header, columns, bytes }))
    }

    /// Blocks this thread until the next batch; `None` when `timeout` passed first.
    ///
    /// # Errors
    ///
    /// As [`next_batch`](Self::next_batch), and [`LinkDown`](crate::ErrorKind::LinkDown) once each time that the
    /// interface goes down; the caller may go on.
    fn next_batch_within(&mut self, timeout: Duration) -> Result<Option<HeldBatch<'_, Self>>>
    where
        Self: Pollable,
    {
        if self.wait_within(timeout)? { self.next_batch() } else { Ok(None) }
    }
}

impl<S: Source> SourceExt for S {}
