//! Link state as events: down, up, gone.
//!
//! A packet socket reports only that its interface went down, not that it came up again. So the events come from
//! rtnetlink, which also reports the carrier.

use std::io;
use std::sync::Arc;

use netlink_packet_route::link::LinkFlags;
use tokio::io::unix::AsyncFd;

use crate::error::{Error, ErrorKind, Result};
use crate::interface::entering;
use crate::readiness::{TaskGuard, runtime};
use crate::sys::epoll;
use crate::sys::netlink::{LinkChange, LinkSocket};
use crate::sys::netns::path_of;

/// A change of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkEvent {
    /// Administratively down, or the carrier was lost.
    Down,
    /// Up, with a carrier.
    Up,
    /// Deleted, or moved to another network namespace.
    Removed,
}

/// The state of a source's interface (down, up, gone), and which of it has been reported to the reader.
///
/// AF_PACKET sockets learn the state from SO_ERROR, AF_XDP sockets from rtnetlink; the consequences and the errors are
/// the same.
#[derive(Debug)]
pub(crate) struct LinkState {
    interface: String,
    namespace: Option<String>,
    index: u32,
    /// What the errors say to close.
    object: &'static str,
    down: bool,
    /// The link went down and the reader has not been notified.
    down_unreported: bool,
    removed: bool,
}

impl LinkState {
    pub(crate) fn new(interface: &str, namespace: Option<&str>, index: u32, object: &'static str, down: bool) -> Self {
        Self {
            interface: interface.to_owned(),
            namespace: namespace.map(str::to_owned),
            index,
            object,
            down,
            down_unreported: false,
            removed: false,
        }
    }

    pub(crate) fn interface(&self) -> &str {
        &self.interface
    }

    pub(crate) fn index(&self) -> u32 {
        self.index
    }

    /// Whether the link was down at the last check.
    pub(crate) fn is_down(&self) -> bool {
        self.down
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.removed
    }

    /// The link went down since the last check, though it may be up again.
    pub(crate) fn went_down(&mut self) {
        self.down = true;
        self.down_unreported = true;
    }

    /// Sets the current state. The reader is notified once each time the link goes down.
    pub(crate) fn set_up(&mut self, up: bool) {
        self.down_unreported = !up && (self.down_unreported || !self.down);
        self.down = !up;
    }

    pub(crate) fn set_removed(&mut self, removed: bool) {
        self.removed |= removed;
    }

    pub(crate) fn fail_if_removed(&self) -> Result<()> {
        if self.removed {
            return Err(removed(&self.interface, self.object));
        }
        Ok(())
    }

    /// Fails once each time the link goes down.
    pub(crate) fn fail_if_down(&mut self) -> Result<()> {
        if self.removed || !std::mem::take(&mut self.down_unreported) {
            return Ok(());
        }
        let Self { interface, object, .. } = self;
        let message = format!("interface {interface:?} went down; wait again, this {object} goes on when it is up");
        Err(Error { errno: Some(libc::ENETDOWN), ..Error::new(ErrorKind::LinkDown, message) }.on_interface(interface))
    }

    /// Calls `changed` with every change, until the watch is dropped.
    pub(crate) fn watch(&self, changed: impl Fn(io::Result<LinkEvent>) + Send + Sync + 'static) -> Result<TaskGuard> {
        watch(self.namespace.as_deref(), self.index, changed)
    }
}

/// The error for an interface that is gone; `object` names what the caller has to close.
pub(crate) fn removed(interface: &str, object: &str) -> Error {
    let message = format!(
        "interface {interface:?} is gone (deleted or moved to another network namespace); close this {object} and open another"
    );
    Error::new(ErrorKind::InterfaceRemoved, message).on_interface(interface)
}

/// Watches one interface until dropped. Calls `changed` on the runtime's thread, at most once with an error, which
/// ends the watch.
///
/// # Errors
///
/// [`Io`](ErrorKind::Io), and as [`interface::list`](crate::interface::list) about the namespace.
pub fn watch(
    namespace: Option<&str>,
    index: u32,
    changed: impl Fn(io::Result<LinkEvent>) + Send + Sync + 'static,
) -> Result<TaskGuard> {
    let failed = |error: io::Error| Error::os(ErrorKind::Io, "recvmsg", &error, "cannot watch the interface");
    let path = namespace.map(path_of);
    let mut socket = LinkSocket::open(path.as_deref(), true)
        .map_err(|failure| entering(namespace, failure, "cannot watch the interface", "socket"))?;
    // The request follows the subscription: a change in between is reported twice, which is harmless.
    socket.ask(index).map_err(failed)?;
    socket.set_non_blocking().map_err(failed)?;
    let runtime = runtime().map_err(failed)?;
    let _guard = runtime.enter();
    let socket = epoll::register(socket).map_err(failed)?;
    let changed = Arc::new(changed);
    let task = runtime.spawn(async move {
        if let Err(error) = follow(socket, index, &*changed).await {
            changed(Err(error));
        }
    });
    Ok(TaskGuard::of(&task))
}

async fn follow(
    mut socket: AsyncFd<LinkSocket>,
    index: u32,
    changed: &(impl Fn(io::Result<LinkEvent>) + Sync),
) -> io::Result<()> {
    let mut up: Option<bool> = None;
    loop {
        let read = {
            let mut guard = socket.readable().await?;
            match guard.try_io(|socket| socket.get_ref().read()) {
                Ok(read) => read,
                Err(_would_block) => continue,
            }
        };
        let changes = match read {
            Ok(changes) => changes,
            // The kernel lost messages: request the current state.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                socket.get_mut().ask(index)?;
                continue;
            }
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => vec![LinkChange::Gone(index)],
            Err(error) => return Err(error),
        };
        for item in changes {
            match item {
                LinkChange::Gone(gone) if gone == index => {
                    changed(Ok(LinkEvent::Removed));
                    return Ok(());
                }
                LinkChange::Present(link) if link.header.index == index => {
                    let now = link.header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp);
                    if up.replace(now).is_some_and(|before| before != now) {
                        changed(Ok(if now { LinkEvent::Up } else { LinkEvent::Down }));
                    }
                }
                _ => {}
            }
        }
    }
}
