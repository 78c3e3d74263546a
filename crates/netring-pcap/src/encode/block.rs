//! One block of pcapng, little-endian.

use super::EncodeError;
use crate::decode::padded;
use crate::wire::option;

/// Fails for a text that no option holds; a filter has one byte in front.
pub(super) fn check_text(text: &str) -> Result<(), EncodeError> {
    if text.len() < usize::from(u16::MAX) { Ok(()) } else { Err(EncodeError::TextTooLong(text.len())) }
}

/// Writes a block; its length is put in front when it is known.
pub(super) struct BlockWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    has_options: bool,
}

impl<'a> BlockWriter<'a> {
    pub(super) fn begin(block_type: u32, out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        out.extend_from_slice(&block_type.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        Self { out, start, has_options: false }
    }

    pub(super) fn word(&mut self, word: u32) {
        self.out.extend_from_slice(&word.to_le_bytes());
    }

    /// The upper word first.
    pub(super) fn ticks(&mut self, ticks: u64) {
        self.word((ticks >> 32) as u32);
        self.word(ticks as u32);
    }

    pub(super) fn option(&mut self, code: u16, value: &[u8]) {
        self.has_options = true;
        push_option(code, value, self.out);
    }

    pub(super) fn ticks_option(&mut self, code: u16, ticks: u64) {
        let [a, b, c, d, e, f, g, h] = ticks.to_le_bytes();
        self.option(code, &[e, f, g, h, a, b, c, d]);
    }

    pub(super) fn text_option(&mut self, code: u16, text: Option<&str>) {
        if let Some(text) = text {
            self.option(code, text.as_bytes());
        }
    }

    pub(super) fn end(self) {
        if self.has_options {
            push_option(option::END, &[], self.out);
        }
        let total = ((self.out.len() - self.start + 4) as u32).to_le_bytes();
        self.out.extend_from_slice(&total);
        self.out[self.start + 4..self.start + 8].copy_from_slice(&total);
    }
}

/// # Panics
/// Where the value has more bytes than 16 bits count: texts were checked.
pub(super) fn push_option(code: u16, value: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(value.len()).expect("the value's length was checked");
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(value);
    out.extend_from_slice(&[0; 3][..padded(value.len()) - value.len()]);
}
