//! What leads packets to a socket, and whether it still does.
//!
//! Nobody is told when a program goes: the kernel sends no news of a link that is detached (`bpf_xdp_link_detach`,
//! net/core/dev.c). So it is asked, whenever somebody wants to know, and at most once a second on behalf of who waits for packets.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::program::{may_lead, programs};
use crate::error::{Error, ErrorKind, Result};
use crate::readiness::{Readiness, TaskGuard, runtime};
use crate::sys::bpf::{XdpLink, XdpProgram};
use crate::sys::epoll;
use crate::sys::netlink::LinkSocket;
use crate::sys::timer::Timer;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A program on an interface.
#[derive(Debug)]
pub(super) enum ProgramLink {
    /// Attached by this process. Whoever has the link, or its number, can detach it or give it another program.
    Link { link: XdpLink, program: Mutex<u32> },
    /// Attached by the caller, over this map. The socket is of the interface's namespace.
    Present { socket: Mutex<LinkSocket>, index: u32, map: u32 },
}

impl ProgramLink {
    pub(super) fn link(link: XdpLink) -> io::Result<Self> {
        let (_, program) = link.target()?;
        Ok(Self::Link { link, program: Mutex::new(program) })
    }

    /// Gives the link another program, without a moment in which there is none.
    pub(super) fn update(&self, to: &XdpProgram) -> io::Result<()> {
        match self {
            Self::Link { link, program } => {
                // Locked meanwhile: whoever asks must not take the new program for somebody else's.
                let mut program = program.lock().unwrap_or_else(PoisonError::into_inner);
                link.update(to)?;
                *program = link.target()?.1;
                Ok(())
            }
            Self::Present { .. } => Err(io::Error::from_raw_os_error(libc::EINVAL)),
        }
    }

