//! What can be wrong with an expression, and where.

use std::fmt;
use std::ops::Range;

/// Why an expression did not become a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// What kind of mistake it is, for programs.
    pub kind: FilterErrorKind,
    /// What is wrong, for people: one sentence without a full stop.
    pub message: String,
    /// Which bytes of the expression are meant.
    pub span: Range<usize>,
}

/// The kinds of [`FilterError`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterErrorKind {
    /// The expression is no sentence of the language, or a value is out of its range.
    Syntax,
    /// A service, protocol, network or Ethernet host that the resolver does not know, or a host that has no address of the
    /// family asked for.
    UnknownName(String),
    /// Host names that the resolver has not looked up. Look them all up and compile again with
    /// [`Resolved`](crate::Resolved).
    UnresolvedHosts(Vec<String>),
    /// Packets of this link type have nothing that the primitive could look at.
    LinkType,
    /// The program cannot run where it is meant to: see [`Target`](crate::Target).
    Target,
    /// No packet can match.
    RejectsAll,
    /// The program has more instructions than the kernel takes.
    TooLong {
        /// How many it has.
        instructions: usize,
        /// How many the target takes.
        limit: usize,
    },
    /// The expression needs more memory words than the machine has, or is nested too deeply.
    TooComplex,
}

impl FilterError {
    pub(crate) fn new(kind: FilterErrorKind, span: Range<usize>, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), span }
    }

    pub(crate) fn syntax(span: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(FilterErrorKind::Syntax, span, message)
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at {}..{})", self.message, self.span.start, self.span.end)
    }
}

impl std::error::Error for FilterError {}
