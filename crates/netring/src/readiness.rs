//! Waits for a socket without a thread per wait: tokio's readiness over an edge-triggered epoll.
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

/// The runtime: one thread waits for all captures.
///
/// The crate spawns the thread itself: tokio panics where the process may have no more threads (`RLIMIT_NPROC`, a
/// container's limit).
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
    // No system call of the caller failed, so the error names none.
    io.map_err(|error| io::Error::other(format!("this process may have no more threads ({error})")))?;
    Ok(RUNTIME.get_or_init(|| handle))
}

/// The epoll events of a socket, for waiting with and without blocking.
#[derive(Debug)]
pub struct Readiness {
    epoll: Arc<EpollSet>,
    /// Called when an event arrives.
    watch: Mutex<Weak<Waker>>,
}

impl AsFd for Readiness {
    /// The epoll's descriptor: readable while events are pending.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

/// The callback of a watch, called once each time it was armed.
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

/// A lasting watch over a socket's events; dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    waker: Arc<Waker>,
    _task: TaskGuard,
    /// Created on first use.
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
        let task_waker = Arc::clone(waker);
        let task = runtime.spawn(async move {
            // Setting the timer again makes it unreadable, so the task need not read it.
            while let Ok(mut guard) = registered.readable().await {
                guard.clear_ready();
                task_waker.fire(Ok(()));
            }
        });
        Ok(Self { timer, _task: TaskGuard::of(&task) })
    }
}

impl Watch {
    /// The next event calls `woken`. Arm first, then clear the events and check the ring: a later event
    /// calls, and the check sees what came earlier.
    pub fn arm(&self) {
        self.waker.armed.store(true, Ordering::SeqCst);
    }

    /// Stops calls until the watch is armed again.
    pub fn disarm(&self) {
        self.waker.armed.store(false, Ordering::SeqCst);
    }

    /// Calls `woken` at this time, or at an earlier event, if the watch is armed then.
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
    /// Wraps an epoll that watches one socket.
    pub fn new(epoll: EpollSet) -> Arc<Self> {
        Arc::new(Self { epoll: Arc::new(epoll), watch: Mutex::default() })
    }

    /// The epoll itself, to add descriptors later.
    pub(crate) fn edges(&self) -> &EpollSet {
        &self.epoll
    }

    /// Takes the pending events and wakes a waiting reader if there was one: an event taken here may never
    /// reach the runtime, which reads the epoll only after the kernel has woken it.
    pub fn clear(&self) -> io::Result<EpollEvents> {
        self.epoll.clear().inspect(|events| self.wake_if_any(*events))
    }

    /// Blocks this thread until an event comes or `deadline` passes. An event also wakes a waiting reader.
    pub fn wait_until(&self, deadline: Instant) -> io::Result<EpollEvents> {
        self.epoll.wait_until(deadline).inspect(|events| self.wake_if_any(*events))
    }

    /// Masks the events of one socket, except errors, or unmasks them.
    pub fn set_masked(&self, target: BorrowedFd<'_>, masked: bool) -> io::Result<()> {
        self.epoll.set_masked(target, masked)
    }

    fn wake_if_any(&self, events: EpollEvents) {
        if events.any {
            self.wake();
        }
    }

    /// Wakes the waiting reader.
    pub fn wake(&self) {
        let waker = self.watch.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        if let Some(waker) = waker {
            waker.fire(Ok(()));
        }
    }

    /// Whether the watch is armed.
    #[cfg(feature = "xdp")]
    pub(crate) fn is_awaited(&self) -> bool {
        let waker = self.watch.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
        waker.is_some_and(|waker| waker.armed.load(Ordering::SeqCst))
    }

