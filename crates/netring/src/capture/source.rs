//! A capture as a [`Source`] of batches: its batches are runs of a block.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Capture;
use crate::error::Result;
use crate::link::LinkEvent;
use crate::readiness::{Readiness, Wait};
use crate::ring::columns::CopyFailure;
use crate::ring::{ColumnSet, Columns, Malformed, Memory, Run};
use crate::source::{BatchHead, Source, Target};
use crate::stats::CaptureStats;

impl Source for Capture {
    type Batch = Run;

    fn next(&mut self, target: Target<'_>) -> Result<Option<(Run, Option<Columns>)>> {
        self.next_run(target)
    }

    fn wait_within(&mut self, timeout: Duration) -> Result<bool> {
        self.wait_within(timeout)
    }

    fn poll(&mut self) -> Result<bool> {
        self.poll()
    }

    fn release(&mut self, run: Run) {
        self.release(run);
    }

    fn close(self) -> Result<()> {
        self.close()
    }

    fn head(run: &Run) -> BatchHead {
        BatchHead {
            length: run.length(),
            sequence: run.sequence(),
            timed_out: run.timed_out(),
            losing: run.losing(),
            more: !run.ends_block(),
        }
    }

    fn bytes(&self, run: &Run) -> Option<Memory> {
        let block = self.block(run);
        let range = block.bytes();
        block.memory().slice(range.start as usize, range.len())
    }

    fn fill(&self, run: &Run, columns: &Columns, set: ColumnSet) -> std::result::Result<(), Malformed> {
        columns.fill(&self.block(run), self.walk_options(), set)?;
        if run.losing() {
            columns.mark_losing();
        }
        Ok(())
    }

    fn copy(&self, run: &Run, columns: &Columns, target: &Memory) -> std::result::Result<(), CopyFailure> {
        columns.copy(&self.block(run), self.walk_options(), 0, u32::MAX, target)?;
        if run.losing() {
            columns.mark_losing();
        }
        Ok(())
    }

    fn readiness(&self) -> &Arc<Readiness> {
        self.readiness()
    }

    fn watch_link(&self, changed: impl Fn(io::Result<LinkEvent>) + Send + Sync + 'static) -> Result<Wait> {
        self.watch_link(changed)
    }

    fn watch_removal(&self, removed: impl Fn() + Send + Sync + 'static) -> Result<Option<Wait>> {
        self.watch_removal(removed)
    }

    fn stats(&mut self) -> Result<CaptureStats> {
        self.stats()
    }

    fn cumulative_stats(&mut self) -> Result<CaptureStats> {
        self.cumulative_stats()
    }
}
