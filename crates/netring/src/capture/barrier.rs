//! Starts and stops the captures of several threads together.
//!
//! The members of a fanout group share its packets from the moment they receive. Threads that start separately are
//! milliseconds apart, so one thread starts and stops all, microseconds apart. It finds the sockets in this registry:
//! the kernel may have reused a descriptor's number for another socket.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use super::{Capture, open};
use crate::error::{Error, ErrorKind, Result};
use crate::fanout::Fanout;
use crate::filter::{self, Filter, SocketProgram};
use crate::sys::packet::PacketSocket;

/// The socket of a capture, and its initial filter.
struct Entry {
    socket: Weak<PacketSocket>,
    program: Option<SocketProgram>,
    /// Stopped for good.
    stopped: bool,
}

#[derive(Default)]
struct Registry {
    last: u32,
    entries: HashMap<u32, Entry>,
}

fn registry() -> MutexGuard<'static, Registry> {
    static REGISTRY: LazyLock<Mutex<Registry>> = LazyLock::new(Mutex::default);
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The barrier of a capture that was opened paused ([`Capture::open_paused`]). Until it starts, a filter drops
/// every packet; it was attached before `bind`, so the ring holds no packet that would have to be discarded.
#[derive(Debug)]
pub struct StartBarrier {
    id: u32,
    started: bool,
    group: Option<Fanout>,
    ignore_outgoing: bool,
}

impl StartBarrier {
    pub(super) fn new(
        socket: &Arc<PacketSocket>,
        program: Option<SocketProgram>,
        group: Option<Fanout>,
        ignore_outgoing: bool,
    ) -> Self {
        let mut registry = registry();
        registry.last = registry.last.wrapping_add(1);
        let id = registry.last;
        registry.entries.insert(id, Entry { socket: Arc::downgrade(socket), program, stopped: false });
        Self { id, started: false, group, ignore_outgoing }
    }

    /// The capture's id for [`start_all`] and [`stop_all`].
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Joins the group of the capture's options, by this id or (`None`) as the first member of a group with an unused
    /// id, and returns the id. The capture stays paused.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) without a group or after the start, [`SockOpt`](ErrorKind::SockOpt) where the kernel refuses.
    pub fn join_group(&self, capture: &mut Capture, id: Option<u16>) -> Result<u16> {
        let on_interface = |error: Error| error.on_interface(capture.link.interface());
        let group = self.group.as_ref().filter(|_| !self.started).ok_or_else(|| {
            let message = "only a capture that was opened paused, with a group, joins it later";
            on_interface(Error::new(ErrorKind::Config, message))
        })?;
        // The first member has set the group's program, and set_fanout_program() may have replaced it since.
        let program = if id.is_none() { group.program.clone() } else { None };
        let group = Fanout { group: id, program, ..group.clone() };
        let id = open::join(&capture.socket, &group, self.ignore_outgoing).map_err(on_interface)?;
        capture.fanout_id = Some(id);
        Ok(id)
    }

    /// Starts the capture with its filter. Call it after [`start_all`], too, which changes only the socket.
    ///
    /// # Errors
    ///
    /// [`Filter`](ErrorKind::Filter) where the kernel refuses the filter.
    pub fn start(&mut self, capture: &Capture) -> Result<()> {
        if self.started {
            return Ok(());
        }
        let program = capture.program();
        self.with_stopped(|stopped| if stopped { Ok(()) } else { open::replace(&capture.socket, program.as_ref()) })
            .map_err(|error| error.on_interface(capture.link.interface()))?;
        self.started = true;
        Ok(())
    }

    /// As [`Capture::set_filter`], for a capture that has started. After [`stop_all`] no filter lets packets pass.
    ///
    /// # Errors
    ///
    /// As [`Capture::set_filter`], and [`Config`](ErrorKind::Config) before the start.
    pub fn set_filter(&self, capture: &mut Capture, filter: Option<Filter>) -> Result<()> {
        if !self.started {
            let message = "the filter cannot be replaced before the capture has started; start it first";
            return Err(Error::new(ErrorKind::Config, message).on_interface(capture.link.interface()));
        }
        self.with_stopped(|stopped| capture.refilter(filter, stopped))
    }

