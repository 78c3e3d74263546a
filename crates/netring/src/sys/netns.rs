//! Runs one call in another network namespace.
//!
//! A socket belongs to the namespace in which it was created, so only its creation has to happen there, on a
//! short-lived thread. The caller's thread never changes its namespace.
#![expect(unsafe_code, reason = "setns")]

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::check;

/// Why a call in another namespace failed.
#[derive(Debug)]
pub enum Failure {
    /// The namespace's file could not be opened.
    Open(io::Error),
    /// The thread could not enter it.
    Enter(io::Error),
    /// The call in it failed.
    Call(io::Error),
}

/// A name under /run/netns, as `ip netns` makes them, or a path such as /proc/PID/ns/net.
pub fn path_of(namespace: &str) -> PathBuf {
    if namespace.contains('/') { PathBuf::from(namespace) } else { Path::new("/run/netns").join(namespace) }
}

/// Identifies a namespace, whatever its name: the device and inode number of its file (nsfs).
pub fn identity(namespace: Option<&Path>) -> io::Result<(u64, u64)> {
    let file = std::fs::metadata(namespace.unwrap_or(Path::new("/proc/thread-self/ns/net")))?;
    Ok((file.dev(), file.ino()))
}

/// Runs `call` in a network namespace; in this thread's own if that is `None`.
pub fn within<T: Send>(namespace: Option<&Path>, call: impl FnOnce() -> io::Result<T> + Send) -> Result<T, Failure> {
    let Some(path) = namespace else { return call().map_err(Failure::Call) };
    // Not blocking: the path may name a FIFO, which would wait for a writer. setns refuses what is no namespace.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(Failure::Open)?;
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("netring-netns".into())
            .spawn_scoped(scope, move || {
                // SAFETY: setns moves only this thread, which runs no other code.
                check(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) }).map_err(Failure::Enter)?;
                call().map_err(Failure::Call)
            })
            .map_err(Failure::Enter)?;
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
