//! One direction of a bridge: a batch at a time from one side's ring into the other side's socket.
//!
//! The batch stays out of the ring until the kernel has taken its last frame. A side without room
//! therefore fills the ring of the other side, and only when that is full does the kernel drop.

use std::time::{Duration, Instant};

use super::stats::DirectionStats;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Matcher;
use crate::ring::{Column, ColumnSet, Columns, Memory, VolatileSlice, vnet};
use crate::source::Source;
use crate::tx::{
    BATCH, FrameTx, Refusal, RejectionLog, RetryBudget, TrySend, WouldBlock, describe_cut, describe_no_room_beyond,
};

/// When to try again after a full queue below the socket: no event says when it has room.
pub(super) const TRY_AGAIN_AFTER: Duration = Duration::from_millis(1);

/// The columns that forwarding reads.
const NEEDED: ColumnSet =
    ColumnSet(1 << Column::Offset as u32 | 1 << Column::CapturedLength as u32 | 1 << Column::OriginalLength as u32);

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Send it on, as it is in memory now.
    Forward,
    /// Do not send it.
    Drop,
    /// Send the next replacement in its place.
    Replace,
}

/// Frames to send in the place of others. Their virtio-net headers are empty: the hardware has nothing
/// to do for them.
#[derive(Debug, Default)]
pub struct Replacements(Vec<Memory>);

impl Replacements {
    /// Copies one more.
    pub fn add(&mut self, frame: VolatileSlice<'_>) {
        let memory = Memory::zeroed(vnet::BYTES as usize + frame.len());
        memory.copy_from(vnet::BYTES as usize, frame);
        self.0.push(memory);
    }
}

/// Where a frame lies.
#[derive(Clone, Copy, Debug)]
struct FramePlace {
    offset: u32,
    length: u32,
    original: u32,
    /// 0: in the batch; otherwise that replacement, counted from 1.
    replacement: u32,
}

/// Frames that wait to be taken, and the owners of their bytes.
#[derive(Debug)]
struct Load<B> {
    /// The ring's batch; none if its bytes were copied.
    batch: Option<B>,
    memory: Memory,
    replacements: Replacements,
    places: Vec<FramePlace>,
    next: usize,
}

impl<B> Load<B> {
    /// A frame and the `header` bytes before it.
    fn frame(&self, place: FramePlace, header: u32) -> VolatileSlice<'_> {
        let memory = match place.replacement {
            0 => &self.memory,
            number => &self.replacements.0[number as usize - 1],
        };
        memory
            .part((place.offset - header) as usize, (header + place.length) as usize)
            .expect("the walk has checked the frame, and its own header, which is longer, lies before it")
    }
}

/// How far a step came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There was nothing to do.
    Idle,
    /// Something was done, and more may be.
    Moved,
    /// The other side has no room.
    Waits(Wait),
}

/// Until when a direction has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until [`FrameTx::room`] is ready.
    Room,
    /// Until this time: no event comes.
    Until(Instant),
}

/// One direction. `B` is a batch of the side that it comes from.
#[derive(Debug)]
pub struct Forwarder<B> {
    load: Option<Load<B>>,
    /// Where the packets of a batch lie that the hook looks at, noted before it could write.
    noted: Option<Vec<FramePlace>>,
    columns: Columns,
    free_vec: Vec<FramePlace>,
    wait: Option<Wait>,
    /// Frames that the other side has taken need another kick.
    unsettled: bool,
    retry: RetryBudget,
    stats: DirectionStats,
    rejections: RejectionLog,
    filter: Option<Matcher>,
}

impl<B> Default for Forwarder<B> {
    fn default() -> Self {
        Self {
            load: None,
            noted: None,
            columns: Columns::for_packets(crate::ring::batches::MAX_BATCH),
            free_vec: Vec::new(),
            wait: None,
            unsettled: false,
            retry: RetryBudget::bridge(),
            stats: DirectionStats::default(),
            rejections: RejectionLog::default(),
            filter: None,
        }
    }
}

/// `columns`, made larger first if they have no room for this many packets.
fn room_for(columns: &mut Columns, packets: u32) -> Columns {
    if columns.capacity() < packets {
        *columns = Columns::for_packets(packets);
    }
    columns.clone()
}

impl<B> Forwarder<B> {
    /// Sets the filter. From the next batch on the forwarder drops and counts the frames that it refuses.
    pub fn set_filter(&mut self, filter: Option<Matcher>) {
        self.filter = filter;
    }

    /// Whether frames wait to be taken by the other side.
    pub fn is_loaded(&self) -> bool {
        self.load.is_some()
    }

