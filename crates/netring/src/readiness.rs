//! Waiting for a socket without a thread of one's own: tokio's readiness over an edge-triggered epoll.
//!
//! One small runtime serves the whole process. A wait never owns the socket, so closing the socket
//! frees it at once, though a reader still waits.

use std::future::pending;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread;
use std::time::Instant;

use tokio::runtime::{Builder, Handle};
use tokio::task::AbortHandle;

pub use crate::sys::epoll::EpollEvents;
use crate::sys::epoll::{self, EpollSet};
use crate::sys::timer::Timer;

/// The runtime: one thread that waits, however many captures do.
///
/// The thread is not tokio's: where the process may have no more of them (`RLIMIT_NPROC`, a container's limit) tokio panics.
pub(crate) fn runtime() -> io::Result<&'static Handle> {
    static RUNTIME: OnceLock<Handle> = OnceLock::new();
    static MAKING: Mutex<()> = Mutex::new(());
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let _one = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let handle = runtime.handle().clone();
    let io = thread::Builder::new().name("netring-io".to_owned()).spawn(move || runtime.block_on(pending::<()>()));
    // Of the call that wanted it nothing has failed.
    io.map_err(|error| io::Error::other(format!("this process may have no more threads ({error})")))?;
    Ok(RUNTIME.get_or_init(|| handle))
}

/// A socket's edges, for waiting with and without blocking.
#[derive(Debug)]
pub struct Readiness {
    edges: Arc<EpollSet>,
    /// Called with edges.
    watch: Mutex<Weak<Waker>>,
}

impl AsFd for Readiness {
    /// The epoll's descriptor: readable while there are edges that nobody has taken.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.edges.as_fd()
    }
}

/// What is called when something changed, once each time it was armed.
struct Waker {
    armed: AtomicBool,
    woken: Box<dyn Fn(io::Result<()>) + Send + Sync>,
}

impl std::fmt::Debug for Waker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waker").field("armed", &self.armed).finish_non_exhaustive()
    }
}

impl Waker {
    fn fire(&self, outcome: io::Result<()>) {
        if self.armed.swap(false, Ordering::SeqCst) {
            (self.woken)(outcome);
        }
    }
}

/// A standing watch over a socket's edges; dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    waker: Arc<Waker>,
    _task: TaskGuard,
    /// Made when it is first wanted.
    alarm: Option<Alarm>,
}

/// A timer, and the task that waits for it.
#[derive(Debug)]
struct Alarm {
    timer: Arc<Timer>,
    _task: TaskGuard,
}

impl Alarm {
    fn new(waker: &Arc<Waker>) -> io::Result<Self> {
        let runtime = runtime()?;
        let _guard = runtime.enter();
        let timer = Arc::new(Timer::new()?);
        let registered = epoll::register(Arc::clone(&timer))?;
        let told = Arc::clone(waker);
        let task = runtime.spawn(async move {
            // Setting the timer anew makes it unreadable, so nothing has to be read from it.
            while let Ok(mut guard) = registered.readable().await {
                guard.clear_ready();
                told.fire(Ok(()));
            }
        });
        Ok(Self { timer, _task: TaskGuard::of(&task) })
    }
}

impl Watch {
    /// The next edge calls `woken`. Arm first, then clear the edges and look at the ring: an edge that
    /// comes in between calls, one that came before is seen by looking.
    pub fn arm(&self) {
        self.waker.armed.store(true, Ordering::SeqCst);
    }

    /// Nothing is called until it is armed again.
    pub fn disarm(&self) {
        self.waker.armed.store(false, Ordering::SeqCst);
    }

    /// If it is armed then, `woken` is called at a time, or before it at an edge.
    pub fn wake_at(&mut self, at: Instant) -> io::Result<()> {
        let alarm = match self.alarm.take() {
            Some(alarm) => alarm,
            None => Alarm::new(&self.waker)?,
        };
        let alarm = self.alarm.insert(alarm);
        alarm.timer.set(at.saturating_duration_since(Instant::now()))
    }
}

/// A task of the runtime; dropping this ends it.
#[derive(Debug)]
pub struct TaskGuard(AbortHandle);

