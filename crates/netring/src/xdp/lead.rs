//! What leads packets to a socket, and whether it still does.
//!
//! Nobody is told when a program goes: the kernel sends no news of a link that is detached (`bpf_xdp_link_detach`,
//! net/core/dev.c). So it is asked, whenever somebody wants to know, and once a second for who waits for packets.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::program::programs;
use crate::error::{Error, ErrorKind, Result};
use crate::readiness::{Readiness, Wait, runtime};
use crate::sys::bpf::{XdpLink, XdpMode};
use crate::sys::epoll;
use crate::sys::netlink::LinkSocket;
use crate::sys::timer::Timer;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A program on an interface.
#[derive(Debug)]
pub(super) enum Lead {
    /// Attached by this process. Whoever has the link, or its number, can detach it or give it another program.
    Link { link: XdpLink, program: u32 },
    /// Attached by the caller, as one of these. The socket is of the interface's namespace.
    Present { socket: Mutex<LinkSocket>, index: u32, programs: Vec<(XdpMode, u32)> },
}

impl Lead {
    pub(super) fn link(link: XdpLink) -> io::Result<Self> {
        let (_, program) = link.target()?;
        Ok(Self::Link { link, program })
    }

    /// Whether it is still there. Where that cannot be asked it is taken to be.
    pub(super) fn holds(&self) -> bool {
        match self {
            // Of a link that is detached, the interface is 0 (`bpf_xdp_link_fill_link_info`).
            Self::Link { link, program } => {
                link.target().map_or(true, |(interface, now)| interface != 0 && now == *program)
            }
            Self::Present { socket, index, programs: before } => {
                let mut socket = socket.lock().unwrap_or_else(PoisonError::into_inner);
                programs(&mut socket, *index).map_or(true, |now| now.iter().any(|one| before.contains(one)))
            }
        }
    }

    /// Takes it away, if this process attached it. ENOLINK: somebody else did, or the interface is gone.
    pub(super) fn detach(&self) {
        if let Self::Link { link, .. } = self {
            let _ = link.detach();
        }
    }
}

/// Looks after a lead until dropped.
#[derive(Debug)]
pub(super) struct LeadWatch {
    lost: Arc<AtomicBool>,
    _task: Wait,
}

impl LeadWatch {
    /// Once the lead is lost, who waits on `readiness` is woken.
    pub(super) fn over(lead: Arc<Lead>, readiness: Arc<Readiness>) -> Result<Self> {
        let failed =
            |error: io::Error| Error::os(ErrorKind::Io, "timerfd_create", &error, "cannot watch the XDP program");
        let runtime = runtime().map_err(failed)?;
        let _guard = runtime.enter();
        let timer = Arc::new(Timer::new().map_err(failed)?);
        timer.set(LOOK_EVERY).map_err(failed)?;
        let registered = epoll::register(Arc::clone(&timer)).map_err(failed)?;
        let lost = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&lost);
        let task = runtime.spawn(async move {
            while let Ok(mut guard) = registered.readable().await {
                guard.clear_ready();
                if !lead.holds() {
                    told.store(true, Ordering::Release);
                    readiness.wake();
                    return;
                }
                if timer.set(LOOK_EVERY).is_err() {
                    return;
                }
            }
        });
        Ok(Self { lost, _task: Wait::of(&task) })
    }

    /// Whether it was found lost.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }
}
