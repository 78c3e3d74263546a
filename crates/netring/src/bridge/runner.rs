//! A bridge that runs on a thread of its own; other threads call it between two turns.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::{Bridge, Port};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::poll::Notifier;

/// What the thread and the [`Runner`] share.
struct RunnerState<P: Port> {
    bridge: Mutex<Bridge<P>>,
    /// Threads that wait for the bridge. A mutex is not fair: without this count a busy thread would hardly
    /// ever let them in.
    guests: AtomicU32,
    notifier: Notifier,
    stop: AtomicBool,
}

impl<P: Port> RunnerState<P> {
    fn lock(&self) -> MutexGuard<'_, Bridge<P>> {
        self.bridge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For other threads: waits for the end of the current turn at most.
    fn visit<T>(&self, visit: impl FnOnce(&mut Bridge<P>) -> T) -> T {
        self.guests.fetch_add(1, Ordering::SeqCst);
        let mut bridge = self.lock();
        self.guests.fetch_sub(1, Ordering::SeqCst);
        visit(&mut bridge)
    }
}

/// A bridge, running or not.
pub struct Runner<P: Port> {
    shared: Arc<RunnerState<P>>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// Reports that the thread has ended, also when it panics.
struct ExitGuard<F: Fn(RunnerEvent)>(F);

impl<F: Fn(RunnerEvent)> Drop for ExitGuard<F> {
    fn drop(&mut self) {
        (self.0)(RunnerEvent::Ended);
    }
}

/// What the thread reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunnerEvent {
    /// Frames were refused. Reported again for new ones once these were taken.
    Rejections,
    /// The thread has ended; [`Runner::join`] says why.
    Ended,
}

impl<P: Port + Send + 'static> Runner<P>
where
    Bridge<P>: Send,
{
    /// Over a bridge, which does not run yet.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) where no eventfd is to be had.
    pub fn new(bridge: Bridge<P>) -> Result<Self> {
        let notifier =
            Notifier::new().map_err(|error| Error::os(ErrorKind::Io, "eventfd", &error, "cannot make an eventfd"))?;
        let shared = RunnerState {
            bridge: Mutex::new(bridge),
            guests: AtomicU32::new(0),
            notifier,
            stop: AtomicBool::new(false),
        };
        Ok(Self { shared: Arc::new(shared), thread: None })
    }

    /// Calls the bridge, between two turns of the thread.
    pub fn with<T>(&self, call: impl FnOnce(&mut Bridge<P>) -> T) -> T {
        self.shared.visit(call)
    }

    /// Whether a thread runs, or has ended and was not joined.
    pub fn is_running(&self) -> bool {
        self.thread.is_some()
    }

    /// Runs the bridge on a thread of its own until it is stopped or a side is gone. `report` is called on that thread.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) while it runs, [`Io`](ErrorKind::Io) where no thread is to be had.
    pub fn start(&mut self, report: impl Fn(RunnerEvent) + Send + 'static) -> Result<()> {
        if self.is_running() {
            return Err(Error::new(ErrorKind::Config, "the bridge is running already; wait for that run() to end"));
        }
        let shared = Arc::clone(&self.shared);
        shared.stop.store(false, Ordering::SeqCst);
        shared.notifier.clear();
        let thread = thread::Builder::new()
            .name("netring-bridge".into())
            .spawn(move || {
                let exit_guard = ExitGuard(report);
                // Dropped before the guard: the bridge may be closed as soon as the end is reported.
                let shared = shared;
                run(&shared, &exit_guard.0)
            })
            .map_err(|error| Error::os(ErrorKind::Io, "clone", &error, "cannot start the bridge's thread"))?;
        self.thread = Some(thread);
        Ok(())
    }

    /// Asks the thread to end after its turn.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.notifier.notify();
    }

    /// Waits for the thread to end and returns why it did. Frames under way stay so, for the next run.
    ///
    /// # Errors
    ///
    /// What ended the thread: as [`Bridge::turn`].
    pub fn join(&mut self) -> Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(outcome)) => outcome,
            Some(Err(_panic)) => Err(Error::new(
                ErrorKind::Io,
                "the bridge's thread panicked, which is a bug of netring; please report what it wrote to standard error",
            )),
        }
    }

    /// Ends everything.
    ///
    /// # Errors
    ///
    /// As [`Bridge::close`].
    pub fn close(self) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        drop(self);
        match Arc::into_inner(shared) {
            Some(shared) => shared.bridge.into_inner().unwrap_or_else(PoisonError::into_inner).close(),
            None => Ok(()),
        }
    }
}

impl<P: Port> Drop for Runner<P> {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.notifier.notify();
        // Only join() returns why the thread ended; closing it makes no use of that.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn run<P: Port>(shared: &RunnerState<P>, report: &impl Fn(RunnerEvent)) -> Result<()> {
    while !shared.stop.load(Ordering::SeqCst) {
        let idle = {
            let mut bridge = shared.lock();
            let moved = bridge.turn()?;
            if bridge.take_unreported() {
                report(RunnerEvent::Rejections);
            }
            (!moved).then(|| bridge.idle())
        };
        if let Some(idle) = idle {
            idle.wait(Some(&shared.notifier))?;
        }
        while shared.guests.load(Ordering::SeqCst) > 0 {
            thread::yield_now();
        }
    }
    Ok(())
}
