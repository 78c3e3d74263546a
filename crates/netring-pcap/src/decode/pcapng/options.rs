//! Options: a code, a length, a value, padded to 4 bytes.

use super::super::bytes::{padded, u16_at};
use crate::wire::option::END;

/// The options in some bytes. It ends at opt_endofopt, at the end of the bytes (many writers leave opt_endofopt out),
/// or before an option that runs past them.
pub(super) struct Options<'a, const BIG: bool> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a, const BIG: bool> Options<'a, BIG> {
    /// Options lie in `bytes` from `at` on.
    #[inline]
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// The next one: its code, its value, and where in the bytes the value begins.
    #[inline]
    pub(super) fn next(&mut self) -> Option<(u16, &'a [u8], usize)> {
        let rest = self.bytes.get(self.at..)?;
        let (head, values) = rest.split_first_chunk::<4>()?;
        let (code, length) = (u16_at::<BIG>(head, 0), u16_at::<BIG>(head, 2) as usize);
        if code == END {
            return None;
        }
        let value = values.get(..length)?;
        let begin = self.at + 4;
        self.at = begin + padded(length);
        Some((code, value, begin))
    }
}

/// A text option. The format says UTF-8 without a NUL at its end; not all writers do.
pub(super) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|&byte| byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}
