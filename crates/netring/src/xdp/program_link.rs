//! The program that redirects packets to a socket, and whether it is still attached.
//!
//! The kernel sends no notification when a link is detached (`bpf_xdp_link_detach`, net/core/dev.c). So netring asks
//! the kernel when the caller wants to know, and at most once a second while a reader waits for packets.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::program::{may_redirect, programs};
use crate::error::{Error, ErrorKind, Result};
use crate::readiness::{Readiness, TaskGuard, runtime};
use crate::sys::bpf::{XdpLink, XdpProgram};
use crate::sys::epoll;
use crate::sys::netlink::LinkSocket;
use crate::sys::timer::Timer;

const PROBE_EVERY: Duration = Duration::from_secs(1);

/// A program on an interface.
#[derive(Debug)]
pub(super) enum ProgramLink {
    /// Attached by this process. Any owner of the link, or of its id, can detach it or replace its program.
    Link { link: XdpLink, program: Mutex<u32> },
    /// Attached by the caller, over this map. `socket` belongs to the interface's namespace.
    Present { socket: Mutex<LinkSocket>, index: u32, map: u32 },
}

impl ProgramLink {
    pub(super) fn link(link: XdpLink) -> io::Result<Self> {
        let (_, program) = link.target()?;
        Ok(Self::Link { link, program: Mutex::new(program) })
    }

    /// Replaces the link's program. The interface is never without one.
    pub(super) fn update(&self, to: &XdpProgram) -> io::Result<()> {
        match self {
            Self::Link { link, program } => {
                // The lock keeps `is_attached` from seeing the new program before its number is known.
                let mut program = program.lock().unwrap_or_else(PoisonError::into_inner);
                link.update(to)?;
                *program = link.target()?.1;
                Ok(())
            }
            Self::Present { .. } => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        }
    }

    /// Whether the program is still attached; true where the kernel cannot be asked.
    pub(super) fn is_attached(&self) -> bool {
        match self {
            // A detached link has interface 0 (`bpf_xdp_link_fill_link_info`).
            Self::Link { link, program } => {
                let program = program.lock().unwrap_or_else(PoisonError::into_inner);
                link.target().map_or(true, |(interface, now)| interface != 0 && now == *program)
            }
            // The caller may have replaced it with another program over the same map.
            Self::Present { socket, index, map } => {
                let mut socket = socket.lock().unwrap_or_else(PoisonError::into_inner);
                programs(&mut socket, *index)
                    .map_or(true, |now| now.iter().any(|(_, program)| may_redirect(*program, *map)))
            }
        }
    }

    /// Detaches it, if this process attached it. ENOLINK: it is detached already, or the interface is gone.
    pub(super) fn detach(&self) {
        if let Self::Link { link, .. } = self {
            let _ = link.detach();
        }
    }
}

/// Asks the kernel on a separate thread: the answer has to wait for RTNL, and the calling thread serves every wait of
/// the process. Where the process may have no more threads the program counts as attached, until the next probe.
/// `None`: the probe has panicked.
async fn ask(is_attached: Arc<impl Fn() -> bool + Send + Sync + 'static>) -> Option<bool> {
    let (answer, answered) = oneshot::channel();
    let asking = thread::Builder::new().name("netring-ask".to_owned()).spawn(move || {
        // The receiver is gone where the socket was closed meanwhile.
        let _ = answer.send(is_attached());
    });
    if asking.is_err() {
        return Some(true);
    }
    answered.await.ok()
}

/// Monitors a program until dropped, while a reader waits for its packets.
#[derive(Debug)]
pub(super) struct ProgramMonitor {
    probe: Arc<Probe>,
    _task: TaskGuard,
}

/// When to probe the program next, and the result.
#[derive(Debug)]
struct Probe {
    timer: Arc<Timer>,
    /// The timer is set.
    set: AtomicBool,
    /// A reader has found no packets since the last probe.
    wanted: AtomicBool,
    lost: AtomicBool,
}

impl Probe {
    fn set_timer(&self, every: Duration) {
        if !self.set.load(Ordering::SeqCst) && !self.set.swap(true, Ordering::SeqCst) && self.timer.set(every).is_err()
        {
            self.set.store(false, Ordering::SeqCst);
        }
    }

    /// Whether to probe now that the timer has gone off. Marks the timer as unset first, so that the next reader sets
    /// it.
    fn is_due(&self, readiness: &Readiness) -> bool {
        self.set.store(false, Ordering::SeqCst);
        self.wanted.swap(false, Ordering::SeqCst) || readiness.is_awaited()
    }
}

impl ProgramMonitor {
    /// Wakes the reader that waits on `readiness` once the program is detached.
    pub(super) fn over(program_link: Arc<ProgramLink>, readiness: Arc<Readiness>) -> Result<Self> {
        Self::asking(move || program_link.is_attached(), readiness, PROBE_EVERY)
    }

