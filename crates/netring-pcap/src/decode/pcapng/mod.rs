//! The blocks of pcapng.

mod describe;
mod options;
mod packet;

use std::ops::ControlFlow;

pub use describe::SectionInfo;

use super::batch::{Batch, RawBlock};
use super::bytes::u32_at;
use super::{Limits, Stop};
use crate::error::Reason;
use crate::interface::Interface;
use crate::link_type::LinkType;
use crate::time::Resolution;
use crate::wire::block::{self, FRAME};

/// Where a decoder is in a file's sections and blocks.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    section: Option<SectionInfo>,
    /// What packets need of the section's interfaces, by their number in the section.
    clocks: Vec<Clock>,
    /// The number, over all sections, of the section's first interface.
    first_interface: usize,
    sections: u32,
    skip: Option<Skip>,
}

#[derive(Clone, Copy, Debug)]
struct Clock {
    link_type: LinkType,
    resolution: Resolution,
    snap_len: u32,
    offset: i64,
}

/// A block that is passed over without being kept.
#[derive(Clone, Copy, Debug)]
struct Skip {
    /// Where it begins in the file.
    start: u64,
    total: u32,
    /// Bytes up to the length behind it.
    remaining: usize,
}

/// One block in the bytes of a call.
#[derive(Clone, Copy)]
struct Block<'a> {
    /// Of its first byte.
    at: usize,
    total: usize,
    /// The bytes from there on: perhaps not all of it, perhaps more.
    rest: &'a [u8],
}

/// A step of the walk: on with the next block, behind these bytes, or not.
type Step = ControlFlow<Stop, usize>;

/// What a walk reads from and writes to.
struct Walk<'a> {
    limits: &'a Limits,
    interfaces: &'a mut Vec<Interface>,
    bytes: &'a [u8],
    batch: &'a mut Batch,
    /// Of the first of the bytes, in the file.
    position: u64,
}

impl Blocks {
    pub(super) fn section(&self) -> Option<&SectionInfo> {
        self.section.as_ref()
    }

    /// Where in the file a block begins that is being skipped.
    pub(super) fn skipped_from(&self) -> Option<u64> {
        self.skip.map(|skip| skip.start)
    }

    /// Fills the batch; returns where it stopped.
    pub(super) fn walk(
        &mut self,
        limits: &Limits,
        interfaces: &mut Vec<Interface>,
        position: u64,
        bytes: &[u8],
        batch: &mut Batch,
    ) -> (usize, Stop) {
        let mut walk = Walk { limits, interfaces, bytes, batch, position };
        let mut at = match self.skip_on(bytes) {
            Ok(at) => at,
            Err(stopped) => return stopped,
        };
        loop {
            let big_endian = self.section.as_ref().is_some_and(|section| section.big_endian);
            let stop = if big_endian {
                self.blocks::<true>(&mut walk, &mut at)
            } else {
                self.blocks::<false>(&mut walk, &mut at)
            };
            match stop {
                // A section header, which may change the byte order.
                None => match self.begin_section(&walk, at) {
                    Step::Continue(length) => at += length,
                    Step::Break(stop) => return (at, stop),
                },
                Some(stop) => return (at, stop),
            }
        }
    }

    /// The blocks of one section. `None` at a section header.
    fn blocks<const BIG: bool>(&mut self, walk: &mut Walk<'_>, at: &mut usize) -> Option<Stop> {
        while walk.batch.packets.len() < walk.limits.max_packets {
            let rest = &walk.bytes[*at..];
            let Some(head) = rest.first_chunk::<8>() else { return Some(Stop::More(FRAME)) };
            let (block_type, total) = (u32_at::<BIG>(head, 0), u32_at::<BIG>(head, 4));
            if block_type == block::SECTION_HEADER {
                return None;
            }
            if let Err(reason) = check_length(total, FRAME, walk.limits) {
                return Some(Stop::Failed(reason));
            }
            let block = Block { at: *at, total: total as usize, rest };
            let step = match block_type {
                block::ENHANCED_PACKET => self.enhanced_packet::<BIG>(walk, block),
                other => self.other_block::<BIG>(walk, block, other),
            };
            match step {
                Step::Continue(length) => *at += length,
                Step::Break(Stop::More(0)) => {
                    *at += self.skip_rest(walk.position, block);
                    return Some(Stop::More(4));
                }
                Step::Break(stop) => return Some(stop),
            }
        }
        Some(Stop::Full)
    }

