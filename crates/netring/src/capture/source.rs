//! A capture as a source: its batches are parts of a block.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Capture;
use crate::error::{Error, ErrorKind, Result};
use crate::link::LinkEvent;
use crate::link_type::LinkType;
use crate::readiness::{EpollEvents, Readiness, TaskGuard};
use crate::ring::columns::CopyFailure;
use crate::ring::{Batch, ColumnSet, Columns, Malformed, Memory};
use crate::source::{BatchHeader, Counters, LinkCallback, LinkEvents, Pollable, Source, Target};
use crate::stats::CaptureStats;

/// How often a blocking wait checks whether an interface that is down has been removed.
const CHECK_REMOVAL_EVERY: Duration = Duration::from_millis(100);

impl Source for Capture {
    type Batch = Batch;

    fn link_type(&self) -> LinkType {
        self.link_type
    }

    fn next(&mut self, target: Target<'_>) -> Result<Option<(Batch, Option<Columns>)>> {
        while !self.batches.has_open_block() {
            let lease = match self.batches.acquire() {
                Some(lease) => lease,
                None => {
                    self.clear_events()?;
                    match self.batches.acquire() {
                        Some(lease) => lease,
                        None => return self.fail_if_removed().map(|()| None),
                    }
                }
            };
            let lease = self.count(lease)?;
            self.batches.open(lease).map_err(|error| self.malformed(error))?;
        }
        let batch = self.batches.next(self.walk, target).map_err(|error| self.malformed(error))?;
        self.drops_reported_before = self.drops_reported;
        Ok(batch)
    }

    /// The last batch of a block returns the block to the kernel.
    fn release(&mut self, batch: Batch) {
        self.batches.release(batch);
    }

    /// The order matters: while the ring is mapped, close(2) alone stops neither promiscuous mode nor fanout nor writes
    /// into the ring.
    fn close(self) -> Result<()> {
        let Self { socket, batches, mapping, link, .. } = self;
        drop(socket);
        drop(batches);
        mapping.retire().map_err(|error| {
            Error::os(ErrorKind::Mmap, "mmap", &error, "cannot replace the ring's mapping")
                .on_interface(link.interface())
        })
    }

    fn header(batch: &Batch) -> BatchHeader {
        batch.into()
    }

    fn bytes(&self, batch: &Batch) -> Option<Memory> {
        self.batches.bytes(batch)
    }

    fn fill(&self, batch: &Batch, columns: &Columns, set: ColumnSet) -> std::result::Result<(), Malformed> {
        columns.fill(&self.batches.block(batch), self.walk_again(), set)?;
        if batch.losing() {
            columns.mark_losing();
        }
        Ok(())
    }

    fn copy(&self, batch: &Batch, columns: &Columns, target: &Memory) -> std::result::Result<(), CopyFailure> {
        columns.copy(&self.batches.block(batch), self.walk_again(), 0, u32::MAX, target)?;
        if batch.losing() {
            columns.mark_losing();
        }
        Ok(())
    }
}

impl Pollable for Capture {
    fn poll(&mut self) -> Result<bool> {
        if self.batches.ready() {
            return Ok(true);
        }
        self.clear_events()?;
        if self.batches.ready() {
            return Ok(true);
        }
        self.fail_if_removed()?;
        self.link.fail_if_down()?;
        Ok(false)
    }

    fn readiness(&self) -> &Arc<Readiness> {
        &self.readiness
    }

    /// The socket does not report the removal of an interface that is down.
    fn look_every(&self) -> Option<Duration> {
        self.link.is_down().then_some(CHECK_REMOVAL_EVERY)
    }

    fn wait_for_event(&mut self, deadline: Instant) -> Result<EpollEvents> {
        let events = self.readiness.wait_until(deadline).map_err(|error| self.wait_failed(&error))?;
        if events.error {
            self.read_error()?;
        }
        Ok(events)
    }
}

impl LinkEvents for Capture {
    fn watch_link(&self, changed: LinkCallback) -> Result<TaskGuard> {
        self.link.watch(changed)
    }

    /// The socket does not report the removal of an interface that is down.
    fn watch_removal(&self, removed: Box<dyn Fn() + Send + Sync>) -> Result<Option<TaskGuard>> {
        if !self.link.is_down() {
            return Ok(None);
        }
        let gone = Arc::clone(&self.gone);
        let changed = move |event| {
            if matches!(event, Ok(LinkEvent::Removed)) {
                gone.store(true, Ordering::Release);
                removed();
            }
        };
        self.link.watch(changed).map(Some)
    }
}

impl Counters for Capture {
    fn stats(&mut self) -> Result<CaptureStats> {
        self.read_statistics()?;
        Ok(self.stats.since_last())
    }

    fn cumulative_stats(&mut self) -> Result<CaptureStats> {
        self.read_statistics()?;
        Ok(self.stats.total())
    }
}