    /// The counters, without `kernel_drops`, which the caller adds.
    pub fn stats(&self) -> DirectionStats {
        let noted = self.noted.as_ref().map_or(0, Vec::len);
        let waiting = self.load.as_ref().map_or(0, |load| load.places.len() - load.next);
        DirectionStats { pending: (noted + waiting) as u64, ..self.stats }
    }

    /// Whether [`take_rejections`](Self::take_rejections) has new errors: true once, then false until they
    /// were taken.
    pub fn take_unreported(&mut self) -> bool {
        self.rejections.take_unreported()
    }

    /// Errors of frames that were refused since the last call of this, the first 64.
    pub fn take_rejections(&mut self) -> Vec<Error> {
        self.rejections.take()
    }

    /// What this direction waits for.
    pub fn wait(&self) -> Option<Wait> {
        self.wait
    }

    /// Whether another step has to follow in a millisecond, to [`kick`](FrameTx::kick) the other side.
    pub fn is_unsettled(&self) -> bool {
        self.unsettled
    }

    fn settle(&mut self, to: &mut impl FrameTx) -> Result<()> {
        if self.unsettled {
            self.unsettled = to.kick()?;
        }
        let (count, reasons) = to.late_refusals()?;
        self.stats.forwarded -= count;
        self.stats.rejected += count;
        for reason in reasons {
            self.rejections.add(|| reason);
        }
        Ok(())
    }

    /// One step: takes a batch if none is under way, and sends as many of its frames as are taken now.
    pub fn advance<S: Source<Batch = B>>(&mut self, from: &mut S, to: &mut impl FrameTx) -> Result<Step> {
        if self.load.is_none() && !self.take(from)? {
            self.settle(to)?;
            return Ok(Step::Idle);
        }
        self.push(from, to)
    }

    fn take<S: Source<Batch = B>>(&mut self, from: &mut S) -> Result<bool> {
        let Self { columns, .. } = self;
        let Some((batch, filled)) = from.next(&mut |packets| Some((room_for(columns, packets), NEEDED)))? else {
            return Ok(false);
        };
        let filled = filled.expect("columns were given");
        let mut places = self.places(&filled, S::header(&batch).length);
        let memory = from.bytes(&batch).expect("the batch has just been handed out");
        self.sift(&memory, &mut places);
        self.load(Some(batch), memory, places, Replacements::default());
        Ok(true)
    }

    /// Notes where the packets of a batch lie before a hook sees it: what the hook writes then moves no
    /// frame. [`decide`](Self::decide) follows.
    pub fn note<S: Source<Batch = B>>(&mut self, from: &S, batch: &B) -> Result<()> {
        let packets = S::header(batch).length;
        let columns = room_for(&mut self.columns, packets);
        from.fill(batch, &columns, NEEDED).map_err(|malformed| {
            Error::new(
                ErrorKind::Io,
                format!("packet {} contradicts its block ({})", malformed.index, malformed.reason),
            )
        })?;
        self.noted = Some(self.places(&columns, packets));
        Ok(())
    }

    /// Applies verdicts to the packets of the noted batch; packets without one are dropped. `memory` holds
    /// the batch's bytes; `batch` goes back to its source with the last frame.
    pub fn decide(&mut self, batch: Option<B>, memory: Memory, verdicts: &[Verdict], replacements: Replacements) {
        let mut places = self.noted.take().unwrap_or_default();
        let mut verdicts = verdicts.iter().copied();
        let mut used = 0;
        let before = places.len();
        places.retain_mut(|place| match verdicts.next().unwrap_or(Verdict::Drop) {
            Verdict::Forward => true,
            Verdict::Drop => false,
            Verdict::Replace => {
                let Some(bytes) = replacements.0.get(used) else { return false };
                used += 1;
                let length = bytes.len() as u32 - vnet::BYTES;
                let replacement = used as u32;
                *place = FramePlace { offset: vnet::BYTES, length, original: length, replacement };
                true
            }
        });
        self.stats.dropped += (before - places.len()) as u64;
        self.load(batch, memory, places, replacements);
    }

    /// Drops the frames that the filter refuses.
    fn sift(&mut self, memory: &Memory, places: &mut Vec<FramePlace>) {
        let Some(filter) = &mut self.filter else { return };
        let before = places.len();
        places.retain(|place| {
            let frame = memory.part(place.offset as usize, place.length as usize);
            filter.matches(frame.expect("the walk has checked the frame"), place.original)
        });
        self.stats.dropped += (before - places.len()) as u64;
    }

