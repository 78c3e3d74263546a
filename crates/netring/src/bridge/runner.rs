//! A bridge that runs on a thread of its own, and can be asked things meanwhile.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::{Bridge, Port};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::poll::Notifier;

/// What the thread shares with who started it.
struct Shared<P: Port> {
    bridge: Mutex<Bridge<P>>,
    /// Others that want the bridge. A mutex is not fair: without knowing of them, a busy thread would hardly let go.
    guests: AtomicU32,
    notifier: Notifier,
    stop: AtomicBool,
}

impl<P: Port> Shared<P> {
    fn lock(&self) -> MutexGuard<'_, Bridge<P>> {
        self.bridge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For others than the thread: waits for the end of its turn at most.
    fn visit<T>(&self, visit: impl FnOnce(&mut Bridge<P>) -> T) -> T {
        self.guests.fetch_add(1, Ordering::SeqCst);
        let mut bridge = self.lock();
        self.guests.fetch_sub(1, Ordering::SeqCst);
        visit(&mut bridge)
    }
}

/// A bridge, running or not.
pub struct Runner<P: Port> {
    shared: Arc<Shared<P>>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// Says that the thread has ended, however it ends.
struct ExitGuard<F: Fn(RunnerEvent)>(F);

impl<F: Fn(RunnerEvent)> Drop for ExitGuard<F> {
    fn drop(&mut self) {
        (self.0)(RunnerEvent::Ended);
    }
}

/// What a thread tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunnerEvent {
    /// Frames were refused; told again once the reports have been taken.
    Rejections,
    /// The thread has ended; [`Runner::join`] says why.
    Ended,
}

impl<P: Port + Send + 'static> Runner<P>
where
    Bridge<P>: Send,
{
    /// Of a bridge that does not run yet.
    pub fn new(bridge: Bridge<P>) -> Result<Self> {
        let notifier =
            Notifier::new().map_err(|error| Error::os(ErrorKind::Io, "eventfd", &error, "cannot make an eventfd"))?;
        let shared =
            Shared { bridge: Mutex::new(bridge), guests: AtomicU32::new(0), notifier, stop: AtomicBool::new(false) };
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

    /// BatchReader on a thread of its own until stopped or a side is gone. `tell` is called on that thread.
    pub fn start(&mut self, tell: impl Fn(RunnerEvent) + Send + 'static) -> Result<()> {
        if self.is_running() {
            return Err(Error::new(ErrorKind::Config, "the bridge is running already; wait for that run() to end"));
        }
        let shared = Arc::clone(&self.shared);
        shared.stop.store(false, Ordering::SeqCst);
        shared.notifier.clear();
        let thread = thread::Builder::new()
            .name("netring-bridge".into())
            .spawn(move || {
                let exit_guard = ExitGuard(tell);
                // Gone before the exit_guard: others may end the bridge as soon as they are told.
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

    /// Waits for the thread to end; why it did. What is under way stays under way, for the next run.
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
        // Why it ended matters to who waits for it, not to who closes it.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn run<P: Port>(shared: &Shared<P>, tell: &impl Fn(RunnerEvent)) -> Result<()> {
    while !shared.stop.load(Ordering::SeqCst) {
        let idle = {
            let mut bridge = shared.lock();
            let moved = bridge.turn()?;
            if bridge.take_unreported() {
                tell(RunnerEvent::Rejections);
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
