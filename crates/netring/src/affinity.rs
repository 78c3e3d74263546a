//! CPU affinity of threads.

use crate::error::{Error, ErrorKind, Result};
use crate::readiness;
use crate::sys::affinity;

/// The CPUs that the calling thread may use.
///
/// # Errors
///
/// [`Io`](crate::ErrorKind::Io) where sched_getaffinity(2) fails.
pub fn allowed_cpus() -> Result<Vec<u32>> {
    affinity::allowed_cpus().map_err(|error| {
        Error::os(ErrorKind::Io, "sched_getaffinity", &error, "cannot ask which CPUs this process may use")
    })
}

/// Pins the calling thread to one CPU.
///
/// # Errors
///
/// [`Config`](crate::ErrorKind::Config) for a processor that is not among [`allowed_cpus`], `Io` for what else fails.
pub fn pin_thread(cpu: u32) -> Result<()> {
    // A new thread inherits its creator's affinity, so the runtime's thread, which serves every capture of the process,
    // has to start before this thread is pinned.
    readiness::runtime().and_then(|_| affinity::pin(cpu)).map_err(|error| {
        Error::os(ErrorKind::Config, "sched_setaffinity", &error, format_args!("cannot run on CPU {cpu} only"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_pinned_and_existing_threads_are_not() {
        let before = allowed_cpus().unwrap();
        let last = *before.last().unwrap();
        let pinned = std::thread::spawn(move || {
            pin_thread(last).unwrap();
            allowed_cpus().unwrap()
        });
        assert_eq!(pinned.join().unwrap(), [last]);
        assert_eq!(allowed_cpus().unwrap(), before);
        let io = readiness::runtime().unwrap().spawn(async { allowed_cpus().unwrap() });
        assert_eq!(readiness::runtime().unwrap().block_on(io).unwrap(), before);
    }

    #[test]
    fn an_unknown_cpu_is_refused() {
        let error = pin_thread(60_000).unwrap_err();
        assert_eq!((error.kind, error.errno), (ErrorKind::Config, Some(libc::EINVAL)));
        assert!(error.message.contains("60000"), "{error}");
    }
}
