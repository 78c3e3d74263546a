//! Frames of every protocol that the language knows, made here, and cut and bent variants of them.

use super::Frame;

fn be16(number: u16) -> [u8; 2] {
    number.to_be_bytes()
}

fn cat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// An IPv4 packet with options that fill `words` more words, a fragment offset, and a payload.
fn ip4(proto: u8, src: [u8; 4], dst: [u8; 4], words: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let header = 20 + 4 * usize::from(words);
    let mut out = vec![0x45 + words, 0];
    out.extend(be16((header + payload.len()) as u16));
    out.extend([0x12, 0x34]);
    out.extend(be16(fragment));
    out.extend([64, proto, 0, 0]);
    out.extend(src);
    out.extend(dst);
    out.resize(header, 1);
    out.extend(payload);
    out
}

fn ip6(next: u8, src: [u8; 16], dst: [u8; 16], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x60, 0, 0, 0];
    out.extend(be16(payload.len() as u16));
    out.extend([next, 64]);
    out.extend(src);
    out.extend(dst);
    out.extend(payload);
    out
}

fn ports(src: u16, dst: u16, rest: &[u8]) -> Vec<u8> {
    cat(&[&be16(src), &be16(dst), rest])
}

fn tcp(src: u16, dst: u16, flags: u8) -> Vec<u8> {
    ports(src, dst, &[0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 0x20, 0, 0, 0, 0, 0, b'G', b'E', b'T', b' '])
}

fn udp(src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
    ports(src, dst, &cat(&[&be16(8 + payload.len() as u16), &[0, 0], payload]))
}

fn arp(src: [u8; 4], dst: [u8; 4]) -> Vec<u8> {
    cat(&[&[0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1], &src, &[0; 6], &dst])
}

pub const A4: [u8; 4] = [10, 0, 0, 1];
pub const B4: [u8; 4] = [192, 168, 1, 20];
pub const C4: [u8; 4] = [224, 0, 0, 5];
pub const D4: [u8; 4] = [10, 20, 30, 255];
const A6: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const B6: [u8; 16] = [0x20, 1, 0x0d, 0xb8, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6];
const C6: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// IPv4 packets.
fn ip4_packets() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for (src, dst) in [(A4, B4), (B4, A4), (A4, C4), (B4, D4), (D4, [255; 4]), ([10, 20, 30, 0], [10, 20, 30, 40])] {
        for (sport, dport, flags) in [(40000, 80, 0x02), (443, 50000, 0x12), (22, 21, 0x11), (1, 65535, 0x04)] {
            out.push(ip4(6, src, dst, 0, 0, &tcp(sport, dport, flags)));
        }
        out.push(ip4(6, src, dst, 3, 0x4000, &tcp(80, 8080, 0x18)));
        out.push(ip4(6, src, dst, 0, 0x2000, &tcp(80, 443, 0x10)));
        out.push(ip4(6, src, dst, 0, 0x00b9, &tcp(80, 443, 0x10)));
        out.push(ip4(17, src, dst, 0, 0, &udp(53, 33000, b"dns answer")));
        out.push(ip4(17, src, dst, 10, 0, &udp(123, 53, b"x")));
        out.push(ip4(17, src, dst, 0, 0x00b9, &udp(53, 53, b"")));
        out.push(ip4(132, src, dst, 0, 0, &ports(80, 5060, &[0; 12])));
        for (kind, code) in [(8, 0), (0, 0), (3, 4), (11, 0)] {
            out.push(ip4(1, src, dst, 0, 0, &[kind, code, 0, 0, 0, 1, 0, 2, 3, 4]));
        }
        for proto in [2, 9, 50, 51, 103, 112, 4, 41, 47] {
            out.push(ip4(proto, src, dst, 0, 0, &[0x21, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]));
        }
    }
    // An authentication header before TCP; one whose length says nothing.
    out.push(ip4(51, A4, B4, 0, 0, &cat(&[&[6, 4, 0, 0], &[0; 20], &tcp(80, 80, 2)])));
    out.push(ip4(51, A4, B4, 0, 0, &cat(&[&[51, 0, 0, 0], &[0; 8], &tcp(80, 80, 2)])));
    out
}