    /// Out of the hot loop: everything but the packets of today's files.
    #[inline(never)]
    fn other_block<const BIG: bool>(&mut self, walk: &mut Walk<'_>, block: Block<'_>, block_type: u32) -> Step {
        match block_type {
            block::INTERFACE_DESCRIPTION => self.describe_interface::<BIG>(walk, block),
            block::SIMPLE_PACKET => self.simple_packet::<BIG>(walk, block),
            block::PACKET => self.old_packet::<BIG>(walk, block),
            block::INTERFACE_STATISTICS => self.count_interface::<BIG>(walk, block),
            block::NAME_RESOLUTION | block::DECRYPTION_SECRETS | block::CUSTOM if walk.limits.keep_blocks => {
                let length = whole::<BIG>(block)?;
                walk.batch.blocks.push(RawBlock {
                    offset: block.at as u32,
                    len: length as u32,
                    block_type,
                    big_endian: BIG,
                    after: walk.batch.packets.len() as u32,
                });
                Step::Continue(length)
            }
            // Skipped without waiting for all of it: `More(0)` stands for that.
            _ if block.rest.len() < block.total => Step::Break(Stop::More(0)),
            _ => Step::Continue(whole::<BIG>(block)?),
        }
    }

    /// Begins to skip a block that is not all there; returns how many bytes are done with.
    fn skip_rest(&mut self, position: u64, block: Block<'_>) -> usize {
        let body = block.total - 4;
        let done = body.min(block.rest.len());
        self.skip = Some(Skip { start: position + block.at as u64, total: block.total as u32, remaining: body - done });
        done
    }

    /// Goes on skipping; returns where the next block begins.
    fn skip_on(&mut self, bytes: &[u8]) -> Result<usize, (usize, Stop)> {
        let Some(skip) = &mut self.skip else { return Ok(0) };
        let done = skip.remaining.min(bytes.len());
        skip.remaining -= done;
        let Some(trailer) = bytes[done..].first_chunk::<4>() else { return Err((done, Stop::More(4))) };
        let big_endian = self.section.as_ref().is_some_and(|section| section.big_endian);
        let trailer = if big_endian { u32::from_be_bytes(*trailer) } else { u32::from_le_bytes(*trailer) };
        if trailer != skip.total {
            return Err((done, Stop::Failed(Reason::Trailer { header: skip.total, trailer })));
        }
        self.skip = None;
        Ok(done + 4)
    }
}

/// Checks the length in front of a block.
#[inline(always)]
fn check_length(total: u32, least: usize, limits: &Limits) -> Result<(), Reason> {
    if !total.is_multiple_of(4) || (total as usize) < least {
        return Err(Reason::BlockLength(total));
    }
    if total > limits.max_record_len {
        return Err(Reason::TooLong { length: total, limit: limits.max_record_len });
    }
    Ok(())
}

/// The length of a block that is all there, with the same length in front and behind.
#[inline(always)]
fn whole<const BIG: bool>(block: Block<'_>) -> Step {
    let Some(bytes) = block.rest.get(..block.total) else { return Step::Break(Stop::More(block.total)) };
    let trailer = u32_at::<BIG>(bytes, block.total - 4);
    if trailer as usize != block.total {
        return Step::Break(Stop::Failed(Reason::Trailer { header: block.total as u32, trailer }));
    }
    Step::Continue(block.total)
}
