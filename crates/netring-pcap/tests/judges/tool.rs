//! Running other programs on files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder that goes with the test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("netring-pcap-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file of the folder, written.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left over in a temporary folder fails no test.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a program with what is piped into it; what it says on its two outputs, whatever its status.
pub fn try_run(program: &str, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // Times of day in what it prints.
    command.env("TZ", "UTC");
    let mut child = command.spawn().unwrap_or_else(|error| {
        panic!("{program}: {error}; run\n  apt-get install -y --no-install-recommends tshark tcpdump")
    });
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // A program that has seen enough closes its end.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// The same, for a program that has to succeed.
pub fn run(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let output = try_run(program, arguments, input);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {}: {errors}", output.status);
    output.stdout
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Fields of every packet, as tshark prints them.
pub fn tshark(path: &Path, fields: &[&str]) -> Vec<Vec<String>> {
    let mut arguments = vec!["-r", text(path), "-n", "-T", "fields", "-E", "occurrence=f", "-E", "separator=/t"];
    for field in fields {
        arguments.extend(["-e", field]);
    }
    let printed = String::from_utf8(run("tshark", &arguments, &[])).unwrap();
    printed.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}
