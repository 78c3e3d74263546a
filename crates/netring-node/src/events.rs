//! Events of a source, sent to JavaScript from the I/O thread: readiness and link events.

use napi::Env;
use napi::bindgen_prelude::*;
use netring::readiness::{TaskGuard, Watch};
use netring::source::PollState;
use netring::{Error as CoreError, ErrorKind};

use crate::callback::{JsCallback, Message, Waker};
use crate::erased::{Live, Shared};
use crate::error::to_js;

/// All callbacks of a source into JavaScript; dropping this ends them.
#[derive(Default)]
pub(crate) struct SourceEvents {
    signal: Option<JsCallback>,
    /// For a reader that waits for a batch.
    watch: Option<Watch>,
    /// Reports the removal of the interface while it is down.
    removal: Option<TaskGuard>,
    link: Option<TaskGuard>,
}

impl SourceEvents {
    fn sender(&mut self, waker: &Waker<'_>) -> Result<impl Fn(Message) + Send + Sync + 'static> {
        JsCallback::in_place(&mut self.signal, waker).map(JsCallback::sender)
    }

    /// True when there is a batch; otherwise the waker is called once something changes.
    pub(crate) fn poll_or_wait(&mut self, source: &Shared<dyn Live>, waker: &Waker<'_>) -> Result<bool> {
        if self.watch.is_none() {
            let readiness = source.borrow().readiness().map_err(to_js)?;
            let wake = self.sender(waker)?;
            let watch = readiness.watch(move |_| wake(Message::Wake));
            self.watch = Some(watch.map_err(|error| {
                to_js(CoreError::os(ErrorKind::Io, "epoll_wait", &error, "cannot wait on the socket"))
            })?);
        }
        self.watch.as_ref().inspect(|watch| watch.arm());
        let look = source.borrow_mut().poll_coalesced().map_err(to_js);
        match look {
            Ok(PollState::Empty) => {}
            Ok(PollState::Later(at)) => {
                let set = self.watch.as_mut().map_or(Ok(()), |watch| watch.wake_at(at));
                return set.map(|()| false).map_err(|error| {
                    to_js(CoreError::os(ErrorKind::Io, "timerfd_settime", &error, "cannot wait for a time"))
                });
            }
            Ok(PollState::Ready) | Err(_) => {
                self.watch.as_ref().inspect(|watch| watch.disarm());
                return look.map(|_| true);
            }
        }
        if self.removal.is_none() {
            let wake = self.sender(waker)?;
            // Where it cannot be watched (for example, the namespace has lost its name) the next poll finds out.
            self.removal = source.borrow().watch_removal(Box::new(move || wake(Message::Wake))).ok().flatten();
        }
        Ok(false)
    }

    /// Ends the wait.
    pub(crate) fn stop_waiting(&mut self) {
        self.watch.as_ref().inspect(|watch| watch.disarm());
        self.removal = None;
    }

    /// Whether a wait keeps the process alive.
    pub(crate) fn keep_alive(&mut self, env: &Env, keep: bool) -> Result<()> {
        self.signal.as_mut().map_or(Ok(()), |signal| signal.keep_alive(env, keep))
    }

    /// Calls the waker with every link event from now on.
    pub(crate) fn watch_link(&mut self, source: &Shared<dyn Live>, waker: &Waker<'_>) -> Result<()> {
        if self.link.is_none() {
            let notify = self.sender(waker)?;
            let changed = Box::new(move |event: std::io::Result<_>| notify(event.into()));
            self.link = Some(source.borrow().watch_link(changed).map_err(to_js)?);
        }
        Ok(())
    }

    /// After watching has failed: the next watch_link() tries again.
    pub(crate) fn unwatch_link(&mut self) {
        self.link = None;
    }
}
