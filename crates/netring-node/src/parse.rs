//! Headers of packets, by the core's parser, where JavaScript reads them.

use std::collections::HashMap;

use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::parse::{HEAD_BYTES, Parsed, ParsedColumns, Place, Record};
use netring::ring::Memory;
use netring::{Error as CoreError, ErrorKind};

use crate::error::to_js;
use crate::view::{Ended, View, with_views};

/// Packets between the one that is parsed and the one whose head is asked for: a cache miss takes as long as a few.
const AHEAD: usize = 8;
/// Pieces of memory kept for the columns of the next batches.
const POOLED: usize = 4;

/// Where a column of parsed packets starts, times their number, in the order of `Parsed::ALL`.
#[napi]
pub fn native_parsed_starts() -> Vec<u32> {
    Parsed::ALL.iter().map(|column| column.start() as u32).collect()
}

/// Words of a packet's record.
#[napi]
pub fn native_record_words() -> u32 {
    Record::WORDS as u32
}

/// Parsed columns of the batches of one source, in memory that they take in turns.
#[napi]
#[derive(Default)]
pub struct NativeParser {
    live: HashMap<u32, (Memory, View)>,
    pool: Vec<Memory>,
}

#[napi]
impl NativeParser {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Parses the packets at `offset` in `bytes` into columns, which are `batch`'s until end().
    #[napi(ts_return_type = "ArrayBuffer")]
    pub fn parse<'env>(
        &mut self,
        env: &'env Env,
        batch: u32,
        #[napi(ts_arg_type = "Uint8Array")] bytes: Unknown<'_>,
        #[napi(ts_arg_type = "Uint32Array")] offset: Unknown<'_>,
        #[napi(ts_arg_type = "Uint32Array")] captured: Unknown<'_>,
        #[napi(ts_arg_type = "Uint32Array")] original: Unknown<'_>,
    ) -> Result<Unknown<'env>> {
        if self.live.contains_key(&batch) {
            // A view that is replaced by another would not be ended (V1).
            return Err(to_js(CoreError::new(ErrorKind::Config, "this batch has been parsed already")));
        }
        let parsed = with_views(env, [bytes, offset, captured, original], |[bytes, offset, captured, original]| {
            let count = (offset.len() / size_of::<u32>()) as u32;
            let memory = self.memory(count);
            let target = memory.slice(0, count as usize * ParsedColumns::BYTES_PER_PACKET)?;
            parse_columns(&bytes, [&offset, &captured, &original], &target).map(|()| (memory, target))
        })?;
        let (memory, target) = parsed.ok_or_else(outside)?;
        let (view, value) = View::create(env, target, || ())?;
        self.live.insert(batch, (memory, view));
        Ok(value)
    }

    /// Makes a batch's columns empty.
    #[napi]
    pub fn end(&mut self, batch: u32) -> Result<()> {
        let Some((memory, view)) = self.live.remove(&batch) else { return Ok(()) };
        // What escaped by transfer() keeps its memory for itself (V2).
        if matches!(view.end()?, Ended::Now) && self.pool.len() < POOLED {
            self.pool.push(memory);
        }
        Ok(())
    }

    /// Makes the columns of all batches empty.
    #[napi]
    pub fn close(&mut self) -> Result<()> {
        self.pool.clear();
        self.live.drain().try_for_each(|(_, (_, view))| view.end().map(drop))
    }

    fn memory(&mut self, count: u32) -> Memory {
        let bytes = count as usize * ParsedColumns::BYTES_PER_PACKET;
        match self.pool.iter().position(|memory| memory.len() >= bytes) {
            Some(at) => self.pool.swap_remove(at),
            // Rounded up, so that batches of about the same size share memory.
            None => {
                self.pool.pop();
                let packets = (count as usize).max(64).next_power_of_two();
                Memory::zeroed(packets * ParsedColumns::BYTES_PER_PACKET)
            }
        }
    }
}

fn parse_columns(bytes: &Memory, [offset, captured, original]: [&Memory; 3], target: &Memory) -> Option<()> {
    let count = (target.len() / ParsedColumns::BYTES_PER_PACKET) as u32;
    let columns = ParsedColumns::in_memory(target, count)?;
    (0..count).try_for_each(|row| {
        let at = row as usize * size_of::<u32>();
        bytes.prefetch(offset.u32(at + AHEAD * size_of::<u32>()).unwrap_or(0) as usize, HEAD_BYTES - 1);
        let place = Place { offset: offset.u32(at)?, captured: captured.u32(at)?, original: original.u32(at)? };
        columns.parse(row, bytes, place).then_some(())
    })
}

/// Parses the packet that `bytes` are into a record.
#[napi]
pub fn native_parse_packet(
    env: &Env,
    #[napi(ts_arg_type = "Uint8Array")] bytes: Unknown<'_>,
    original: u32,
    #[napi(ts_arg_type = "Uint32Array")] target: Unknown<'_>,
) -> Result<()> {
    with_views(env, [bytes, target], |[bytes, target]| {
        let captured = u32::try_from(bytes.len()).ok()?;
        let record = Record::of(&bytes, Place { offset: 0, captured, original })?;
        let mut words = record.words().iter().enumerate();
        words.all(|(index, word)| target.set_u32(index * size_of::<u32>(), *word)).then_some(())
    })?
    .ok_or_else(outside)
}

fn outside() -> napi::Error {
    to_js(CoreError::new(
        ErrorKind::Io,
        "a packet does not lie in its batch's bytes: were its offset or length columns overwritten?",
    ))
}
