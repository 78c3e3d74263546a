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

/// That of a capture which was opened `gated`. It is shut at first.
#[derive(Debug)]
pub(super) struct Gate {
    id: u32,
    pub(super) open: bool,
    pub(super) group: Option<Fanout>,
    pub(super) ignore_outgoing: bool,
}

impl Gate {
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

impl Drop for Gate {
    fn drop(&mut self) {
        registry().entries.remove(&self.id);
    }
}

/// Opens the gates with these ids, of captures of any thread: from now on each one's filter decides. Fails
/// where one of them is gone.
pub fn open_gates(ids: &[u32]) -> Result<()> {
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
/// capture is gone is shut.
pub fn shut_gates(ids: &[u32]) -> Result<()> {
    let mut registry = registry();
    let nothing = filter::nothing();
    for id in ids {
        let Some(entry) = registry.entries.get_mut(id) else { continue };
        entry.shut = true;
        if let Some(socket) = entry.socket.upgrade() {
            open::attach(&socket, Some(&nothing))?;
        }
    }
    Ok(())
}
