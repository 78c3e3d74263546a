//! Node-API binding of the `netring` core. It converts and holds no logic: what a capture or an
//! injector does is in the core, what users see is in TypeScript.
//!
//! Nothing here is public API; `index.d.ts` describes the seam between Rust and `src/*.ts`.

#![allow(missing_docs, reason = "napi-derive expands to undocumented items")]

pub mod affinity;
pub mod bridge;
pub mod capture;
pub mod channel;
pub mod error;
pub mod injector;
pub mod interfaces;
pub mod lane;
mod lending;
pub mod lent;
pub mod options;
pub mod parse;
mod shared;
pub mod signal;
pub mod slots;
pub mod view;
mod waiting;
pub mod xdp;

/// The version that this binary was built as, by which the TypeScript part knows its own.
#[napi_derive::napi]
pub fn native_version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
