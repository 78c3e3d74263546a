//! The records in bytes that an encoder has made.

/// Block types of pcapng that begin a file: a section's header and an interface's description.
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
/// Bytes of pcap's file header, and of what is in front of a packet.
const PCAP_HEADER: usize = 24;
const PCAP_RECORD: usize = 16;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file begins with it.
    Head,
    Packet,
    Other,
}

/// How records follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    pcap: bool,
    /// The file header of pcap has been passed.
    begun: bool,
}

impl Walk {
    pub(super) fn new(pcap: bool, begun: bool) -> Self {
        Self { pcap, begun }
    }

    /// The length and kind of the record that `bytes` begin with; `None` where it is not whole.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Option<(usize, Kind)> {
        let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let (length, kind) = if !self.pcap {
            let kind = match word(0)? {
                SECTION_HEADER | INTERFACE_DESCRIPTION => Kind::Head,
                ENHANCED_PACKET => Kind::Packet,
                _ => Kind::Other,
            };
            (word(4)? as usize, kind)
        } else if self.begun {
            (PCAP_RECORD + word(8)? as usize, Kind::Packet)
        } else {
            (PCAP_HEADER, Kind::Head)
        };
        if bytes.len() < length {
            return None;
        }
        self.begun = true;
        Some((length, kind))
    }

    /// Bytes and packets of the whole records that `bytes` begin with.
    pub(super) fn whole(mut self, bytes: &[u8]) -> (usize, u64) {
        let (mut at, mut packets) = (0, 0);
        while let Some((length, kind)) = self.next(&bytes[at..]) {
            at += length;
            packets += u64::from(kind == Kind::Packet);
        }
        (at, packets)
    }
}

#[cfg(test)]
mod tests {
    use netring_pcap::{EncodeOptions, Encoder, Interface, LinkType, OutputFormat, PacketRecord};

    use super::*;

    fn records(format: OutputFormat) -> (Vec<u8>, Vec<usize>) {
        let interfaces = vec![Interface::new(LinkType::ETHERNET, 0)];
        let encoder = Encoder::new(EncodeOptions { format, ..EncodeOptions::default() }, interfaces).unwrap();
        let mut bytes = Vec::new();
        encoder.begin(&mut bytes);
        let mut ends = vec![bytes.len()];
        for length in [0, 1, 60, 61, 1514] {
            encoder.packet(&PacketRecord::new(&vec![7; length]), &mut bytes).unwrap();
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn cut_anywhere_whole_records_are_found() {
        for format in [OutputFormat::PcapNg, OutputFormat::PcapNanoseconds] {
            let (bytes, ends) = records(format);
            let walk = Walk::new(format != OutputFormat::PcapNg, false);
            for cut in ends[0]..=bytes.len() {
                let packets = ends[1..].iter().filter(|end| **end <= cut).count();
                assert_eq!(walk.whole(&bytes[..cut]), (ends[packets], packets as u64), "{format:?} {cut}");
            }
        }
    }
}
