//! Any bytes as a block: see `netring_fuzz::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| netring_fuzz::run(input));
