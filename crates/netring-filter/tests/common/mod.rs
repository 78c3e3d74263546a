//! What the tests share: libpcap as the oracle, frames, expressions.
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

pub mod expressions;
pub mod frames;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// A frame, and its length on the wire where that is more than what was captured.
#[derive(Clone, Debug)]
pub struct Frame {
    pub bytes: Vec<u8>,
    pub length: u32,
}

impl Frame {
    pub fn whole(bytes: Vec<u8>) -> Self {
        let length = bytes.len() as u32;
        Self { bytes, length }
    }
}

/// What libpcap says of an expression.
#[derive(Clone, Debug)]
pub enum Answer {
    Refused(String),
    Program { unoptimised: usize, optimised: usize, verdicts: Vec<bool> },
}

/// The oracle, built once for all tests.
pub fn oracle() -> &'static PathBuf {
    static ORACLE: OnceLock<PathBuf> = OnceLock::new();
    ORACLE.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/oracle.c");
        let output = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle-{}", std::process::id()));
        let status = Command::new("cc").args(["-O2", "-Wall", "-o"]).arg(&output).args([source, "-lpcap"]).status();
        assert!(
            status.is_ok_and(|status| status.success()),
            "the oracle needs a C compiler and libpcap's header: apt-get install -y gcc libc6-dev libpcap-dev"
        );
        output
    })
}

pub fn scratch(name: &str, contents: &[u8]) -> PathBuf {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}-{number}", std::process::id()));
    std::fs::write(&path, contents).unwrap();
    path
}

pub fn frames_file(frames: &[Frame]) -> PathBuf {
    let mut data = Vec::new();
    for frame in frames {
        data.extend((frame.bytes.len() as u32).to_ne_bytes());
        data.extend(frame.length.to_ne_bytes());
        data.extend(&frame.bytes);
    }
    scratch("frames", &data)
}

pub fn run_oracle(arguments: &[&str]) -> String {
    let output = Command::new(oracle()).args(arguments).output().unwrap();
    assert!(output.status.success(), "oracle {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// libpcap's verdicts for all expressions and frames.
pub fn ask(link_type: u32, expressions: &[String], frames: &[Frame]) -> Vec<Answer> {
    let frames = frames_file(frames);
    let list = scratch("expressions", expressions.join("\n").as_bytes());
    // DLT_RAW is 12 where LINKTYPE_RAW is 101.
    let dlt = if link_type == 101 { 12 } else { link_type };
    let out = run_oracle(&["verdicts", &dlt.to_string(), frames.to_str().unwrap(), list.to_str().unwrap()]);
    let _ = (std::fs::remove_file(frames), std::fs::remove_file(list));
    let answers: Vec<_> = out.lines().map(answer).collect();
    assert_eq!(answers.len(), expressions.len());
    answers
}

fn answer(line: &str) -> Answer {
    if let Some(message) = line.strip_prefix("! ") {
        return Answer::Refused(message.to_owned());
    }
    let mut parts = line.split(' ');
    let mut number = || parts.next().unwrap().parse().unwrap();
    let (unoptimised, optimised) = (number(), number());
    Answer::Program { unoptimised, optimised, verdicts: parts.next().unwrap().bytes().map(|bit| bit == b'1').collect() }
}
