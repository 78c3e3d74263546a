//! A capture as a [`Source`] of batches: its batches are runs of a block.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Capture;
use crate::error::{Error, ErrorKind, Result};
use crate::link::{self, LinkEvent};
use crate::readiness::{Readiness, Wait};
use crate::ring::block::WalkOptions;
use crate::ring::columns::CopyFailure;
use crate::ring::{Batch, ColumnSet, Columns, Malformed, Memory};
use crate::source::{BatchHeader, Source, Target};
use crate::stats::CaptureStats;
use crate::sys::deadline_after;

/// How often a blocking wait looks whether an interface that is down has been removed.
const LOOK_FOR_REMOVAL_EVERY: Duration = Duration::from_millis(100);

impl Source for Capture {
    type Batch = Batch;

    fn next(&mut self, target: Target<'_>) -> Result<Option<(Batch, Option<Columns>)>> {
        while !self.runs.has_open_block() {
            let lease = match self.runs.acquire() {
                Some(lease) => lease,
                None => {
                    self.clear_edges()?;
                    match self.runs.acquire() {
                        Some(lease) => lease,
                        None => return self.fail_if_removed().map(|()| None),
                    }
                }
            };
            let lease = self.count(lease)?;
            self.runs.open(lease).map_err(|error| self.malformed(error))?;
        }
        let options = WalkOptions { reinsert_vlan: self.reinsert_vlan, ..self.walk_options() };
        let run = self.runs.next(options, target).map_err(|error| self.malformed(error))?;
        self.drops_reported_before = self.drops_reported;
        Ok(run)
    }

    fn wait_within(&mut self, timeout: Duration) -> Result<bool> {
        let deadline = deadline_after(timeout);
        loop {
            if self.poll()? {
                return Ok(true);
            }
            let until = if self.link.down { deadline.min(Instant::now() + LOOK_FOR_REMOVAL_EVERY) } else { deadline };
            let edge = self.readiness.wait_until(until).map_err(|error| self.wait_failed(&error))?;
            if edge.error {
                self.read_error()?;
            }
            if !edge.any && until == deadline {
                // One last look: the deadline may have come before the edge did.
                return self.poll();
            }
        }
    }

    fn poll(&mut self) -> Result<bool> {
        if self.runs.ready() {
            return Ok(true);
        }
        self.clear_edges()?;
        if self.runs.ready() {
            return Ok(true);
        }
        self.fail_if_removed()?;
        self.fail_if_down()?;
        Ok(false)
    }

    /// The block goes back to the kernel with the last of its runs.
    fn release(&mut self, run: Batch) {
        self.runs.release(run);
    }

    /// The order matters: with the ring still mapped, close(2) alone would stop nothing, neither promiscuous
    /// mode nor fanout nor writes into the ring.
    fn close(self) -> Result<()> {
        let Self { socket, runs, mapping, interface, .. } = self;
        drop(socket);
        drop(runs);
        mapping.retire().map_err(|error| {
            Error::os(ErrorKind::Mmap, "mmap", &error, "cannot replace the ring's mapping").on_interface(&interface)
        })
    }

    fn head(run: &Batch) -> BatchHeader {
        run.into()
    }

    fn bytes(&self, run: &Batch) -> Option<Memory> {
        self.runs.bytes(run)
    }

    fn fill(&self, run: &Batch, columns: &Columns, set: ColumnSet) -> std::result::Result<(), Malformed> {
        columns.fill(&self.runs.block(run), self.walk_options(), set)?;
        if run.losing() {
            columns.mark_losing();
        }
        Ok(())
    }

    fn copy(&self, run: &Batch, columns: &Columns, target: &Memory) -> std::result::Result<(), CopyFailure> {
        columns.copy(&self.runs.block(run), self.walk_options(), 0, u32::MAX, target)?;
        if run.losing() {
            columns.mark_losing();
        }
        Ok(())
    }

    fn readiness(&self) -> &Arc<Readiness> {
        &self.readiness
    }

    /// The socket says nothing of the removal of an interface that is down.
    fn tells_everything(&self) -> bool {
        !self.link.down
    }

    fn watch_link(&self, changed: impl Fn(io::Result<LinkEvent>) + Send + Sync + 'static) -> Result<Wait> {
        link::watch(self.namespace.as_deref(), self.index, changed)
    }

    /// The socket says nothing of the removal of an interface that is down.
    fn watch_removal(&self, removed: impl Fn() + Send + Sync + 'static) -> Result<Option<Wait>> {
        if !self.link.down {
            return Ok(None);
        }
        let gone = Arc::clone(&self.link.gone);
        let changed = move |event| {
            if matches!(event, Ok(LinkEvent::Removed)) {
                gone.store(true, Ordering::Release);
                removed();
            }
        };
        self.watch_link(changed).map(Some)
    }

    fn stats(&mut self) -> Result<CaptureStats> {
        self.read_statistics()?;
        Ok(self.stats.since_last())
    }

    fn cumulative_stats(&mut self) -> Result<CaptureStats> {
        self.read_statistics()?;
        Ok(self.stats.total())
    }
}
