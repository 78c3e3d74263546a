//! Errors on their way to JavaScript, where src/errors/native.ts makes a NetringError of them.

use netring::Error;
use netring::error::Rights;

/// Between the fields of an error's text.
pub(crate) const SEPARATOR: char = '\u{1f}';

/// Code, system call, errno, option, interface, the rights that are missing, and message in one text.
pub(crate) fn to_js(error: Error) -> napi::Error {
    let errno = error.errno.map(|errno| errno.to_string());
    let fields = [
        error.kind.code(),
        error.syscall.unwrap_or(""),
        errno.as_deref().unwrap_or(""),
        error.option.unwrap_or(""),
        error.interface.as_deref().unwrap_or(""),
        match error.needs {
            Some(Rights::Packet) => "packet",
            Some(Rights::Xdp) => "xdp",
            None => "",
        },
        &error.message,
    ];
    napi::Error::from_reason(fields.join(&SEPARATOR.to_string()))
}

/// Errors as texts for src/errors/native.ts.
pub(crate) fn texts(errors: Vec<Error>) -> Vec<String> {
    errors.into_iter().map(|error| to_js(error).reason).collect()
}

/// The error for an object that was closed meanwhile.
pub(crate) fn closed(what: &str) -> napi::Error {
    to_js(core_closed(what))
}

/// The same, for code that returns the core's errors.
pub(crate) fn core_closed(what: &str) -> Error {
    Error::new(netring::ErrorKind::Closed, format!("the {what} is closed; open another"))
}

/// The error for a batch or slot that was released.
pub(crate) fn released(what: &str) -> napi::Error {
    to_js(Error::new(
        netring::ErrorKind::Released,
        format!("the {what} has been given back; copy() what must live longer"),
    ))
}
