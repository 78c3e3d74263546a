//! Any bytes as a capture file: see `netring_pcap_fuzz::decode::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| netring_pcap_fuzz::decode::run(input));
