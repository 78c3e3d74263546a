//! Any packets through the encoder and back: see `netring_pcap_fuzz::encode::run`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| netring_pcap_fuzz::encode::run(input));
