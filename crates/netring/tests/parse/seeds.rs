//! The seeds of the fuzz target `parse`: the sound frames.
//!
//! `NETRING_WRITE_SEEDS=1 cargo test -p netring --test parse seeds` writes them anew.

use std::path::PathBuf;

use crate::frames::sound;
use crate::fuzz::run;

#[test]
fn seeds_are_the_sound_frames() {
    let directory: PathBuf = [env!("CARGO_MANIFEST_DIR"), "fuzz", "seeds", "parse"].iter().collect();
    let write = std::env::var_os("NETRING_WRITE_SEEDS").is_some();
    for (name, frame) in sound() {
        let path = directory.join(name.replace(' ', "_"));
        let bytes = [&[0, 0], &frame[..]].concat();
        if write {
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(&path, &bytes).unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name}: see the top of this file");
        run(&bytes);
    }
    assert_eq!(std::fs::read_dir(directory).unwrap().count(), sound().len(), "no seed without a maker");
}
