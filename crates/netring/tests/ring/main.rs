//! The ring logic against the fake kernel: with a correct kernel, with one that
//! corrupts headers, and random sequences of both against a model.

#[expect(unreachable_pub, reason = "the library of the fuzz crate, shared as a module")]
#[path = "../../fuzz/src/lib.rs"]
mod fuzz;
mod support;

mod batches;
mod columns;
mod corrupt;
mod corruption;
mod delivery;
mod holding;
mod model;
mod pages;
mod seeds;
mod stale;
mod vlan;
mod vnet;
