//! Anything at all, and sound frames with some bytes changed.

use proptest::prelude::*;

use crate::frames::sound;
use crate::fuzz::check;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_bytes(packet in proptest::collection::vec(any::<u8>(), 0..200), missing in 0u32..2000) {
        check(&packet, missing);
    }

    #[test]
    fn changed_frames(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
        whole in any::<bool>(),
        missing in prop_oneof![Just(0), 0u32..2000],
    ) {
        let frames = sound();
        let (_, mut frame) = frames[which.index(frames.len())].clone();
        for (at, value) in changes {
            let at = at.index(frame.len());
            frame[at] = value;
        }
        if !whole {
            frame.truncate(cut.index(frame.len() + 1));
        }
        check(&frame, missing);
    }
}
