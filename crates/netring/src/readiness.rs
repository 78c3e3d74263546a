//! Waiting for a socket without a thread of one's own: tokio's readiness over [`Edges`].
//!
//! One small runtime serves the whole process. A wait never owns the socket, so closing the socket
//! frees it at once, whoever still waits.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::io::unix::AsyncFd;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::sys::epoll::{self, Edge, Edges};

/// The runtime: one thread, however many captures wait.
pub(crate) fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("netring-io").enable_io().build()?;
    Ok(RUNTIME.get_or_init(|| runtime))
}

/// A socket's edges, for waiting with and without blocking.
#[derive(Debug)]
pub struct Readiness {
    edges: Arc<Edges>,
    registered: OnceLock<AsyncFd<Arc<Edges>>>,
    /// Edges that another thread has taken, on their way to who waits.
    taken: Arc<Notify>,
}

/// A wait that can be called off.
#[derive(Debug)]
pub struct Wait(AbortHandle);

impl Wait {
    pub(crate) fn of<T>(task: &tokio::task::JoinHandle<T>) -> Self {
        Self(task.abort_handle())
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Readiness {
    /// Over an epoll that watches one socket.
    pub fn new(edges: Edges) -> Arc<Self> {
        Arc::new(Self { edges: Arc::new(edges), registered: OnceLock::new(), taken: Arc::default() })
    }

    /// As [`Edges::clear`]. Who waits is woken if there was an edge: taken here, it may never
    /// reach the runtime, which looks at the epoll only after the kernel has woken it.
    pub fn clear(&self) -> io::Result<Edge> {
        self.edges.clear().inspect(|edge| self.pass_on(*edge))
    }

    /// As [`Edges::wait_until`], with the same regard for who else waits.
    pub fn wait_until(&self, deadline: Instant) -> io::Result<Edge> {
        self.edges.wait_until(deadline).inspect(|edge| self.pass_on(*edge))
    }

    fn pass_on(&self, edge: Edge) {
        if edge.any {
            self.taken.notify_waiters();
        }
    }

    fn register(&self) -> io::Result<&AsyncFd<Arc<Edges>>> {
        if let Some(registered) = self.registered.get() {
            return Ok(registered);
        }
        let registered = epoll::register(Arc::clone(&self.edges))?;
        Ok(self.registered.get_or_init(|| registered))
    }

    /// Calls `woken` once, on the runtime's thread, when the next edge comes. The caller has
    /// cleared the edges and looked at the ring before, and does so again when woken: waking up
    /// says that something changed, not what.
    pub fn wait(self: &Arc<Self>, woken: impl FnOnce(io::Result<()>) + Send + 'static) -> io::Result<Wait> {
        let runtime = runtime()?;
        let _guard = runtime.enter();
        self.register()?;
        let this = Arc::clone(self);
        // From here on it is told, whether it has been polled yet or not.
        let taken = Arc::clone(&self.taken).notified_owned();
        let task = runtime.spawn(async move {
            let outcome = match this.register() {
                Ok(registered) => tokio::select! {
                    ready = registered.readable() => ready.map(|mut guard| guard.clear_ready()),
                    () = taken => Ok(()),
                },
                Err(error) => Err(error),
            };
            woken(outcome);
        });
        Ok(Wait::of(&task))
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;
    use crate::sys::epoll::Interest;

    struct Waiting {
        sender: UnixDatagram,
        _receiver: UnixDatagram,
        readiness: Arc<Readiness>,
        woken: Receiver<bool>,
        wait: Wait,
    }

    fn waiting() -> Waiting {
        let (sender, receiver) = UnixDatagram::pair().unwrap();
        let readiness = Readiness::new(Edges::of(receiver.as_fd(), Interest::Read).unwrap());
        let (wake, woken) = channel();
        let wait = readiness.wait(move |outcome| wake.send(outcome.is_ok()).unwrap()).unwrap();
        Waiting { sender, _receiver: receiver, readiness, woken, wait }
    }

    /// Runs `meanwhile` while the runtime's thread can look at nothing.
    fn with_busy_runtime(meanwhile: impl FnOnce()) {
        let (begin, begun) = channel();
        let (end, ended) = channel::<()>();
        runtime().unwrap().spawn(async move {
            begin.send(()).unwrap();
            let _ = ended.recv();
        });
        begun.recv().unwrap();
        meanwhile();
        drop(end);
    }

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn who_waits_is_woken_by_an_edge() {
        let Waiting { sender, woken, wait, .. } = &waiting();
        sender.send(b"packet").unwrap();
        assert_eq!(woken.recv_timeout(SOON), Ok(true));
        let _ = wait;
    }

    #[test]
    fn an_edge_that_another_thread_takes_first_wakes_who_waits() {
        let Waiting { sender, readiness, woken, wait, .. } = &waiting();
        with_busy_runtime(|| {
            sender.send(b"packet").unwrap();
            assert!(readiness.clear().unwrap().any, "taken before the runtime could see it");
        });
        assert_eq!(woken.recv_timeout(SOON), Ok(true));
        let _ = wait;
    }

    #[test]
    fn an_edge_that_a_blocking_wait_takes_first_wakes_who_waits() {
        let Waiting { sender, readiness, woken, wait, .. } = &waiting();
        with_busy_runtime(|| {
            sender.send(b"packet").unwrap();
            assert!(readiness.wait_until(Instant::now() + SOON).unwrap().any);
        });
        assert_eq!(woken.recv_timeout(SOON), Ok(true));
        let _ = wait;
    }

    #[test]
    fn looking_without_an_edge_wakes_nobody_and_a_wait_that_is_dropped_is_over() {
        let Waiting { sender, _receiver, readiness, woken, wait } = waiting();
        assert!(!readiness.clear().unwrap().any);
        with_busy_runtime(|| drop(wait));
        sender.send(b"packet").unwrap();
        assert!(woken.recv_timeout(SOON).is_err(), "its closure was dropped uncalled");
    }
}
