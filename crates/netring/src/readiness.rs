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

    /// Wakes who waits: something changed that no edge tells of.
    pub(crate) fn wake(&self) {
        self.taken.notify_waiters();
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
