//! Headers of packets, by the core's parser, where JavaScript reads them.

use napi::Env;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use netring::parse::{ParsedColumns, Place, Record};
use netring::ring::{Columns, Memory};
use netring::{Error as CoreError, ErrorKind};

use crate::array::JsArray;
use crate::error::to_js;
use crate::view::{DetachOutcome, View};

/// Pieces of memory kept for the columns of the next batches.
const POOLED: usize = 4;

/// Parses the packet `bytes` into a record, written to the words of `target`.
#[napi]
pub fn native_parse_packet(
    #[napi(ts_arg_type = "Uint8Array")] bytes: JsArray<u8>,
    original: u32,
    #[napi(ts_arg_type = "Uint8Array")] target: JsArray<u8>,
) -> Result<()> {
    let record = bytes.with_memory(|bytes| {
        let captured = u32::try_from(bytes.len()).ok()?;
        Record::of(bytes, Place { offset: 0, captured, original })
    });
    let words = record.ok_or_else(outside)?;
    let written = target.with_memory(|target| {
        let mut words = words.words().iter().enumerate();
        words.all(|(index, word)| target.set_u32(index * size_of::<u32>(), *word))
    });
    if written { Ok(()) } else { Err(outside()) }
}

/// A batch's parsed columns that JavaScript may hold.
pub(crate) struct ParsedView {
    memory: Memory,
    view: View,
}

impl ParsedView {
    /// For callers that end it and need no memory back.
    pub(crate) fn into_view(self) -> View {
        self.view
    }
}

/// Memory that the parsed columns of a source's batches reuse.
#[derive(Default)]
pub(crate) struct ParsedPool(Vec<Memory>);

impl ParsedPool {
    /// Parses the first `packets` packets in `bytes`, at the offsets in `places`.
    pub(crate) fn parse<'env>(
        &mut self,
        env: &'env Env,
        packets: u32,
        bytes: &Memory,
        places: &Columns,
    ) -> Result<(ParsedView, Unknown<'env>)> {
        let size = packets as usize * ParsedColumns::BYTES_PER_PACKET;
        let memory = self.take(size);
        let parsed = memory.slice(0, size).filter(|target| {
            ParsedColumns::in_memory(target, packets).is_some_and(|columns| columns.parse_all(packets, bytes, places))
        });
        let Some(target) = parsed else {
            self.give(memory);
            return Err(outside());
        };
        let (view, value) = View::create(env, target, || ())?;
        Ok((ParsedView { memory, view }, value))
    }

    /// Makes parsed columns empty. Views moved by transfer() keep their memory (V2).
    pub(crate) fn end(&mut self, ParsedView { memory, view }: ParsedView) -> Result<()> {
        if matches!(view.end()?, DetachOutcome::Now) {
            self.give(memory);
        }
        Ok(())
    }

    fn take(&mut self, size: usize) -> Memory {
        match self.0.iter().position(|memory| memory.len() >= size) {
            Some(at) => self.0.swap_remove(at),
            // Rounded up, so that batches of about the same size share memory.
            None => {
                self.0.pop();
                Memory::zeroed(size.max(64 * ParsedColumns::BYTES_PER_PACKET).next_power_of_two())
            }
        }
    }

    fn give(&mut self, memory: Memory) {
        if self.0.len() < POOLED {
            self.0.push(memory);
        }
    }
}

pub(crate) fn outside() -> napi::Error {
    to_js(CoreError::new(
        ErrorKind::Io,
        "a packet does not lie in its batch's bytes: were its offset or length columns overwritten?",
    ))
}
