//! Processors of threads.

use napi::Result;
use napi_derive::napi;
use netring::affinity;

use crate::error::to_js;

/// The processors that this thread may use, by number.
#[napi]
pub fn native_allowed_cpus() -> Result<Vec<u32>> {
    affinity::allowed_cpus().map_err(to_js)
}

/// From now on this thread runs on one processor only.
#[napi]
pub fn native_pin_thread(cpu: u32) -> Result<()> {
    affinity::pin_thread(cpu).map_err(to_js)
}
