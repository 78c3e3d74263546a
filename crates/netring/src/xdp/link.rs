//! What is known of the interface. An AF_XDP socket says that its interface is gone and nothing of
//! one that is down, so the news come from rtnetlink.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, ErrorKind, Result};
use crate::link::{self, LinkEvent};
use crate::readiness::{Readiness, Wait};
use crate::sys::packet::PacketSocket;

/// The interface of a socket.
#[derive(Debug)]
pub(super) struct Link {
    index: u32,
    namespace: Option<String>,
    control: PacketSocket,
    news: Arc<News>,
    _watch: Wait,
    down: bool,
    /// It went down and nobody who waits has been told.
    down_unreported: bool,
    removed: bool,
}

#[derive(Debug, Default)]
struct News {
    changed: AtomicBool,
    gone: AtomicBool,
}

impl Link {
    /// Watches until dropped; every change wakes who waits on `readiness`.
    pub(super) fn watch(
        namespace: Option<&str>,
        index: u32,
        control: PacketSocket,
        readiness: Arc<Readiness>,
    ) -> Result<Self> {
        let news = Arc::new(News::default());
        let told = Arc::clone(&news);
        let watch = link::watch(namespace, index, move |event| {
            match event {
                Ok(LinkEvent::Removed) => told.gone.store(true, Ordering::Release),
                // Where watching had to end, the state now is what counts.
                Ok(LinkEvent::Down | LinkEvent::Up) | Err(_) => told.changed.store(true, Ordering::Release),
            }
            readiness.wake();
        })?;
        let down = !control.interface_is_up(index as i32).unwrap_or(true);
        Ok(Self {
            index,
            namespace: namespace.map(str::to_owned),
            control,
            news,
            _watch: watch,
            down,
            down_unreported: false,
            removed: false,
        })
    }

    /// Calls `changed` with every change, until the watch is dropped.
    pub(super) fn tell(&self, changed: impl Fn(io::Result<LinkEvent>) + Send + Sync + 'static) -> Result<Wait> {
        link::watch(self.namespace.as_deref(), self.index, changed)
    }

    pub(super) fn mtu(&self) -> Option<u32> {
        self.control.interface_mtu(self.index as i32).ok().and_then(|mtu| u32::try_from(mtu).ok())
    }

    /// For as long as the control socket lives.
    pub(super) fn join_promiscuous(&self) -> Result<()> {
        self.control
            .join_promiscuous(self.index as i32)
            .map_err(|error| Error::sockopt("PACKET_ADD_MEMBERSHIP", &error, "promiscuous mode was refused"))
    }

    pub(super) fn set_removed(&mut self) {
        self.removed = true;
    }

    fn update(&mut self) {
        self.removed |= self.news.gone.load(Ordering::Acquire);
        // The carrier is part of the news; what counts here is whether the interface is up.
        if self.news.changed.swap(false, Ordering::AcqRel)
            && let Ok(up) = self.control.interface_is_up(self.index as i32)
        {
            self.down_unreported = !up && (self.down_unreported || !self.down);
            self.down = !up;
        }
    }

    pub(super) fn fail_if_removed(&mut self, interface: &str) -> Result<()> {
        self.update();
        if self.removed { Err(self.removed(interface)) } else { Ok(()) }
    }

    /// As [`fail_if_removed`](Self::fail_if_removed), asking the kernel and not waiting for its news.
    pub(super) fn fail_if_gone(&mut self, interface: &str) -> Result<()> {
        let asked = self.control.interface_is_up(self.index as i32);
        self.removed |= asked.is_err_and(|error| error.raw_os_error() == Some(libc::ENODEV));
        self.fail_if_removed(interface)
    }

    pub(super) fn removed(&self, interface: &str) -> Error {
        let message = format!(
            "interface {interface:?} is gone (deleted or moved to another network namespace); close this socket and open another"
        );
        Error::new(ErrorKind::InterfaceRemoved, message).on_interface(interface)
    }

    /// Once for each time it goes down.
    pub(super) fn fail_if_down(&mut self, interface: &str) -> Result<()> {
        self.update();
        if self.removed || !std::mem::take(&mut self.down_unreported) {
            return Ok(());
        }
        let message = format!("interface {interface:?} went down; wait again, this socket goes on when it is up");
        Err(Error { errno: Some(libc::ENETDOWN), ..Error::new(ErrorKind::LinkDown, message) }.on_interface(interface))
    }
}
