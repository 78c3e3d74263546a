//! Link state as events: down, up, gone.
//!
//! A packet socket itself says only that its interface went down, and nothing when it comes up
//! again, so the news come from rtnetlink, which also knows the carrier.

use std::io;
use std::sync::Arc;

use netlink_packet_route::link::LinkFlags;
use tokio::io::unix::AsyncFd;

use crate::error::{Error, ErrorKind, Result};
use crate::interface::entering;
use crate::readiness::{Wait, runtime};
use crate::sys::epoll;
use crate::sys::netlink::{LinkNews, LinkSocket};
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

/// Watches one interface until dropped. `changed` is called on the runtime's thread; with an
/// error once, when watching had to end.
pub fn watch(
    namespace: Option<&str>,
    index: u32,
    changed: impl Fn(io::Result<LinkEvent>) + Send + Sync + 'static,
) -> Result<Wait> {
    let failed = |error: io::Error| Error::os(ErrorKind::Io, "recvmsg", &error, "cannot watch the interface");
    let path = namespace.map(path_of);
    let mut socket = LinkSocket::open(path.as_deref(), true)
        .map_err(|failure| entering(namespace, failure, "cannot watch the interface", "socket"))?;
    // Asked after subscribing: a change in between is seen twice, which does no harm.
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
    Ok(Wait::of(&task))
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
        let news = match read {
            Ok(news) => news,
            // News were lost: the state now is what counts.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                socket.get_mut().ask(index)?;
                continue;
            }
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => vec![LinkNews::Gone(index)],
            Err(error) => return Err(error),
        };
        for item in news {
            match item {
                LinkNews::Gone(gone) if gone == index => {
                    changed(Ok(LinkEvent::Removed));
                    return Ok(());
                }
                LinkNews::Present(link) if link.header.index == index => {
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
