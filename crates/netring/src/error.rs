//! One error type: what went wrong, where, and how to mend it.

use std::fmt;
use std::io;

/// The kinds of errors that a caller can distinguish. Each kind has one stable code in JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The process lacks a capability (CAP_NET_RAW, CAP_NET_ADMIN, CAP_SYS_ADMIN).
    Permission,
    /// No interface of that name in the network namespace.
    InterfaceNotFound,
    /// Options that do not fit together or that this kernel refuses.
    Config,
    /// The packet socket could not be made.
    Socket,
    /// The ring could not be mapped.
    Mmap,
    /// The socket could not be bound to the interface.
    Bind,
    /// A socket option was refused.
    SockOpt,
    /// Any other failure of the operating system.
    Io,
    /// The interface is administratively down.
    LinkDown,
    /// The interface was deleted or moved to another network namespace.
    InterfaceRemoved,
    /// The object was closed.
    Closed,
    /// The batch or slot was given back.
    Released,
    /// A filter program was refused.
    Filter,
    /// A frame cannot be sent as it is.
    Frame,
    /// The XDP program could not be made or attached, or another one is in its place.
    XdpProgram,
    /// This kernel or runtime cannot do it.
    Unsupported,
}

impl ErrorKind {
    /// A stable code, the one that JavaScript sees.
    pub fn code(self) -> &'static str {
        match self {
            Self::Permission => "ERR_NETRING_PERMISSION",
            Self::InterfaceNotFound => "ERR_NETRING_INTERFACE_NOT_FOUND",
            Self::Config => "ERR_NETRING_CONFIG",
            Self::Socket => "ERR_NETRING_SOCKET",
            Self::Mmap => "ERR_NETRING_MMAP",
            Self::Bind => "ERR_NETRING_BIND",
            Self::SockOpt => "ERR_NETRING_SOCKOPT",
            Self::Io => "ERR_NETRING_IO",
            Self::LinkDown => "ERR_NETRING_LINK_DOWN",
            Self::InterfaceRemoved => "ERR_NETRING_INTERFACE_REMOVED",
            Self::Closed => "ERR_NETRING_CLOSED",
            Self::Released => "ERR_NETRING_RELEASED",
            Self::Filter => "ERR_NETRING_FILTER",
            Self::Frame => "ERR_NETRING_FRAME",
            Self::XdpProgram => "ERR_NETRING_XDP_PROGRAM",
            Self::Unsupported => "ERR_NETRING_UNSUPPORTED",
        }
    }
}

/// An error, with the system call, errno and option that caused it, if any.
#[derive(Clone, Debug)]
pub struct Error {
    /// What went wrong, in the caller's terms.
    pub kind: ErrorKind,
    /// A sentence that names the value and says how to mend it. Options stand in backticks, by their Rust names.
    pub message: String,
    /// The system call that failed.
    pub syscall: Option<&'static str>,
    /// Its errno.
    pub errno: Option<i32>,
    /// The socket option, on [`ErrorKind::SockOpt`].
    pub option: Option<&'static str>,
    /// The interface concerned.
    pub interface: Option<String>,
    /// The rights that the process lacks, on [`ErrorKind::Permission`].
    pub needs: Option<Rights>,
}

/// The rights that an operation needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Packet sockets.
    Packet,
    /// XDP programs and AF_XDP sockets, in the first user namespace.
    Xdp,
}

impl Rights {
    /// The capabilities that grant these rights, capabilities(7).
    pub fn capabilities(self) -> &'static [&'static str] {
        match self {
            Self::Packet => &["CAP_NET_RAW"],
            Self::Xdp => &["CAP_NET_RAW", "CAP_NET_ADMIN", "CAP_BPF"],
        }
    }
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error that no system call caused.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), syscall: None, errno: None, option: None, interface: None, needs: None }
    }

    /// An error of a system call. EPERM and EACCES become [`ErrorKind::Permission`] whatever
    /// `kind` says, because the cure is the same.
    pub fn os(kind: ErrorKind, syscall: &'static str, source: &io::Error, message: impl fmt::Display) -> Self {
        let errno = source.raw_os_error();
        let denied = matches!(errno, Some(libc::EPERM | libc::EACCES));
        let rights = if kind == ErrorKind::XdpProgram { Rights::Xdp } else { Rights::Packet };
        Self {
            kind: if denied { ErrorKind::Permission } else { kind },
            message: format!("{message}: {syscall}: {}", describe(source)),
            syscall: Some(syscall),
            errno,
            option: None,
            interface: None,
            needs: denied.then_some(rights),
        }
    }

    /// A refused socket option.
    pub fn sockopt(option: &'static str, source: &io::Error, message: impl fmt::Display) -> Self {
        Self {
            option: Some(option),
            ..Self::os(ErrorKind::SockOpt, "setsockopt", source, format_args!("{option}: {message}"))
        }
    }

    /// Names the interface, in the field and nowhere else: messages are written by the callers.
    #[must_use]
    pub fn on_interface(mut self, name: &str) -> Self {
        self.interface = Some(name.to_owned());
        self
    }
}

/// `strerror` without Rust's " (os error N)"; the number has a field of its own.
fn describe(source: &io::Error) -> String {
    let text = source.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.needs {
            Some(rights) => write!(f, " (it needs {})", rights.capabilities().join(", ")),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_calls_say_what_they_need() {
        let denied = io::Error::from_raw_os_error(libc::EPERM);
        let error = Error::os(ErrorKind::Socket, "socket", &denied, "cannot open a packet socket");
        assert_eq!((error.kind, error.needs), (ErrorKind::Permission, Some(Rights::Packet)));
        assert_eq!(error.errno, Some(libc::EPERM));
        let text = error.to_string();
        assert!(text.ends_with("(it needs CAP_NET_RAW)") && !text.contains("os error"), "{text}");
        let error = Error::os(ErrorKind::XdpProgram, "bpf", &denied, "cannot load the XDP program");
        assert_eq!((error.kind, error.needs), (ErrorKind::Permission, Some(Rights::Xdp)));
        assert!(error.to_string().contains("CAP_BPF"), "{error}");
    }

    #[test]
    fn options_are_named() {
        let invalid = io::Error::from_raw_os_error(libc::EINVAL);
        let error = Error::sockopt("PACKET_RESERVE", &invalid, "4 bytes");
        assert_eq!(error.kind, ErrorKind::SockOpt);
        assert_eq!(error.option, Some("PACKET_RESERVE"));
        assert_eq!(error.kind.code(), "ERR_NETRING_SOCKOPT");
    }
}
