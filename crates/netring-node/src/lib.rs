//! Node-API binding of the `netring` core. It converts and holds no logic: what a capture or an
//! injector does is in the core, what users see is in TypeScript.
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

/// The version that this binary was built as, by which the TypeScript part knows its own.
#[napi_derive::napi]
pub fn native_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