impl TaskGuard {
    pub(crate) fn of<T>(task: &tokio::task::JoinHandle<T>) -> Self {
        Self(task.abort_handle())
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Readiness {
    /// Over an epoll that watches one socket.
    pub fn new(edges: EpollSet) -> Arc<Self> {
        Arc::new(Self { edges: Arc::new(edges), watch: Mutex::default() })
    }

    /// The epoll itself, to watch what was not watched from the start.
    pub(crate) fn edges(&self) -> &EpollSet {
        &self.edges
    }

    /// Takes the edges that came. If there was one, a waiting reader is woken: taken here, the edge may never
    /// reach the runtime, which looks at the epoll only after the kernel has woken it.
    pub fn clear(&self) -> io::Result<EpollEvents> {
        self.edges.clear().inspect(|edge| self.pass_on(*edge))
    }

    /// Blocks this thread until an edge comes or `deadline` passes. An edge wakes a waiting reader, too.
    pub fn wait_until(&self, deadline: Instant) -> io::Result<EpollEvents> {
        self.edges.wait_until(deadline).inspect(|edge| self.pass_on(*edge))
    }

    /// Masks the edges of one socket, errors excepted, or unmasks them.
    pub fn mute(&self, target: BorrowedFd<'_>, muted: bool) -> io::Result<()> {
        self.edges.mute(target, muted)
    }

    fn pass_on(&self, edge: EpollEvents) {
        if edge.any {
            self.wake();
        }
    }

    /// Wakes the waiting reader: something changed.
    pub fn wake(&self) {
        let waker = self.watch.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(waker) = waker {
            waker.fire(Ok(()));
        }
    }

    /// Whether a wait is armed.
    #[cfg(feature = "xdp")]
    pub(crate) fn is_awaited(&self) -> bool {
        let waker = self.watch.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        waker.is_some_and(|waker| waker.armed.load(Ordering::SeqCst))
    }

    /// Calls `woken` when an edge comes, once each time the watch has been armed: on the runtime's
    /// thread, or on that which took the edge. Waking up says that something changed, not what. A
    /// second watch replaces the first.
    ///
    /// One task for all waits: to spawn one a wait would wake the runtime's thread twice a block.
    pub fn watch(self: &Arc<Self>, woken: impl Fn(io::Result<()>) + Send + Sync + 'static) -> io::Result<Watch> {
        let runtime = runtime()?;
        let _guard = runtime.enter();
        let registered = epoll::register(Arc::clone(&self.edges))?;
        let waker = Arc::new(Waker { armed: AtomicBool::new(false), woken: Box::new(woken) });
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&waker);
        let told = Arc::clone(&waker);
        let task = runtime.spawn(async move {
            loop {
                match registered.readable().await {
                    Ok(mut guard) => {
                        guard.clear_ready();
                        told.fire(Ok(()));
                    }
                    Err(error) => return told.fire(Err(error)),
                }
            }
        });
        Ok(Watch { waker, _task: TaskGuard::of(&task), alarm: None })
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
        receiver: UnixDatagram,
        readiness: Arc<Readiness>,
        woken: Receiver<bool>,
        watch: Watch,
    }

    fn waiting() -> Waiting {
        let (sender, receiver) = UnixDatagram::pair().unwrap();
        let readiness = Readiness::new(EpollSet::of(receiver.as_fd(), Interest::Read).unwrap());
        let (wake, woken) = channel();
        let watch = readiness.watch(move |outcome| wake.send(outcome.is_ok()).unwrap()).unwrap();
        watch.arm();
        Waiting { sender, receiver, readiness, woken, watch }
    }

    /// BatchReader `meanwhile` while the runtime's thread can look at nothing.
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
        let Waiting { sender, woken, watch, .. } = &waiting();
        sender.send(b"packet").unwrap();
        assert_eq!(woken.recv_timeout(SOON), Ok(true));
        let _ = watch;
    }

    #[test]
    fn an_edge_that_another_thread_takes_first_wakes_who_waits() {
        let Waiting { sender, readiness, woken, watch, .. } = &waiting();
        with_busy_runtime(|| {
            sender.send(b"packet").unwrap();
            assert!(readiness.clear().unwrap().any, "taken before the runtime could see it");
        });
        assert_eq!(woken.recv_timeout(SOON), Ok(true));
        let _ = watch;
    }

    #[test]
    fn an_edge_that_a_blocking_wait_takes_first_wakes_who_waits() {
        let Waiting { sender, readiness, woken, watch, .. } = &waiting();
        with_busy_runtime(|| {
            sender.send(b"packet").unwrap();
            assert!(readiness.wait_until(Instant::now() + SOON).unwrap().any);
        });
        assert_eq!(woken.recv_timeout(SOON), Ok(true));
        let _ = watch;
    }

    #[test]
    fn it_calls_once_each_time_it_is_armed() {
        let Waiting { sender, readiness, woken, watch, .. } = &waiting();
        for _ in 0..3 {
            sender.send(b"packet").unwrap();
            assert_eq!(woken.recv_timeout(SOON), Ok(true));
            assert!(readiness.clear().unwrap().any);
            sender.send(b"packet").unwrap();
            assert!(woken.recv_timeout(Duration::from_millis(50)).is_err(), "not armed");
            watch.arm();
            assert!(readiness.clear().unwrap().any, "what came before arming is seen by looking,");
            assert_eq!(woken.recv_timeout(SOON), Ok(true), "and wakes who takes it");
            watch.arm();
        }
        watch.disarm();
        sender.send(b"packet").unwrap();
        assert!(woken.recv_timeout(Duration::from_millis(50)).is_err(), "disarmed");
    }

    #[test]
    fn a_socket_that_is_muted_wakes_nobody_and_a_time_does() {
        let Waiting { sender, receiver, readiness, woken, mut watch } = waiting();
        readiness.mute(receiver.as_fd(), true).unwrap();
        sender.send(b"packet").unwrap();
        assert!(woken.recv_timeout(Duration::from_millis(50)).is_err(), "muted");
        for _ in 0..3 {
            watch.arm();
            watch.wake_at(Instant::now() + Duration::from_micros(100)).unwrap();
            assert_eq!(woken.recv_timeout(SOON), Ok(true));
        }
        watch.wake_at(Instant::now()).unwrap();
        assert!(woken.recv_timeout(Duration::from_millis(50)).is_err(), "not armed");
        watch.arm();
        readiness.mute(receiver.as_fd(), false).unwrap();
        assert_eq!(woken.recv_timeout(SOON), Ok(true), "what came meanwhile is an edge");
    }

    #[test]
    fn looking_without_an_edge_wakes_nobody_and_a_wait_that_is_dropped_is_over() {
        let Waiting { sender, receiver: _receiver, readiness, woken, watch } = waiting();
        assert!(!readiness.clear().unwrap().any);
        with_busy_runtime(|| drop(watch));
        sender.send(b"packet").unwrap();
        assert!(woken.recv_timeout(SOON).is_err(), "its closure was dropped uncalled");
    }
}
