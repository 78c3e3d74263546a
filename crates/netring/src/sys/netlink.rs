//! Lists interfaces and receives their changes, rtnetlink(7).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::Path;

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkAttribute, LinkMessage, LinkXdp};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::netns;

/// A netlink socket of one network namespace.
#[derive(Debug)]
pub struct LinkSocket {
    socket: Socket,
    sequence: u32,
}

/// A message of the kernel about an interface.
#[derive(Debug)]
pub enum LinkChange {
    /// It exists and this is its state.
    Present(LinkMessage),
    /// It was deleted or moved to another namespace.
    Gone(u32),
}

impl AsRawFd for LinkSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl AsFd for LinkSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl LinkSocket {
    /// Opens a socket; with `subscribe` it receives every change of an interface from now on.
    pub fn open(namespace: Option<&Path>, subscribe: bool) -> Result<Self, netns::Failure> {
        netns::within(namespace, || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            let groups = if subscribe { libc::RTMGRP_LINK as u32 } else { 0 };
            socket.bind(&SocketAddr::new(0, groups))?;
            socket.connect(&SocketAddr::new(0, 0))?;
            Ok(Self { socket, sequence: 0 })
        })
    }

    /// From now on [`read`](Self::read) fails with `WouldBlock` where it would wait.
    pub fn set_non_blocking(&self) -> io::Result<()> {
        self.socket.set_non_blocking(true)
    }

    /// Asks for one interface by index; the answer comes through [`read`](Self::read).
    pub fn ask(&mut self, index: u32) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        self.request(RouteNetlinkMessage::GetLink(link), NLM_F_REQUEST)
    }

    /// Attaches an XDP program in the way that `flags` say (XDP_FLAGS_*), or, with descriptor -1,
    /// detaches the one that was attached so. What is attached like this outlives its process.
    /// EBUSY where a BPF link holds another one.
    pub fn set_xdp(&mut self, index: u32, program: RawFd, flags: u32) -> io::Result<()> {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.attributes.push(LinkAttribute::Xdp(vec![LinkXdp::Fd(program), LinkXdp::Flags(flags)]));
        self.request(RouteNetlinkMessage::SetLink(link), NLM_F_REQUEST | NLM_F_ACK)?;
        self.read().map(drop)
    }

    /// Every interface of the namespace.
    pub fn all(&mut self) -> io::Result<Vec<LinkMessage>> {
        self.request(RouteNetlinkMessage::GetLink(LinkMessage::default()), NLM_F_REQUEST | NLM_F_DUMP)?;
        let mut links = Vec::new();
        loop {
            let (bytes, _) = self.socket.recv_from_full()?;
            for message in messages(&bytes) {
                match message?.payload {
                    NetlinkPayload::Done(_) => return Ok(links),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => links.push(link),
                    _ => {}
                }
            }
        }
    }

    fn request(&mut self, request: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence += 1;
        let mut message = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(request));
        message.header.flags = flags;
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        Ok(())
    }

    /// The next messages. ENODEV where [`ask`](Self::ask) was about an interface that is gone,
    /// ENOBUFS where messages were lost: ask again.
    pub fn read(&self) -> io::Result<Vec<LinkChange>> {
        let (bytes, _) = self.socket.recv_from_full()?;
        let mut changes = Vec::new();
        for message in messages(&bytes) {
            match message?.payload {
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
                    changes.push(LinkChange::Present(link))
                }
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(link)) => {
                    changes.push(LinkChange::Gone(link.header.index));
                }
                _ => {}
            }
        }
        Ok(changes)
    }
}

/// The messages of one datagram.
fn messages(bytes: &[u8]) -> impl Iterator<Item = io::Result<NetlinkMessage<RouteNetlinkMessage>>> + '_ {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let message = match NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest) {
            Ok(message) => message,
            Err(error) => {
                rest = &[];
                return Some(Err(io::Error::new(io::ErrorKind::InvalidData, error.to_string())));
            }
        };
        // NLMSG_ALIGN; a length of 0 would loop for ever.
        let length = (message.header.length as usize).next_multiple_of(4).max(16);
        rest = rest.get(length..).unwrap_or(&[]);
        Some(Ok(message))
    })
}
