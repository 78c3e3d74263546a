//! Forwarding: two interfaces, both directions, without a copy.
//!
//! A [`Forwarder`] is one direction: it takes a batch out of the ring of one side and hands its frames to the socket of the
//! other, from where they lie. The batch goes back to the kernel when the last of them was taken. A [`Bridge`] is two
//! lanes between two [`Port`]s, one turn each at a time; a [`Runner`] lets it run on a thread of its own.

pub mod forwarder;
pub mod packet;
pub mod runner;
pub mod tx;
#[cfg(feature = "xdp")]
pub mod xdp;

mod retry;
mod stats;

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::forwarder::{Forwarder, Replacements, Step, Verdict, Wait};
pub use self::packet::{PacketPort, PacketTx, SideOptions};
pub use self::runner::Runner;
pub use self::stats::DirectionStats;
pub use self::tx::{FrameTx, TrySend};
use crate::error::{Error, ErrorKind, Result};
use crate::interface;
use crate::readiness::Readiness;
use crate::source::{Counters, LiveSource, Source};
use crate::stats::CaptureStats;
use crate::sys::deadline_after;
use crate::sys::poll::{self, Notifier};

/// How often to look at a side that does not tell what becomes of it by itself.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// One side of a bridge.
pub trait Port {
    /// What receives.
    type In: LiveSource;
    /// What sends.
    type Out: FrameTx;

    /// What receives.
    fn input(&mut self) -> &mut Self::In;
    /// What sends.
    fn output(&mut self) -> &mut Self::Out;
    /// Frees everything at once.
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
    /// Until then at most.
    pub fn not_after(&mut self, then: Instant) {
        self.until = Some(self.until.map_or(then, |until| until.min(then)));
    }

    /// What one direction waits for. A side whose batch is under way is not waited for: its ring may have been ready
    /// for long.
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
                // Should the buffer be emptied in a way that nobody is told of.
                self.not_after(Instant::now() + LOOK_EVERY);
            }
        }
    }

    /// Waits on this thread, for `notifier` as well.
    pub fn wait(&self, notifier: Option<&Notifier>) -> Result<()> {
        let descriptors: Vec<_> =
            self.on.iter().map(|readiness| readiness.as_fd()).chain(notifier.map(AsFd::as_fd)).collect();
        poll::readable(&descriptors, self.until)
            .map_err(|error| Error::os(ErrorKind::Io, "ppoll", &error, "the bridge cannot wait"))
    }
}

/// A bridge is between two interfaces.
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

/// Two sides and what is under way between them.
pub struct Bridge<P: Port> {
    a: P,
    b: P,
    a_to_b: Forwarder<BatchOf<P>>,
    b_to_a: Forwarder<BatchOf<P>>,
}

impl Bridge<PacketPort> {
    /// Opens two interfaces.
    pub fn open(a: &str, b: &str, a_options: SideOptions, b_options: SideOptions) -> Result<Self> {
        check_two(a, a_options.capture.namespace.as_deref(), b, b_options.capture.namespace.as_deref())?;
        // Both receive before either sends: what is sent on first is answered.
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

    /// One step of each direction; whether anything moved. Fails when a side is gone.
    pub fn turn(&mut self) -> Result<bool> {
        // Both, whatever becomes of the first.
        let there = self.a_to_b.advance(self.a.input(), self.b.output());
        let back = self.b_to_a.advance(self.b.input(), self.a.output());
        Ok(there? == Step::Moved || back? == Step::Moved)
    }

    /// A turn, after waiting for something to do for `timeout` at most; whether anything moved.
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
    pub fn stats(&mut self) -> Result<[DirectionStats; 2]> {
        let with = |stats: DirectionStats, kernel: CaptureStats| DirectionStats { kernel_drops: kernel.drops, ..stats };
        let (a, b) = (self.a.input().cumulative_stats()?, self.b.input().cumulative_stats()?);
        Ok([with(self.a_to_b.stats(), a), with(self.b_to_a.stats(), b)])
    }

    /// Whether somebody is to be told of [`take_rejections`](Self::take_rejections): once until they are taken.
    pub fn take_unreported(&mut self) -> bool {
        // Both are asked: either would otherwise tell again.
        self.a_to_b.take_unreported() | self.b_to_a.take_unreported()
    }

    /// Errors of refused frames, of each direction.
    pub fn take_rejections(&mut self) -> [Vec<Error>; 2] {
        [self.a_to_b.take_rejections(), self.b_to_a.take_rejections()]
    }

    /// Frees everything at once; what is under way is not sent.
    pub fn close(mut self) -> Result<()> {
        self.a_to_b.abandon(self.a.input());
        self.b_to_a.abandon(self.b.input());
        let a = self.a.close();
        self.b.close().and(a)
    }
}