    /// Calls `call` with whether the capture has been stopped. Holds the lock meanwhile, so that stop_all() cannot run
    /// between the check and a new filter, which would let packets pass again.
    fn with_stopped<T>(&self, call: impl FnOnce(bool) -> T) -> T {
        let registry = registry();
        call(registry.entries.get(&self.id).is_some_and(|entry| entry.stopped))
    }
}

impl Drop for StartBarrier {
    fn drop(&mut self) {
        registry().entries.remove(&self.id);
    }
}

/// Starts the captures with these ids, of any thread, each with its filter. Fails if one of them is gone.
///
/// # Errors
///
/// [`Closed`](ErrorKind::Closed) where one is gone; none has started then. [`Filter`](ErrorKind::Filter).
pub fn start_all(ids: &[u32]) -> Result<()> {
    let registry = registry();
    let found: Option<Vec<_>> = ids
        .iter()
        .map(|id| registry.entries.get(id).and_then(|entry| Some((entry.socket.upgrade()?, entry))))
        .collect();
    let Some(found) = found else {
        return Err(Error::new(ErrorKind::Closed, "a capture was closed before it was started"));
    };
    for (socket, entry) in found.iter().filter(|(_, entry)| !entry.stopped) {
        open::replace(socket, entry.program.as_ref())?;
    }
    Ok(())
}

/// Stops the captures with these ids, of any thread, for good. A capture that is gone has stopped. Where
/// the kernel refuses one, this stops the others and returns the first refusal; a filter that such a capture is given
/// later drops every packet.
///
/// # Errors
///
/// The first refusal, as [`Filter`](ErrorKind::Filter) or [`Permission`](ErrorKind::Permission).
pub fn stop_all(ids: &[u32]) -> Result<()> {
    let mut registry = registry();
    let nothing = filter::nothing();
    let mut outcome = Ok(());
    for id in ids {
        let Some(entry) = registry.entries.get_mut(id) else { continue };
        entry.stopped = true;
        if let Some(socket) = entry.socket.upgrade() {
            outcome = outcome.and(open::attach(&socket, Some(&nothing)));
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    /// A paused socket, of another family, which needs no privilege: any socket has a filter.
    struct Paused {
        sender: UnixDatagram,
        receiver: UnixDatagram,
        socket: Arc<PacketSocket>,
        barrier: StartBarrier,
    }

    impl Paused {
        fn new() -> Self {
            let (sender, receiver) = UnixDatagram::pair().unwrap();
            receiver.set_nonblocking(true).unwrap();
            let socket = Arc::new(PacketSocket::of(receiver.try_clone().unwrap().into()));
            open::attach(&socket, Some(&filter::nothing())).unwrap();
            let barrier = StartBarrier::new(&socket, None, None, false);
            Self { sender, receiver, socket, barrier }
        }

        fn lets_pass(&self) -> bool {
            self.sender.send(b"packet").unwrap();
            self.receiver.recv(&mut [0; 16]).is_ok()
        }
    }

    #[test]
    fn captures_start_and_stop_together() {
        let all: Vec<_> = (0..3).map(|_| Paused::new()).collect();
        let ids: Vec<_> = all.iter().map(|one| one.barrier.id()).collect();
        assert!(!all.iter().any(Paused::lets_pass));
        start_all(&ids).unwrap();
        assert!(all.iter().all(Paused::lets_pass));
        stop_all(&ids).unwrap();
        assert!(!all.iter().any(Paused::lets_pass));
        start_all(&ids).unwrap();
        assert!(!all.iter().any(Paused::lets_pass), "for good");
    }

    #[test]
    fn a_capture_that_cannot_be_stopped_is_reported_and_the_others_stop() {
        let all: Vec<_> = (0..4).map(|_| Paused::new()).collect();
        let ids: Vec<_> = all.iter().map(|one| one.barrier.id()).collect();
        start_all(&ids).unwrap();
        for locked in [1, 2] {
            all[locked].socket.set_socket(libc::SO_LOCK_FILTER, 1).unwrap();
        }
        let error = stop_all(&ids).unwrap_err();
        assert_eq!((error.kind, error.errno), (ErrorKind::Permission, Some(libc::EPERM)));
        assert_eq!(all.iter().map(Paused::lets_pass).collect::<Vec<_>>(), [false, true, true, false]);
        assert!(all.iter().all(|one| one.barrier.with_stopped(|stopped| stopped)), "no later filter starts one");
    }
}