    fn places(&mut self, columns: &Columns, packets: u32) -> Vec<FramePlace> {
        let mut places = std::mem::take(&mut self.free_vec);
        places.clear();
        let row = |column: Column, index: u32| {
            let start = column.start() * columns.capacity() as usize;
            columns.memory().u32(start + index as usize * size_of::<u32>()).expect("the columns have this row")
        };
        places.extend((0..packets).map(|index| FramePlace {
            offset: row(Column::Offset, index),
            length: row(Column::CapturedLength, index),
            original: row(Column::OriginalLength, index),
            replacement: 0,
        }));
        self.stats.received += u64::from(packets);
        places
    }

    /// Refuses frames of which the ring holds only a part, and makes the others ready to send.
    fn load(&mut self, batch: Option<B>, memory: Memory, mut places: Vec<FramePlace>, replacements: Replacements) {
        let Self { stats, rejections, .. } = self;
        places.retain(|place| {
            let whole = place.length == place.original;
            if !whole {
                stats.too_large += 1;
                rejections.add(|| describe_cut(place.length, place.original));
            }
            whole
        });
        self.load = Some(Load { batch, memory, replacements, places, next: 0 });
    }

    /// Sends frames under way, as many as are taken now. The batch goes back with the last one.
    pub fn push<S: Source<Batch = B>>(&mut self, from: &mut S, to: &mut impl FrameTx) -> Result<Step> {
        let step = match self.hand_over(to).and_then(|step| self.settle(to).map(|()| step)) {
            Err(error) if error.kind == ErrorKind::InterfaceRemoved => {
                self.give_up(from, &error);
                return Err(error);
            }
            step => step?,
        };
        self.wait = if let Step::Waits(wait) = step { Some(wait) } else { None };
        if let Some(load) = self.load.take_if(|load| load.next == load.places.len()) {
            self.free_vec = load.places;
            if let Some(batch) = load.batch {
                from.release(batch);
            }
        }
        Ok(step)
    }

    /// The other side is gone: rejects all frames that wait for it.
    fn give_up<S: Source<Batch = B>>(&mut self, from: &mut S, error: &Error) {
        let Some(load) = self.load.take() else { return };
        let left = load.places.len() - load.next;
        self.stats.rejected += left as u64;
        for _ in 0..left {
            self.rejections.add(|| error.clone());
        }
        if let Some(batch) = load.batch {
            from.release(batch);
        }
    }

    fn hand_over<O: FrameTx>(&mut self, to: &mut O) -> Result<Step> {
        let Self { load, wait, unsettled, retry, stats, rejections, .. } = self;
        let Some(load) = load else { return Ok(Step::Idle) };
        if let Some(Wait::Until(then)) = *wait
            && Instant::now() < then
        {
            return Ok(Step::Waits(Wait::Until(then)));
        }
        let mut budget = BATCH;
        while budget > 0 && load.next < load.places.len() {
            let ready = &load.places[load.next..];
            let ready = &ready[..ready.len().min(budget)];
            let first = ready[0].length;
            let gone = match to.try_send(ready.iter().map(|place| load.frame(*place, O::HEADER)))? {
                TrySend::Taken(count) => {
                    retry.reset();
                    *unsettled = true;
                    stats.forwarded += count as u64;
                    count
                }
                TrySend::WouldBlock(WouldBlock::Buffer) => {
                    stats.pushed_back += 1;
                    return Ok(Step::Waits(Wait::Room));
                }
                TrySend::WouldBlock(WouldBlock::Queue { ours_wait, .. }) => {
                    let now = Instant::now();
                    if !retry.expired(ours_wait, now) {
                        stats.pushed_back += 1;
                        return Ok(Step::Waits(Wait::Until(now + TRY_AGAIN_AFTER)));
                    }
                    stats.ring_full += 1;
                    rejections.add(|| describe_no_room_beyond(first));
                    1
                }
                TrySend::Refused(refused) => {
                    match refused.kind {
                        Refusal::TooLarge => stats.too_large += 1,
                        Refusal::Malformed | Refusal::LinkDown | Refusal::NoRoom => stats.rejected += 1,
                    }
                    rejections.add(|| to.explain(&refused, first));
                    1
                }
            };
            load.next += gone;
            budget -= gone;
        }
        Ok(Step::Moved)
    }

    /// Gives the batch under way back unsent.
    pub fn abandon<S: Source<Batch = B>>(&mut self, from: &mut S) {
        self.noted = None;
        if let Some(batch) = self.load.take().and_then(|load| load.batch) {
            from.release(batch);
        }
    }
}
