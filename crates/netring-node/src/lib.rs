//! Node-API binding of the `netring` core. It converts and holds no logic: the core implements
//! captures and injectors, and TypeScript implements the public API.
//!
//! Nothing here is public API; `index.d.ts` describes the seam between Rust and `src/*.ts`.

#![allow(missing_docs, reason = "napi-derive expands to undocumented items")]

pub mod affinity;
pub mod array;
pub mod bridge;
pub mod callback;
pub mod capture;
pub mod channel;
pub mod constants;
mod erased;
pub mod error;
mod events;
pub mod file;
pub mod file_writer;
pub mod filter;
pub mod forwarder;
pub mod interfaces;
pub mod options;
pub mod parse;
pub mod sink;
pub mod source;
pub mod view;
mod views;
pub mod xdp;

/// The version of this binary, which TypeScript compares with its own.
#[napi_derive::napi]
pub fn native_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
