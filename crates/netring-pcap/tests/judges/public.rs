//! Files of other projects, on request: `apt-get source libpcap tcpdump wireshark` brings some 800.

use std::path::{Path, PathBuf};

use crate::decode::{at_once, in_pieces};
use crate::naive::{self, End, Seen};
use crate::tool::{text, try_run};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            files(&path, found);
        } else if name.contains(".pcap") || name.ends_with(".cap") || name.ends_with(".ntar") {
            found.push(path);
        }
    }
}

/// Every file is read as the naive reader does, in pieces too; and has the packets, to the byte, that tcpdump copies out of
/// it, as far as tcpdump gets.
#[test]
#[ignore = "needs a folder of capture files in NETRING_CAPTURES"]
fn every_file_of_a_folder() {
    let folder = std::env::var_os("NETRING_CAPTURES").expect("NETRING_CAPTURES=folder");
    let mut found = Vec::new();
    files(Path::new(&folder), &mut found);
    let (mut whole, mut judged, mut differ) = (0, 0, 0);
    for path in &found {
        let file = std::fs::read(path).unwrap();
        let (seen, end) = at_once(&file);
        assert_eq!(naive::read(&file), (seen.clone(), end), "{path:?}");
        assert_eq!(in_pieces(&file, Default::default(), 64, 1021), (seen.clone(), end), "{path:?}");
        // A fraction past a second, as broken files have, overflows in another unit.
        let micros = matches!(file.first_chunk(), Some(b"\xa1\xb2\xc3\xd4" | b"\xd4\xc3\xb2\xa1"));
        let unit = if micros { "--time-stamp-precision=micro" } else { "--time-stamp-precision=nano" };
        let tcpdump = try_run("tcpdump", &["-r", text(path), "-w", "-", unit], &[]);
        let said = String::from_utf8_lossy(&tcpdump.stderr).into_owned();
        let said = said.lines().last().unwrap_or_default();
        let (copied, _) = at_once(&tcpdump.stdout);
        whole += u32::from(end == End::Cut(0));
        if tcpdump.status.success() != (end == End::Cut(0)) {
            println!("{path:?}: {end:?} after {} packets; tcpdump: {} packets, {said}", seen.len(), copied.len());
        } else {
            judged += 1;
        }
        if let Some((copy, packet)) = copied.iter().zip(&seen).find(|(copy, packet)| !alike(copy, packet)) {
            differ += 1;
            println!(
                "{path:?}: tcpdump copied {} of {} packets; other ones:\n{copy:?}\n{packet:?}",
                copied.len(),
                seen.len()
            );
        }
    }
    println!("{} files, {whole} whole, {judged} judged alike by tcpdump, {differ} with other packets", found.len());
    assert!(whole > 0 && differ == 0);
}

/// What pcap holds of a packet. libpcap cuts one that is longer than the file's snaplen, leaves a length on the wire below
/// the captured one as it is, has 32 bits for seconds, and writes other numbers for two old link types of ATM.
fn alike(copy: &Seen, packet: &Seen) -> bool {
    let link_type = match packet.link_type {
        11 => 100,
        19 => 106,
        other => other,
    };
    let told = |seen: &Seen| (seen.seconds as u32, seen.nanoseconds);
    let raised = packet.original as usize == packet.data.len() && copy.original < packet.original;
    let original = copy.original == packet.original || raised;
    link_type == copy.link_type && told(copy) == told(packet) && original && packet.data.starts_with(&copy.data)
}