    /// Whether it is still there. Where that cannot be asked it is taken to be.
    pub(super) fn is_attached(&self) -> bool {
        match self {
            // Of a link that is detached, the interface is 0 (`bpf_xdp_link_fill_link_info`).
            Self::Link { link, program } => {
                let program = program.lock().unwrap_or_else(PoisonError::into_inner);
                link.target().map_or(true, |(interface, now)| interface != 0 && now == *program)
            }
            // Its owner may have put another in its place that leads here as well.
            Self::Present { socket, index, map } => {
                let mut socket = socket.lock().unwrap_or_else(PoisonError::into_inner);
                programs(&mut socket, *index)
                    .map_or(true, |now| now.iter().any(|(_, program)| may_lead(*program, *map)))
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

/// Asks on a thread of its own: the answer may take as long as somebody holds RTNL, and the one that this is called on serves every
/// wait of the process. Where the process may have no more threads the lead is taken to hold, and asked for again in time. `None`:
/// the question has panicked.
async fn ask(is_attached: Arc<impl Fn() -> bool + Send + Sync + 'static>) -> Option<bool> {
    let (answer, answered) = oneshot::channel();
    let asking = thread::Builder::new().name("netring-ask".to_owned()).spawn(move || {
        // Nobody listens any more when the socket was closed meanwhile.
        let _ = answer.send(is_attached());
    });
    if asking.is_err() {
        return Some(true);
    }
    answered.await.ok()
}

/// Looks after a lead until dropped, for as long as somebody waits for its packets.
#[derive(Debug)]
pub(super) struct ProgramMonitor {
    question: Arc<Probe>,
    _task: TaskGuard,
}

/// When the lead is to be asked for next, and what came of it.
#[derive(Debug)]
struct Probe {
    timer: Arc<Timer>,
    /// The timer is set.
    set: AtomicBool,
    /// Somebody has looked for packets in vain since it was last asked.
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

    /// Whether to ask now that the timer has gone off. The timer counts as not set first: who looks from here on sets it.
    fn is_due(&self, readiness: &Readiness) -> bool {
        self.set.store(false, Ordering::SeqCst);
        self.wanted.swap(false, Ordering::SeqCst) || readiness.is_awaited()
    }
}

impl ProgramMonitor {
    /// Once the lead is lost, who waits on `readiness` is woken.
    pub(super) fn over(lead: Arc<ProgramLink>, readiness: Arc<Readiness>) -> Result<Self> {
        Self::asking(move || lead.is_attached(), readiness, LOOK_EVERY)
    }

    fn asking(
        holds: impl Fn() -> bool + Send + Sync + 'static,
        readiness: Arc<Readiness>,
        every: Duration,
    ) -> Result<Self> {
        let failed =
            |error: io::Error| Error::os(ErrorKind::Io, "timerfd_create", &error, "cannot watch the XDP program");
        let runtime = runtime().map_err(failed)?;
        let _guard = runtime.enter();
        let timer = Arc::new(Timer::new().map_err(failed)?);
        let registered = epoll::register(Arc::clone(&timer)).map_err(failed)?;
        let question = Arc::new(Probe {
            timer,
            set: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            lost: AtomicBool::new(false),
        });
        let asked = Arc::clone(&question);
        let holds = Arc::new(holds);
        let task = runtime.spawn(async move {
            while let Ok(mut guard) = registered.readable().await {
                guard.clear_ready();
                if !asked.is_due(&readiness) {
                    continue;
                }
                match ask(Arc::clone(&holds)).await {
                    // Who waits need not have looked meanwhile.
                    Some(true) => asked.set_timer(every),
                    Some(false) => {
                        asked.lost.store(true, Ordering::Release);
                        readiness.wake();
                        return;
                    }
                    None => return,
                }
            }
        });
        Ok(Self { question, _task: TaskGuard::of(&task) })
    }

    /// Whether it was found lost. For who has found no packets: the lead is asked within `LOOK_EVERY` from now, and again
    /// as long as somebody waits.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost_or_asked(LOOK_EVERY)
    }

    fn is_lost_or_asked(&self, within: Duration) -> bool {
        let Probe { lost, wanted, .. } = &*self.question;
        if lost.load(Ordering::Acquire) {
            return true;
        }
        // Who spins on an empty ring writes no memory.
        if !wanted.load(Ordering::SeqCst) {
            wanted.store(true, Ordering::SeqCst);
        }
        self.question.set_timer(within);
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
    fn it_is_asked_while_somebody_waits_and_only_then() {
        let (_sender, _receiver, readiness, watch, woken) = waiting();
        let (ask, asked) = channel();
        let (answer, answers) = channel();
        let answers = Mutex::new(answers);
        let holds = move || {
            ask.send(()).unwrap();
            answers.lock().unwrap().recv().unwrap()
        };
        let lead = ProgramMonitor::asking(holds, readiness, OFTEN).unwrap();
        assert!(asked.recv_timeout(SOME_TIME).is_err(), "nobody has looked");
        assert!(!lead.is_lost_or_asked(OFTEN));
        asked.recv_timeout(SOON).expect("who has looked may wait");
        answer.send(true).unwrap();
        assert!(asked.recv_timeout(SOME_TIME).is_err(), "nobody waits");
        watch.arm();
        assert!(!lead.is_lost_or_asked(OFTEN));
        for _ in 0..3 {
            asked.recv_timeout(SOON).expect("somebody waits");
            answer.send(true).unwrap();
        }
        asked.recv_timeout(SOON).unwrap();
        assert!(woken.try_recv().is_err());
        answer.send(false).unwrap();
        woken.recv_timeout(SOON).expect("it is lost");
        assert!(lead.is_lost());
    }

    #[test]
    fn a_question_that_takes_long_keeps_nobody_from_being_woken() {
        let (_sender, _receiver, readiness, _watch, _woken) = waiting();
        let (ask, asked) = channel();
        let (answer, answers) = channel::<bool>();
        let answers = Mutex::new(answers);
        let holds = move || {
            ask.send(()).unwrap();
            answers.lock().unwrap().recv().unwrap_or(true)
        };
        let lead = ProgramMonitor::asking(holds, readiness, OFTEN).unwrap();
        assert!(!lead.is_lost_or_asked(OFTEN));
        asked.recv_timeout(SOON).unwrap();
        let (other, _receiver, _readiness, watch, woken) = waiting();
        watch.arm();
        other.send(b"packet").unwrap();
        woken.recv_timeout(SOON).expect("another capture's packets are told of");
        drop(answer);
    }
}
