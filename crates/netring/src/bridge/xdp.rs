//! One side of a bridge over AF_XDP: the socket receives and sends.
//!
//! Two sockets have two UMEMs, so each frame is copied once, from a frame that received into one that
//! sends.

use super::{Bridge, Port, check_two};
use crate::error::Result;
use crate::source::Source;
use crate::xdp::{XdpOptions, XdpSocket};

/// Options of one side.
#[derive(Clone, Debug)]
pub struct XdpSideOptions {
    /// Its socket, which has to send and receive.
    pub xdp: XdpOptions,
    /// Also receive frames addressed to other hosts.
    pub promiscuous: bool,
}

/// Opens one side.
///
/// # Errors
///
/// As [`XdpSocket::open`].
pub fn open_side(interface: &str, options: &XdpSideOptions) -> Result<XdpSocket> {
    let socket = XdpSocket::open(interface, &options.xdp)?;
    if options.promiscuous {
        socket.join_promiscuous()?;
    }
    Ok(socket)
}

impl Bridge<XdpSocket> {
    /// Opens two interfaces.
    ///
    /// # Errors
    ///
    /// As [`XdpSocket::open`] of either side, and [`Config`](crate::ErrorKind::Config) for twice the same interface.
    pub fn open_xdp(a: &str, b: &str, a_options: &XdpSideOptions, b_options: &XdpSideOptions) -> Result<Self> {
        check_two(a, a_options.xdp.namespace.as_deref(), b, b_options.xdp.namespace.as_deref())?;
        Ok(Self::of(open_side(a, a_options)?, open_side(b, b_options)?))
    }
}

impl Port for XdpSocket {
    type In = Self;
    type Out = Self;

    fn input(&mut self) -> &mut Self {
        self
    }

    fn output(&mut self) -> &mut Self {
        self
    }

    fn close(self) -> Result<()> {
        Source::close(self)
    }
}