    /// Calls `woken` when an event comes, once each time the watch has been armed: on the runtime's thread, or on the
    /// thread that took the event. The call says that something changed, not what. A second watch replaces the first.
    ///
    /// One task serves all waits: a task per wait would wake the runtime's thread twice per block.
    pub fn watch(self: &Arc<Self>, woken: impl Fn(io::Result<()>) + Send + Sync + 'static) -> io::Result<Watch> {
        let runtime = runtime()?;
        let _guard = runtime.enter();
        let registered = epoll::register(Arc::clone(&self.epoll))?;
        let waker = Arc::new(Waker { armed: AtomicBool::new(false), woken: Box::new(woken) });
        *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&waker);
        let task_waker = Arc::clone(&waker);
        let task = runtime.spawn(async move {
            loop {
                match registered.readable().await {
                    Ok(mut guard) => {
                        guard.clear_ready();
                        task_waker.fire(Ok(()));
                    }
                    Err(error) => return task_waker.fire(Err(error)),
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

    /// Runs `meanwhile` while the runtime's thread is busy.
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
    fn an_event_wakes_a_waiting_reader() {
        let Waiting { sender, woken, watch, .. } = &waiting();
        sender.send(b"packet").unwrap();
        assert_eq!(woken.recv_timeout(SOON), Ok(true));
        let _ = watch;
    }

    #[test]
    fn an_event_that_another_thread_takes_first_wakes_a_waiting_reader() {
        let Waiting { sender, readiness, woken, watch, .. } = &waiting();
        with_busy_runtime(|| {
            sender.send(b"packet").unwrap();
            assert!(readiness.clear().unwrap().any, "taken before the runtime could see it");
        });
        assert_eq!(woken.recv_timeout(SOON), Ok(true));
        let _ = watch;
    }

    #[test]
    fn an_event_that_a_blocking_wait_takes_first_wakes_a_waiting_reader() {
        let Waiting { sender, readiness, woken, watch, .. } = &waiting();
        with_busy_runtime(|| {
            sender.send(b"packet").unwrap();
            assert!(readiness.wait_until(Instant::now() + SOON).unwrap().any);
        });
        assert_eq!(woken.recv_timeout(SOON), Ok(true));
        let _ = watch;
    }

    #[test]
    fn the_watch_calls_once_each_time_it_is_armed() {
        let Waiting { sender, readiness, woken, watch, .. } = &waiting();
        for _ in 0..3 {
            sender.send(b"packet").unwrap();
            assert_eq!(woken.recv_timeout(SOON), Ok(true));
            assert!(readiness.clear().unwrap().any);
            sender.send(b"packet").unwrap();
            assert!(woken.recv_timeout(Duration::from_millis(50)).is_err(), "not armed");
            watch.arm();
            assert!(readiness.clear().unwrap().any, "the check sees what came before arming,");
            assert_eq!(woken.recv_timeout(SOON), Ok(true), "and taking it wakes the reader");
            watch.arm();
        }
        watch.disarm();
        sender.send(b"packet").unwrap();
        assert!(woken.recv_timeout(Duration::from_millis(50)).is_err(), "disarmed");
    }

    #[test]
    fn a_masked_socket_wakes_no_reader_and_a_timer_does() {
        let Waiting { sender, receiver, readiness, woken, mut watch } = waiting();
        readiness.set_masked(receiver.as_fd(), true).unwrap();
        sender.send(b"packet").unwrap();
        assert!(woken.recv_timeout(Duration::from_millis(50)).is_err(), "masked");
        for _ in 0..3 {
            watch.arm();
            watch.wake_at(Instant::now() + Duration::from_micros(100)).unwrap();
            assert_eq!(woken.recv_timeout(SOON), Ok(true));
        }
        watch.wake_at(Instant::now()).unwrap();
        assert!(woken.recv_timeout(Duration::from_millis(50)).is_err(), "not armed");
        watch.arm();
        readiness.set_masked(receiver.as_fd(), false).unwrap();
        assert_eq!(woken.recv_timeout(SOON), Ok(true), "unmasking reports what came meanwhile");
    }

    #[test]
    fn clearing_without_an_event_wakes_no_reader_and_a_dropped_watch_is_over() {
        let Waiting { sender, receiver: _receiver, readiness, woken, watch } = waiting();
        assert!(!readiness.clear().unwrap().any);
        with_busy_runtime(|| drop(watch));
        sender.send(b"packet").unwrap();
        assert!(woken.recv_timeout(SOON).is_err(), "its closure was dropped uncalled");
    }
}
