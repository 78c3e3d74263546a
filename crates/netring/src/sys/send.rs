//! sendmmsg(2) without blocking.
#![expect(unsafe_code, reason = "sendmmsg")]

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::check;
use crate::ring::VolatileSlice;

/// Messages a call; more makes no difference (UIO_MAXIOV is the kernel's limit).
pub const BATCH: usize = 256;

/// The arrays that sendmmsg reads, made once.
pub struct Sender {
    vectors: Vec<libc::iovec>,
    messages: Vec<libc::mmsghdr>,
}

// SAFETY: the pointers inside are rewritten before every use and mean nothing in between.
unsafe impl Send for Sender {}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sender")
    }
}

impl Default for Sender {
    fn default() -> Self {
        // SAFETY: iovec and mmsghdr are plain structs, for which zeros are valid.
        let (vector, message) = unsafe { (zeroed(), zeroed()) };
        Self { vectors: vec![vector; BATCH], messages: vec![message; BATCH] }
    }
}

impl Sender {
    /// Hands frames to the kernel, in order, as many as it takes now, each as one message. An error
    /// is that of the first frame: sendmmsg reports one only when nothing was sent.
    pub fn send<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        frames: impl Iterator<Item = VolatileSlice<'a>>,
    ) -> io::Result<usize> {
        let mut count = 0;
        for frame in frames.take(BATCH) {
            self.vectors[count] = libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
            let header = &mut self.messages[count].msg_hdr;
            header.msg_iov = &raw mut self.vectors[count];
            header.msg_iovlen = 1;
            count += 1;
        }
        let messages = self.messages.as_mut_ptr();
        // SAFETY: R5. The first `count` messages were just written, each with one vector over memory
        // that stays readable during the call; the kernel only reads the bytes and has copied them
        // when the call returns.
        let sent = check(unsafe {
            libc::sendmmsg(socket.as_raw_fd(), messages, count as libc::c_uint, libc::MSG_DONTWAIT as _)
        })?;
        Ok(sent as usize)
    }
}
