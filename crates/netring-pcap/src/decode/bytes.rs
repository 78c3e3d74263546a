//! Numbers in either byte order. `BIG` is known when the loops are compiled, so that neither pays for the other.

/// # Panics
/// Where the bytes end before `at + 2`; the compiler removes the check where it knows the length.
#[inline(always)]
pub(crate) fn u16_at<const BIG: bool>(bytes: &[u8], at: usize) -> u16 {
    let raw = [bytes[at], bytes[at + 1]];
    if BIG { u16::from_be_bytes(raw) } else { u16::from_le_bytes(raw) }
}

/// # Panics
/// Where the bytes end before `at + 4`.
#[inline(always)]
pub(crate) fn u32_at<const BIG: bool>(bytes: &[u8], at: usize) -> u32 {
    let raw = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    if BIG { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) }
}

/// Two words, the upper one first in both byte orders: how pcapng keeps a time.
#[inline(always)]
pub(crate) fn ticks_at<const BIG: bool>(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at::<BIG>(bytes, at)) << 32 | u64::from(u32_at::<BIG>(bytes, at + 4))
}

/// A 64-bit number of an option, where the option has eight bytes.
pub(crate) fn u64_of<const BIG: bool>(value: &[u8]) -> Option<u64> {
    let raw = value.try_into().ok()?;
    Some(if BIG { u64::from_be_bytes(raw) } else { u64::from_le_bytes(raw) })
}

/// A 32-bit number of an option, where the option has four bytes.
#[inline(always)]
pub(crate) fn u32_of<const BIG: bool>(value: &[u8]) -> Option<u32> {
    let raw = value.try_into().ok()?;
    Some(if BIG { u32::from_be_bytes(raw) } else { u32::from_le_bytes(raw) })
}

/// The next multiple of 4.
#[inline(always)]
pub(crate) const fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}
