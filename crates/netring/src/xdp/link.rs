//! The interface of an AF_XDP socket. The socket reports that its interface is gone, but not that it
//! is down, so this listens to rtnetlink.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::link::{LinkEvent, LinkState};
use crate::readiness::{Readiness, TaskGuard};
use crate::source::LinkCallback;
use crate::sys::packet::PacketSocket;

/// The interface of a socket.
#[derive(Debug)]
pub(super) struct Link {
    state: LinkState,
    control: PacketSocket,
    changes: Arc<Changes>,
    _watch: TaskGuard,
}

/// rtnetlink's reports since the last check.
#[derive(Debug, Default)]
struct Changes {
    any: AtomicBool,
    gone: AtomicBool,
}

impl Link {
    /// Watches until dropped; every change wakes the reader that waits on `readiness`.
    pub(super) fn watch(
        interface: &str,
        namespace: Option<&str>,
        index: u32,
        control: PacketSocket,
        readiness: Arc<Readiness>,
    ) -> Result<Self> {
        let down = !control.interface_is_up(index as i32).unwrap_or(true);
        let state = LinkState::new(interface, namespace, index, "socket", down);
        let changes = Arc::new(Changes::default());
        let seen = Arc::clone(&changes);
        let watch = state.watch(move |event| {
            match event {
                Ok(LinkEvent::Removed) => seen.gone.store(true, Ordering::Release),
                // If the watch failed, the current state counts.
                Ok(LinkEvent::Down | LinkEvent::Up) | Err(_) => seen.any.store(true, Ordering::Release),
            }
            readiness.wake();
        })?;
        Ok(Self { state, control, changes, _watch: watch })
    }

    pub(super) fn interface(&self) -> &str {
        self.state.interface()
    }

    /// Calls `changed` with every change, until the watch is dropped.
    pub(super) fn watch_events(&self, changed: LinkCallback) -> Result<TaskGuard> {
        self.state.watch(changed)
    }

    fn index(&self) -> i32 {
        self.state.index() as i32
    }

    pub(super) fn mtu(&self) -> Option<u32> {
        self.control.interface_mtu(self.index()).ok().and_then(|mtu| u32::try_from(mtu).ok())
    }

    /// For as long as the control socket lives.
    pub(super) fn join_promiscuous(&self) -> Result<()> {
        self.control
            .join_promiscuous(self.index())
            .map_err(|error| Error::sockopt("PACKET_ADD_MEMBERSHIP", &error, "promiscuous mode was refused"))
    }

    pub(super) fn set_removed(&mut self) {
        self.state.set_removed(true);
    }

    fn update(&mut self) {
        self.state.set_removed(self.changes.gone.load(Ordering::Acquire));
        // The carrier is part of the events; what counts here is whether the interface is up.
        if self.changes.any.swap(false, Ordering::AcqRel)
            && let Ok(up) = self.control.interface_is_up(self.index())
        {
            self.state.set_up(up);
        }
    }

    pub(super) fn fail_if_removed(&mut self) -> Result<()> {
        self.update();
        self.state.fail_if_removed()
    }

    /// As [`fail_if_removed`](Self::fail_if_removed), asking the kernel and not waiting for rtnetlink.
    pub(super) fn fail_if_gone(&mut self) -> Result<()> {
        let asked = self.control.interface_is_up(self.index());
        self.state.set_removed(asked.is_err_and(|error| error.raw_os_error() == Some(libc::ENODEV)));
        self.fail_if_removed()
    }

    /// Fails once each time the link goes down.
    pub(super) fn fail_if_down(&mut self) -> Result<()> {
        self.update();
        self.state.fail_if_down()
    }

    /// The error for an interface that is gone.
    pub(super) fn removed(&self) -> Error {
        crate::link::removed(self.interface(), "socket")
    }
}
