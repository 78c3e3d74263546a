//! TCP options as kind and data, whatever their kind. etherparse's own iterator ends at the first that it does not
//! know.

/// End of the option list.
const END: u8 = 0;
/// Padding between options.
const NO_OPERATION: u8 = 1;

/// Calls `visit(kind, offset of the data, length of the data)` for each option, the one that ends the list included.
/// False where one leaves the header or has a length below 2; those before it have been visited.
#[inline]
pub(super) fn walk(options: &[u8], mut visit: impl FnMut(u8, usize, usize)) -> bool {
    let mut at = 0;
    while let Some(&kind) = options.get(at) {
        if kind == END || kind == NO_OPERATION {
            visit(kind, at + 1, 0);
            if kind == END {
                return true;
            }
            at += 1;
            continue;
        }
        let Some(&length) = options.get(at + 1) else { return false };
        let length = usize::from(length);
        if length < 2 || length > options.len() - at {
            return false;
        }
        visit(kind, at + 2, length - 2);
        at += length;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::walk;

    fn all(options: &[u8]) -> (Vec<(u8, usize, usize)>, bool) {
        let mut seen = Vec::new();
        let whole = walk(options, |kind, at, length| seen.push((kind, at, length)));
        (seen, whole)
    }

    #[test]
    fn options_are_visited_to_the_end_of_the_list() {
        assert_eq!(all(&[]), (vec![], true));
        assert_eq!(all(&[2, 4, 5, 180, 1, 4, 2]), (vec![(2, 2, 2), (1, 5, 0), (4, 7, 0)], true));
        assert_eq!(all(&[254, 3, 9, 0, 77, 77]), (vec![(254, 2, 1), (0, 4, 0)], true));
    }

    #[test]
    fn bad_lengths_end_the_walk() {
        assert_eq!(all(&[1, 8]), (vec![(1, 1, 0)], false));
        assert_eq!(all(&[8, 0]), (vec![], false));
        assert_eq!(all(&[8, 1]), (vec![], false));
        assert_eq!(all(&[8, 10, 0, 0]), (vec![], false));
    }
}
