//! One side of a bridge over AF_PACKET: a capture, and a socket that sends.
//!
//! Both use `PACKET_VNET_HDR`: work that a frame's sender left to its hardware (a checksum,
//! segmentation) is left to the hardware of the other side, or the kernel does it before. The kernel
//! reads each frame and its header where they lie in the ring: nothing is copied here.

use super::Port;
use crate::capture::{Capture, CaptureOptions, Setup};
use crate::error::{Error, ErrorKind, Result};
use crate::injector::InjectorOptions;
use crate::ring::vnet;
use crate::source::Source;
use crate::tx::SendSocket;

/// The sending half: a frame's virtio-net header lies before it.
pub type PacketTx = SendSocket<{ vnet::BYTES }>;

/// Options of one side.
#[derive(Clone, Debug)]
pub struct SideOptions {
    /// Its ring.
    pub capture: CaptureOptions,
    /// How it sends: `frame_size` and `frame_count` say how much may wait in the kernel.
    pub injector: InjectorOptions,
}

/// One side.
#[derive(Debug)]
pub struct PacketPort {
    /// Receives.
    pub capture: Capture,
    /// Sends.
    pub tx: PacketTx,
}

impl PacketPort {
    /// Opens an interface. Options that would keep frames from passing whole are overridden.
    ///
    /// # Errors
    ///
    /// As [`Capture::open`] and [`open_tx`].
    pub fn open(interface: &str, options: SideOptions) -> Result<Self> {
        let tx = open_tx(interface, &options.injector)?;
        Ok(Self { capture: open_capture(interface, options.capture)?, tx })
    }
}

/// A capture whose frames can be sent on as they are.
///
/// # Errors
///
/// As [`Capture::open`].
pub fn open_capture(interface: &str, options: CaptureOptions) -> Result<Capture> {
    // A side would otherwise receive what the bridge sends through it, for ever.
    let options = CaptureOptions { ignore_outgoing: true, reinsert_vlan: true, ..options };
    Capture::open_with(interface, options, Setup { vnet_header: true, ..Setup::default() })
}

/// A socket that sends such frames.
///
/// # Errors
///
/// As [`Injector::open`](crate::injector::Injector::open).
pub fn open_tx(interface: &str, options: &InjectorOptions) -> Result<PacketTx> {
    PacketTx::open(interface, &options.socket("bridge")).map_err(|error| error.on_interface(interface))
}

impl Port for PacketPort {
    type In = Capture;
    type Out = PacketTx;

    fn input(&mut self) -> &mut Capture {
        &mut self.capture
    }

    fn output(&mut self) -> &mut PacketTx {
        &mut self.tx
    }

    fn close(self) -> Result<()> {
        drop(self.tx);
        self.capture.close()
    }
}

/// Fails for two sides of different link types: frames of one make no sense on the other.
///
/// # Errors
///
/// [`Config`](ErrorKind::Config) where the link types differ.
pub fn check_alike(a: &PacketTx, b: &PacketTx) -> Result<()> {
    let kinds = [a.hardware_type()?, b.hardware_type()?].map(|kind| match kind {
        // Loopback frames have an Ethernet header.
        libc::ARPHRD_LOOPBACK => libc::ARPHRD_ETHER,
        other => other,
    });
    if kinds[0] == kinds[1] {
        return Ok(());
    }
    let message = format!(
        "{:?} (link type {}) and {:?} (link type {}) have different link-layer headers, so no frame of one can be sent through the other; bridge interfaces of one type",
        a.interface(),
        kinds[0],
        b.interface(),
        kinds[1]
    );
    Err(Error::new(ErrorKind::Config, message))
}
