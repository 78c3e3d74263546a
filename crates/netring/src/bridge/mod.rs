//! Forwarding: two interfaces, both directions, without a copy.
//!
//! A [`Forwarder`] is one direction: it takes a batch out of the ring of one side and sends its frames
//! through the [`FrameTx`] of the other side, from where they lie. The batch goes back to the kernel when
//! its last frame was taken. A [`Bridge`] steps two forwarders between two [`Port`]s in turns; a [`Runner`]
//! runs it on a thread of its own.

pub mod forwarder;
pub mod packet;
pub mod runner;
#[cfg(feature = "xdp")]
pub mod xdp;

mod stats;

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::forwarder::{Forwarder, Replacements, Step, Verdict, Wait};
pub use self::packet::{PacketPort, PacketTx, SideOptions};
pub use self::runner::Runner;
pub use self::stats::DirectionStats;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Filter;
use crate::interface;
use crate::readiness::Readiness;
use crate::source::{Counters, LiveSource, Source};
use crate::stats::CaptureStats;
use crate::sys::deadline_after;
use crate::sys::poll::{self, Notifier};
pub use crate::tx::{FrameTx, TrySend};

/// How often to check a side whose changes raise no event.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One side of a bridge.
pub trait Port {
    /// The receiving half.
    type In: LiveSource;
    /// The sending half.
    type Out: FrameTx;

    /// The receiving half.
    fn input(&mut self) -> &mut Self::In;
    /// The sending half.
    fn output(&mut self) -> &mut Self::Out;
    /// Frees everything at once.
    ///
    /// # Errors
    ///
    /// [`Mmap`](crate::ErrorKind::Mmap) where a ring's mapping cannot be replaced; everything else is freed all the same.
    fn close(self) -> Result<()>;
}

/// Batches of a port.
type BatchOf<P> = <<P as Port>::In as Source>::Batch;

/// What to wait for when there is nothing to do.
#[derive(Debug, Default)]
pub struct WaitSet {
    on: Vec<Arc<Readiness>>,
    until: Option<Instant>,
}

impl WaitSet {
    /// Ends the wait at `then` at the latest.
    pub fn not_after(&mut self, then: Instant) {
        self.until = Some(self.until.map_or(then, |until| until.min(then)));
    }

    /// Adds what one direction waits for. While a batch is under way its source is not added: the ring
    /// may already be ready, and the wait would end at once.
    pub fn add<B>(&mut self, forwarder: &Forwarder<B>, from: &impl LiveSource, to: &impl FrameTx) {
        if let Some(every) = from.look_every() {
            self.not_after(Instant::now() + every);
        }
        if forwarder.is_unsettled() {
            self.not_after(Instant::now() + forwarder::TRY_AGAIN_AFTER);
        }
        match forwarder.wait() {
            None => self.on.push(Arc::clone(from.readiness())),
            Some(Wait::Until(then)) => self.not_after(then),
            Some(Wait::Room) => {
                self.on.push(Arc::clone(to.room()));
                // In case the buffer empties without an event.
                self.not_after(Instant::now() + LOOK_EVERY);
            }
        }
    }

    /// Waits on this thread, until `notifier` is notified at the latest.
    pub fn wait(&self, notifier: Option<&Notifier>) -> Result<()> {
        let descriptors: Vec<_> =
            self.on.iter().map(|readiness| readiness.as_fd()).chain(notifier.map(AsFd::as_fd)).collect();
        poll::readable(&descriptors, self.until)
            .map_err(|error| Error::os(ErrorKind::Io, "ppoll", &error, "the bridge cannot wait"))
    }
}

/// Fails if both names mean one interface.
///
/// # Errors
///
/// [`Config`](crate::ErrorKind::Config) where both names are of one interface.
pub fn check_two(a: &str, a_namespace: Option<&str>, b: &str, b_namespace: Option<&str>) -> Result<()> {
    if !interface::is_same(a, a_namespace, b, b_namespace) {
        return Ok(());
    }
    let message = if a == b {
        format!("a and b are both {a:?}; a bridge is between two interfaces")
    } else {
        format!("a, {a:?}, and b, {b:?}, are names of one interface; a bridge is between two")
    };
    Err(Error::new(ErrorKind::Config, message).on_interface(a))
}

/// Two sides and the frames under way between them.
pub struct Bridge<P: Port> {
    a: P,
    b: P,
    a_to_b: Forwarder<BatchOf<P>>,
    b_to_a: Forwarder<BatchOf<P>>,
}