    fn asking(
        is_attached: impl Fn() -> bool + Send + Sync + 'static,
        readiness: Arc<Readiness>,
        every: Duration,
    ) -> Result<Self> {
        let failed =
            |error: io::Error| Error::os(ErrorKind::Io, "timerfd_create", &error, "cannot watch the XDP program");
        let runtime = runtime().map_err(failed)?;
        let _guard = runtime.enter();
        let timer = Arc::new(Timer::new().map_err(failed)?);
        let registered = epoll::register(Arc::clone(&timer)).map_err(failed)?;
        let probe = Arc::new(Probe {
            timer,
            set: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            lost: AtomicBool::new(false),
        });
        let task_probe = Arc::clone(&probe);
        let is_attached = Arc::new(is_attached);
        let task = runtime.spawn(async move {
            while let Ok(mut guard) = registered.readable().await {
                guard.clear_ready();
                if !task_probe.is_due(&readiness) {
                    continue;
                }
                match ask(Arc::clone(&is_attached)).await {
                    // A waiting reader need not have polled meanwhile.
                    Some(true) => task_probe.set_timer(every),
                    Some(false) => {
                        task_probe.lost.store(true, Ordering::Release);
                        readiness.wake();
                        return;
                    }
                    None => return,
                }
            }
        });
        Ok(Self { probe, _task: TaskGuard::of(&task) })
    }

    /// Whether the program was found detached. A reader that found no packets calls this: it schedules a probe within
    /// `PROBE_EVERY`, and further ones while a reader waits.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost_or_probed(PROBE_EVERY)
    }

    fn is_lost_or_probed(&self, within: Duration) -> bool {
        let Probe { lost, wanted, .. } = &*self.probe;
        if lost.load(Ordering::Acquire) {
            return true;
        }
        // A reader that spins on an empty ring writes no memory.
        if !wanted.load(Ordering::SeqCst) {
            wanted.store(true, Ordering::SeqCst);
        }
        self.probe.set_timer(within);
        false
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::readiness::Watch;
    use crate::sys::epoll::{EpollSet, Interest};

    const SOON: Duration = Duration::from_secs(20);
    const OFTEN: Duration = Duration::from_millis(1);
    /// Long enough for some questions.
    const SOME_TIME: Duration = Duration::from_millis(50);

    fn waiting() -> (UnixDatagram, UnixDatagram, Arc<Readiness>, Watch, Receiver<()>) {
        let (sender, receiver) = UnixDatagram::pair().unwrap();
        let readiness = Readiness::new(EpollSet::of(receiver.as_fd(), Interest::Read).unwrap());
        let (wake, woken) = channel();
        let watch = readiness.watch(move |_| wake.send(()).unwrap()).unwrap();
        (sender, receiver, readiness, watch, woken)
    }

    #[test]
    fn the_link_is_probed_only_while_a_reader_waits() {
        let (_sender, _receiver, readiness, watch, woken) = waiting();
        let (ask, asked) = channel();
        let (answer, answers) = channel();
        let answers = Mutex::new(answers);
        let is_attached = move || {
            ask.send(()).unwrap();
            answers.lock().unwrap().recv().unwrap()
        };
        let monitor = ProgramMonitor::asking(is_attached, readiness, OFTEN).unwrap();
        assert!(asked.recv_timeout(SOME_TIME).is_err(), "no reader has polled");
        assert!(!monitor.is_lost_or_probed(OFTEN));
        asked.recv_timeout(SOON).expect("a reader that has polled may wait");
        answer.send(true).unwrap();
        assert!(asked.recv_timeout(SOME_TIME).is_err(), "no reader waits");
        watch.arm();
        assert!(!monitor.is_lost_or_probed(OFTEN));
        for _ in 0..3 {
            asked.recv_timeout(SOON).expect("a reader waits");
            answer.send(true).unwrap();
        }
        asked.recv_timeout(SOON).unwrap();
        assert!(woken.try_recv().is_err());
        answer.send(false).unwrap();
        woken.recv_timeout(SOON).expect("it is lost");
        assert!(monitor.is_lost());
    }

    #[test]
    fn a_slow_probe_does_not_delay_other_wakeups() {
        let (_sender, _receiver, readiness, _watch, _woken) = waiting();
        let (ask, asked) = channel();
        let (answer, answers) = channel::<bool>();
        let answers = Mutex::new(answers);
        let is_attached = move || {
            ask.send(()).unwrap();
            answers.lock().unwrap().recv().unwrap_or(true)
        };
        let monitor = ProgramMonitor::asking(is_attached, readiness, OFTEN).unwrap();
        assert!(!monitor.is_lost_or_probed(OFTEN));
        asked.recv_timeout(SOON).unwrap();
        let (other, _receiver, _readiness, watch, woken) = waiting();
        watch.arm();
        other.send(b"packet").unwrap();
        woken.recv_timeout(SOON).expect("another capture's packets are reported");
        drop(answer);
    }
}
