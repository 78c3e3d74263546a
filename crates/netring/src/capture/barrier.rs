//! Captures of several threads that begin and end to receive together.
//!
//! The members of a group are to have a share each or nothing. Told one by one, threads come to it milliseconds
//! apart; so one thread opens and shuts the gates of all, a few microseconds apart. It finds the sockets here: a
//! descriptor's number alone might be another socket's by then.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use super::open;
use crate::error::{Error, ErrorKind, Result};
use crate::fanout::Fanout;
use crate::filter::{self, Filter};
use crate::sys::packet::PacketSocket;

/// Whose gate, and what decides when it is open.
struct Entry {
    socket: Weak<PacketSocket>,
    program: Option<Filter>,
    /// For good.
    shut: bool,
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

/// That of a capture which was opened `paused`. It is shut at first.
#[derive(Debug)]
pub(super) struct StartBarrier {
    id: u32,
    pub(super) open: bool,
    pub(super) group: Option<Fanout>,
    pub(super) ignore_outgoing: bool,
}

impl StartBarrier {
    pub(super) fn new(
        socket: &Arc<PacketSocket>,
        program: Option<Filter>,
        group: Option<Fanout>,
        ignore_outgoing: bool,
    ) -> Self {
        let mut registry = registry();
        registry.last = registry.last.wrapping_add(1);
        let id = registry.last;
        registry.entries.insert(id, Entry { socket: Arc::downgrade(socket), program, shut: false });
        Self { id, open: false, group, ignore_outgoing }
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Calls with whether it has been shut for good, which it cannot become before that is done: a filter put in
    /// after it was shut would open it again.
    pub(super) fn with_shut<T>(&self, call: impl FnOnce(bool) -> T) -> T {
        let registry = registry();
        call(registry.entries.get(&self.id).is_some_and(|entry| entry.shut))
    }
}

impl Drop for StartBarrier {
    fn drop(&mut self) {
        registry().entries.remove(&self.id);
    }
}

/// Opens the gates with these ids, of captures of any thread: from now on each one's filter decides. Fails
/// where one of them is gone.
pub fn start_all(ids: &[u32]) -> Result<()> {
    let registry = registry();
    let found: Option<Vec<_>> = ids
        .iter()
        .map(|id| registry.entries.get(id).and_then(|entry| Some((entry.socket.upgrade()?, entry))))
        .collect();
    let Some(found) = found else {
        return Err(Error::new(ErrorKind::Closed, "a capture was closed before its gate was opened"));
    };
    for (socket, entry) in found.iter().filter(|(_, entry)| !entry.shut) {
        open::replace(socket, entry.program.as_ref())?;
    }
    Ok(())
}

/// Shuts the gates with these ids, of captures of any thread, for good: nothing passes any more. One whose
/// capture is gone is shut. Where the kernel refuses one, the others are shut all the same, and the first
/// refusal is told; whatever filter such a capture is given later lets nothing pass.
pub fn stop_all(ids: &[u32]) -> Result<()> {
    let mut registry = registry();
    let nothing = filter::nothing();
    let mut outcome = Ok(());
    for id in ids {
        let Some(entry) = registry.entries.get_mut(id) else { continue };
        entry.shut = true;
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

    /// A paused socket. Of another family, which needs no privilege: a filter is any socket's.
    struct Gated {
        sender: UnixDatagram,
        receiver: UnixDatagram,
        socket: Arc<PacketSocket>,
        barrier: StartBarrier,
    }

    impl Gated {
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
    fn gates_open_and_shut_together() {
        let all: Vec<_> = (0..3).map(|_| Gated::new()).collect();
        let ids: Vec<_> = all.iter().map(|one| one.barrier.id()).collect();
        assert!(!all.iter().any(Gated::lets_pass));
        start_all(&ids).unwrap();
        assert!(all.iter().all(Gated::lets_pass));
        stop_all(&ids).unwrap();
        assert!(!all.iter().any(Gated::lets_pass));
        start_all(&ids).unwrap();
        assert!(!all.iter().any(Gated::lets_pass), "for good");
    }

    #[test]
    fn a_gate_that_cannot_be_shut_leaves_no_other_one_open_and_is_told() {
        let all: Vec<_> = (0..4).map(|_| Gated::new()).collect();
        let ids: Vec<_> = all.iter().map(|one| one.barrier.id()).collect();
        start_all(&ids).unwrap();
        for locked in [1, 2] {
            all[locked].socket.set_socket(libc::SO_LOCK_FILTER, 1).unwrap();
        }
        let error = stop_all(&ids).unwrap_err();
        assert_eq!((error.kind, error.errno), (ErrorKind::Permission, Some(libc::EPERM)));
        assert_eq!(all.iter().map(Gated::lets_pass).collect::<Vec<_>>(), [false, true, true, false]);
        assert!(all.iter().all(|one| one.barrier.with_shut(|shut| shut)), "no later filter opens any");
    }
}