impl Bridge<PacketPort> {
    /// Opens two interfaces.
    ///
    /// # Errors
    ///
    /// As [`Capture::open`](crate::capture::Capture::open) and [`Injector::open`](crate::injector::Injector::open) of either side, and
    /// [`Config`](crate::ErrorKind::Config) for interfaces of different link types or twice the same.
    pub fn open(a: &str, b: &str, a_options: SideOptions, b_options: SideOptions) -> Result<Self> {
        check_two(a, a_options.capture.namespace.as_deref(), b, b_options.capture.namespace.as_deref())?;
        // Both receive before either sends: the first frames sent on are answered at once.
        let a = PacketPort::open(a, a_options)?;
        let b = PacketPort::open(b, b_options)?;
        packet::check_alike(&a.tx, &b.tx)?;
        Ok(Self::of(a, b))
    }
}

impl<P: Port> Bridge<P> {
    /// Between two sides.
    pub fn of(a: P, b: P) -> Self {
        Self { a, b, a_to_b: Forwarder::default(), b_to_a: Forwarder::default() }
    }

    /// Sets the filters of both directions, a to b first. The bridge drops and counts the frames that they refuse. Each filter is
    /// compiled for its source side; a VLAN tag is in the bytes.
    pub fn set_filters(&mut self, filters: [Option<&Filter>; 2]) -> Result<()> {
        let [there, back] = filters;
        let matcher =
            |filter: Option<&Filter>, link_type| filter.map(|filter| filter.for_memory(link_type)).transpose();
        let there = matcher(there, self.a.input().link_type())?;
        let back = matcher(back, self.b.input().link_type())?;
        self.a_to_b.set_filter(there);
        self.b_to_a.set_filter(back);
        Ok(())
    }

    /// One step of each direction; whether anything moved. Fails when a side is gone.
    ///
    /// # Errors
    ///
    /// [`InterfaceRemoved`](crate::ErrorKind::InterfaceRemoved) once a side is gone, `XdpProgram` where its program was detached, `Io`.
    pub fn turn(&mut self) -> Result<bool> {
        // Both, even if the first fails.
        let there = self.a_to_b.advance(self.a.input(), self.b.output());
        let back = self.b_to_a.advance(self.b.input(), self.a.output());
        Ok(there? == Step::Moved || back? == Step::Moved)
    }

    /// A turn, after waiting for something to do for `timeout` at most; whether anything moved.
    ///
    /// # Errors
    ///
    /// As [`turn`](Self::turn).
    pub fn round(&mut self, timeout: Duration) -> Result<bool> {
        if self.turn()? {
            return Ok(true);
        }
        let mut idle = self.idle();
        idle.not_after(deadline_after(timeout));
        idle.wait(None)?;
        self.turn()
    }

    /// What to wait for after a turn in which nothing moved.
    pub fn idle(&mut self) -> WaitSet {
        let mut idle = WaitSet::default();
        idle.add(&self.a_to_b, self.a.input(), self.b.output());
        idle.add(&self.b_to_a, self.b.input(), self.a.output());
        idle
    }

    /// The counters of both directions, a to b first.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) where the kernel's counters cannot be read.
    pub fn stats(&mut self) -> Result<[DirectionStats; 2]> {
        let with = |stats: DirectionStats, kernel: CaptureStats| DirectionStats { kernel_drops: kernel.drops, ..stats };
        let (a, b) = (self.a.input().cumulative_stats()?, self.b.input().cumulative_stats()?);
        Ok([with(self.a_to_b.stats(), a), with(self.b_to_a.stats(), b)])
    }

    /// Whether [`take_rejections`](Self::take_rejections) has new errors: true once, then false until they
    /// were taken.
    pub fn take_unreported(&mut self) -> bool {
        // No short circuit: each direction notes that it was asked.
        self.a_to_b.take_unreported() | self.b_to_a.take_unreported()
    }

    /// Errors of refused frames, of each direction.
    pub fn take_rejections(&mut self) -> [Vec<Error>; 2] {
        [self.a_to_b.take_rejections(), self.b_to_a.take_rejections()]
    }

    /// Frees everything at once; frames under way are not sent.
    ///
    /// # Errors
    ///
    /// [`Mmap`](crate::ErrorKind::Mmap) where a ring's mapping cannot be replaced; everything else is freed all the same.
    pub fn close(mut self) -> Result<()> {
        self.a_to_b.abandon(self.a.input());
        self.b_to_a.abandon(self.b.input());
        let a = self.a.close();
        self.b.close().and(a)
    }
}