fn ip6_packets() -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    for (src, dst) in [(A6, B6), (B6, A6), (A6, C6)] {
        out.push(ip6(6, src, dst, &tcp(40000, 80, 0x02)));
        out.push(ip6(6, src, dst, &tcp(443, 50000, 0x12)));
        out.push(ip6(17, src, dst, &udp(53, 33000, b"dns answer")));
        out.push(ip6(17, src, dst, &udp(1000, 53, b"")));
        out.push(ip6(132, src, dst, &ports(80, 5060, &[0; 12])));
        for kind in [1, 2, 128, 129, 133, 134, 135, 136, 143] {
            out.push(ip6(58, src, dst, &[kind, 0, 0, 0, 0, 0, 0, 0]));
        }
        for next in [50, 51, 59, 103, 112] {
            out.push(ip6(next, src, dst, &[0x3b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
        }
        out.push(ip6(44, src, dst, &cat(&[&[6, 0, 0, 0, 0, 0, 0, 1], &tcp(80, 80, 2)])));
        out.push(ip6(44, src, dst, &cat(&[&[58, 0, 0, 0, 0, 0, 0, 1], &[135, 0, 0, 0]])));
        out.push(ip6(0, src, dst, &cat(&[&[60, 0, 1, 4, 0, 0, 0, 0], &[17, 0, 1, 4, 0, 0, 0, 0], &udp(53, 53, b"q")])));
        out.push(ip6(43, src, dst, &cat(&[&[6, 1, 0, 0], &[0; 12], &tcp(80, 80, 2)])));
        out.push(ip6(51, src, dst, &cat(&[&[6, 4, 0, 0], &[0; 20], &tcp(80, 80, 2)])));
    }
    out
}

const TO: [u8; 6] = [0, 1, 2, 3, 4, 5];
const FROM: [u8; 6] = [0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];

fn ether(dst: [u8; 6], src: [u8; 6], kind: u16, payload: &[u8]) -> Vec<u8> {
    cat(&[&dst, &src, &be16(kind), payload])
}

fn tagged(tags: &[(u16, u16)], kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = cat(&[&TO, &FROM]);
    for (tpid, tag) in tags {
        out.extend(be16(*tpid));
        out.extend(be16(*tag));
    }
    out.extend(be16(kind));
    out.extend(payload);
    out
}

fn llc(payload: &[u8]) -> Vec<u8> {
    ether([1, 0x80, 0xc2, 0, 0, 0], FROM, payload.len() as u16, payload)
}

/// A label; `bottom` for the last.
fn label(number: u32, bottom: bool) -> [u8; 4] {
    (number << 12 | u32::from(bottom) << 8 | 64).to_be_bytes()
}

fn tunnels() -> Vec<Vec<u8>> {
    let inner = ether([2; 6], [4; 6], 0x0800, &ip4(6, A4, B4, 0, 0, &tcp(1234, 80, 2)));
    let inner_tag = tagged(&[(0x8100, 7)], 0x86dd, &ip6(17, A6, B6, &udp(53, 53, b"")));
    let mut out = Vec::new();
    for (flags, options) in [(0u8, 0usize), (2, 8), (0x40, 0)] {
        for (kind, payload) in
            [(0x6558, inner.clone()), (0x6558, inner_tag.clone()), (0x0800, ip4(17, B4, A4, 0, 0, &udp(53, 9, b"")))]
        {
            let header = cat(&[&[flags, 0], &be16(kind), &[0, 0, 5, 0], &vec![0; options], &payload]);
            out.push(ether(TO, FROM, 0x0800, &ip4(17, A4, B4, 0, 0, &udp(9999, 6081, &header))));
            out.push(ether(TO, FROM, 0x0800, &ip4(17, A4, B4, 2, 0, &udp(9999, 6081, &header))));
            out.push(ether(TO, FROM, 0x86dd, &ip6(17, A6, B6, &udp(9999, 6081, &header))));
            out.push(tagged(&[(0x8100, 9)], 0x0800, &ip4(17, A4, B4, 0, 0, &udp(9999, 6081, &header))));
        }
    }
    for payload in [inner, inner_tag] {
        let header = cat(&[&[8, 0, 0, 0, 0, 0, 5, 0], &payload]);
        out.push(ether(TO, FROM, 0x0800, &ip4(17, A4, B4, 0, 0, &udp(9999, 4789, &header))));
        out.push(ether(TO, FROM, 0x86dd, &ip6(17, A6, B6, &udp(9999, 4789, &header))));
    }
    out
}

/// Ethernet frames.
pub fn ethernet() -> Vec<Frame> {
    let mut out = Vec::new();
    for packet in ip4_packets() {
        out.push(ether(TO, FROM, 0x0800, &packet));
    }
    for packet in ip6_packets() {
        out.push(ether(TO, FROM, 0x86dd, &packet));
    }
    for (src, dst) in [(A4, B4), (B4, D4), (D4, A4)] {
        out.push(ether([0xff; 6], FROM, 0x0806, &arp(src, dst)));
        out.push(ether([0xff; 6], TO, 0x8035, &arp(src, dst)));
    }
    let ip = ip4(17, A4, B4, 0, 0, &udp(53, 5353, b"abc"));
    let six = ip6(6, A6, B6, &tcp(80, 443, 2));
    for tags in [
        &[(0x8100, 5)][..],
        &[(0x8100, 0x6005)],
        &[(0x88a8, 100)],
        &[(0x9100, 300)],
        &[(0x8100, 5), (0x8100, 200)],
        &[(0x88a8, 100), (0x8100, 5)],
        &[(0x8100, 1), (0x8100, 2), (0x8100, 3)],
    ] {
        out.push(tagged(tags, 0x0800, &ip));
        out.push(tagged(tags, 0x86dd, &six));
        out.push(tagged(tags, 0x0806, &arp(A4, B4)));
        out.push(tagged(tags, 12, &[0xfe, 0xfe, 3, 0x83, 0, 0, 0, 15, 0, 0, 0, 0]));
    }
    out.push(ether(TO, FROM, 0x8847, &cat(&[&label(100_000, true), &ip])));
    out.push(ether(TO, FROM, 0x8847, &cat(&[&label(100_000, false), &label(1024, true), &ip])));
    out.push(ether(TO, FROM, 0x8847, &cat(&[&label(1024, true), &six])));
    out.push(tagged(&[(0x8100, 5)], 0x8847, &cat(&[&label(1024, true), &ip])));
    out.push(ether(TO, FROM, 0x8863, &[0x11, 9, 0, 0, 0, 0]));
    for (session, proto, packet) in [(1u16, 0x0021u16, &ip), (39, 0x0057, &six), (39, 0xc021, &vec![1, 2, 3, 4])] {
        let header = cat(&[&[0x11, 0], &be16(session), &be16(2 + packet.len() as u16), &be16(proto), packet]);
        out.push(ether(TO, FROM, 0x8864, &header));
        out.push(tagged(&[(0x8100, 5)], 0x8864, &header));
    }
    let mpls_in_ppp = cat(&[&[0x11, 0, 0, 1, 0, 40], &be16(0x0281), &label(1024, true), &ip]);
    out.push(ether(TO, FROM, 0x8864, &mpls_in_ppp));
    for pdu in [15, 16, 17, 18, 20, 24, 25, 26, 27, 99] {
        out.push(llc(&[0xfe, 0xfe, 3, 0x83, 0x1b, 1, 0, pdu, 1, 0, 0]));
    }
    out.push(llc(&[0xfe, 0xfe, 3, 0x82, 9, 0, 0, 0, 0]));
    out.push(llc(&[0xfe, 0xfe, 3, 0x81, 9, 0, 0, 0, 0]));
    out.push(llc(&[0x42, 0x42, 3, 0, 0, 0, 0, 0]));
    out.push(llc(&[0xe0, 0xe0, 3, 0xff, 0xff, 0, 30, 0]));
    out.push(llc(&[0xff, 0xff, 0, 30, 0, 0, 0, 0]));
    out.push(llc(&[0xf0, 0xf0, 3, 0, 0, 0, 0, 0]));
    out.push(llc(&[0x06, 0x06, 3, 0x45, 0, 0, 0, 0]));
    for control in [0x01, 0x05, 0x09, 0x00, 0x63, 0x43, 0x0f, 0x6f, 0xe3, 0xaf, 0x87, 0xbf] {
        out.push(llc(&[0x04, 0x05, control, 0, 0, 0, 0, 0, 0]));
    }
    out.push(llc(&[0xaa, 0xaa, 3, 8, 0, 7, 0x80, 0x9b, 0, 0, 0]));
    out.push(llc(&[0xaa, 0xaa, 3, 0, 0, 0, 0x80, 0xf3, 0, 0, 0]));
    out.push(llc(&[0xaa, 0xaa, 3, 0, 0, 0, 0x81, 0x37, 0, 0, 0]));
    out.push(llc(&[0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0x00, 0x45, 0, 0]));
    for kind in [0x809b, 0x80f3, 0x8137, 0x6001, 0x6002, 0x6004, 0x6007, 0x9000, 0x88cc, 0x1234] {
        out.push(ether([1, 0, 0x5e, 0, 0, 1], FROM, kind, &[7; 30]));
    }
    // DECnet: short and long headers, with a byte of padding and without.
    let short = [0x02, 0x02, 0x04, 0x03, 0x08, 0, 0, 0, 0, 0, 0, 0];
    let long = [0x06, 0, 0, 0xaa, 0, 4, 0, 2, 4, 0, 0, 0xaa, 0, 4, 0, 3, 8, 0, 0, 0, 0, 0];
    for header in [&short[..], &long[..]] {
        out.push(ether(TO, FROM, 0x6003, &cat(&[&[20, 0], header, &[0; 8]])));
        out.push(ether(TO, FROM, 0x6003, &cat(&[&[20, 0, 0x81], header, &[0; 8]])));
    }
    out.extend(tunnels());
    let mut frames: Vec<_> = out.into_iter().map(Frame::whole).collect();
    variants(&mut frames);
    frames
}

/// Cut frames, longer originals, and noise.
fn variants(frames: &mut Vec<Frame>) {
    let mut random = 0x1234_5678_9abc_def1u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for at in (0..frames.len()).step_by(7) {
        let frame = frames[at].clone();
        for _ in 0..3 {
            let length = next() as usize % (frame.bytes.len() + 1);
            frames.push(Frame { bytes: frame.bytes[..length].to_vec(), length: frame.length });
        }
        let mut bent = frame.clone();
        for _ in 0..3 {
            let place = next() as usize % bent.bytes.len();
            bent.bytes[place] = next() as u8;
        }
        frames.push(bent);
        frames.push(Frame { length: 1514, ..frame });
    }
    frames.push(Frame::whole(Vec::new()));
    frames.push(Frame::whole(vec![0x45]));
    frames.push(Frame::whole((0..600).map(|_| next() as u8).collect()));
}

/// Packets that begin with their IP header.
pub fn raw() -> Vec<Frame> {
    let mut frames: Vec<_> = ip4_packets().into_iter().chain(ip6_packets()).map(Frame::whole).collect();
    variants(&mut frames);
    frames
}

fn behind(header: impl Fn(u16) -> Vec<u8>) -> Vec<Frame> {
    let mut frames: Vec<_> = Vec::new();
    for (kind, packets) in [(0x0800, ip4_packets()), (0x86dd, ip6_packets())] {
        frames.extend(packets.iter().map(|packet| Frame::whole(cat(&[&header(kind), packet]))));
    }
    for (kind, payload) in [
        (0x0806, arp(A4, B4)),
        (0x8035, arp(B4, A4)),
        (4, vec![0xfe, 0xfe, 3, 0x83, 0, 0, 0, 15, 0]),
        (4, vec![0x42, 0x42, 3, 0, 0, 0, 0, 0]),
        (4, vec![0xe0, 0xe0, 3, 0, 0, 0, 0, 0]),
        (4, vec![0xaa, 0xaa, 3, 8, 0, 7, 0x80, 0x9b, 0, 0, 0]),
        (1, vec![0xff, 0xff, 0, 30, 0, 0]),
        (0x8863, vec![0x11, 9, 0, 0]),
        (0x8100, cat(&[&[0, 5, 8, 0], &ip4(6, A4, B4, 0, 0, &tcp(80, 80, 2))])),
        (0x8864, cat(&[&[0x11, 0, 0, 1, 0, 0, 0, 0x21], &ip4(6, A4, B4, 0, 0, &tcp(80, 80, 2))])),
    ] {
        frames.push(Frame::whole(cat(&[&header(kind), &payload])));
    }
    variants(&mut frames);
    frames
}

/// Linux cooked capture: incoming, and outgoing for IPv6.
pub fn sll() -> Vec<Frame> {
    behind(|kind| {
        let direction = if kind == 0x86dd { 4 } else { 0 };
        cat(&[&be16(direction), &be16(1), &be16(6), &FROM, &[0, 0], &be16(kind)])
    })
}

/// The same of version 2.
pub fn sll2() -> Vec<Frame> {
    behind(|kind| {
        let direction = if kind == 0x86dd { 4 } else { 0 };
        cat(&[&be16(kind), &[0, 0, 0, 0, 0, 3, 0, 1, direction, 6], &FROM, &[0, 0]])
    })
}

/// The loopbacks of the BSDs, with all families in either byte order.
pub fn loopback() -> Vec<Frame> {
    let mut frames = Vec::new();
    for (at, packet) in ip4_packets().iter().enumerate() {
        let family = if at % 2 == 0 { 2u32.to_le_bytes() } else { 2u32.to_be_bytes() };
        frames.push(Frame::whole(cat(&[&family, packet])));
    }
    for (at, packet) in ip6_packets().iter().enumerate() {
        let family = [10u32, 24, 28, 30][at % 4];
        frames.push(Frame::whole(cat(&[&family.to_le_bytes(), packet])));
        frames.push(Frame::whole(cat(&[&family.to_be_bytes(), packet])));
    }
    variants(&mut frames);
    frames
}
