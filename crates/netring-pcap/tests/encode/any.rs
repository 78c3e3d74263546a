//! Any packets, in any format, are read back as they were written.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::encode;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_packets(input in vec(any::<u8>(), 0..600)) {
        encode::run(&input);
    }
}
