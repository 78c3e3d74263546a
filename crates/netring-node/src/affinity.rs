//! CPU affinity of threads.

use napi::Result;
use napi_derive::napi;
use netring::affinity;

use crate::error::to_js;

/// The CPUs that this thread may use.
#[napi]
pub fn native_allowed_cpus() -> Result<Vec<u32>> {
    affinity::allowed_cpus().map_err(to_js)
}

/// Pins this thread to one CPU.
#[napi]
pub fn native_pin_thread(cpu: u32) -> Result<()> {
    affinity::pin_thread(cpu).map_err(to_js)
}
