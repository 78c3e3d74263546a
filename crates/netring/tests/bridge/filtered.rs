//! A filter in a bridge's direction.

use netring::bridge::{Bridge, FrameTx, Runner, TrySend};
use netring::filter::{Expression, Filter};
use netring::ring::{VolatileSlice, vnet};

use crate::support::{Network, counted, receive, until};

/// A frame of an ethertype that nobody uses, in VLAN `vlan` if that is not 0.
fn frame(number: u8, vlan: u16) -> Vec<u8> {
    let mut bytes = vec![0; vnet::BYTES as usize];
    bytes.extend([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    if vlan != 0 {
        bytes.extend([0x81, 0, (vlan >> 8) as u8, vlan as u8]);
    }
    bytes.extend([0x88, 0xb5, number]);
    bytes.resize(bytes.len() + 60, 0);
    bytes
}

pub(crate) fn what_does_not_match_is_dropped_and_counted() {
    let network = Network::new();
    let mut bridge = Bridge::open("vb", "wa", network.side(), network.side()).unwrap();
    let filter: Filter = Expression::new("vlan 5 and ether[18] & 1 = 1").into();
    bridge.set_filters([Some(&filter), None]).unwrap();
    let wrong: Filter = Expression::new("inbound").into();
    assert!(bridge.set_filters([None, Some(&wrong)]).is_err(), "a bridge looks at bytes");
    let mut runner = Runner::new(bridge).unwrap();
    runner.start(|_| ()).unwrap();
    let mut far = network.capture("wb");
    let frames: Vec<_> = (0..30).map(|n| frame(n, [0, 5, 6][usize::from(n) % 3])).collect();
    let mut tx = network.tx("va");
    for frame in &frames {
        let sent = tx.try_send(std::iter::once(VolatileSlice::from(frame.as_slice()))).unwrap();
        assert!(matches!(sent, TrySend::Taken(1)), "{sent:?}");
    }
    let expected: Vec<_> = (0..30).filter(|n| n % 3 == 1 && n % 2 == 1).collect();
    let seen = receive(&mut far, expected.len());
    assert_eq!(seen.iter().map(|seen| seen.bytes[18]).collect::<Vec<_>>(), expected);
    let stats = counted(&runner, |stats| stats.received == 30 && stats.pending == 0);
    assert_eq!((stats.forwarded, stats.dropped), (5, 25));
    let reply = frame(99, 0);
    let sent = network.tx("wb").try_send(std::iter::once(VolatileSlice::from(reply.as_slice()))).unwrap();
    assert!(matches!(sent, TrySend::Taken(1)), "{sent:?}");
    let back = || runner.with(|bridge| bridge.stats()).unwrap()[1];
    until(|| back().forwarded == 1);
    assert_eq!(back().dropped, 0, "the other direction has none");
}
