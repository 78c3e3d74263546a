//! The kernel's verdicts: classic BPF on a socket, and the translation to eBPF by BPF_PROG_TEST_RUN. Both against the interpreter, which
//! tests/libpcap.rs compares with libpcap.
//!
//! Needs root for bpf(2); without it the XDP half is skipped by name.
#![expect(unsafe_code, reason = "socket options, bpf(2)")]

mod common;

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

use common::{Frame, expressions, frames};
use netring_filter::{EbpfInstruction, Filter, Instruction, LinkType, Options, System, Target, compile};

/// A pair of sockets; what the filter lets through arrives.
struct Pair {
    from: UnixDatagram,
    to: UnixDatagram,
}

impl Pair {
    fn new() -> Self {
        let (from, to) = UnixDatagram::pair().unwrap();
        to.set_nonblocking(true).unwrap();
        Self { from, to }
    }

    fn attach(&self, program: &[Instruction]) -> io::Result<()> {
        let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut().cast() };
        // SAFETY: `Instruction` has the layout of `struct sock_filter`, and the kernel copies the program before this returns.
        let status = unsafe {
            libc::setsockopt(
                self.to.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                (&raw const program).cast(),
                size_of_val(&program) as libc::socklen_t,
            )
        };
        if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn passes(&self, frame: &[u8]) -> bool {
        let mut buffer = [0; 4096];
        // A datagram that the filter refuses is an error to its sender.
        if let Err(error) = self.from.send(frame) {
            assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}");
        }
        self.to.recv(&mut buffer).is_ok()
    }
}

const PROG_LOAD: libc::c_long = 5;
const PROG_TEST_RUN: libc::c_long = 10;
const XDP: u32 = 6;
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// The head of `union bpf_attr` for BPF_PROG_LOAD.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    version: u32,
    flags: u32,
}

/// The head of `union bpf_attr` for BPF_PROG_TEST_RUN.
#[repr(C)]
#[derive(Default)]
struct TestRun {
    program: u32,
    verdict: u32,
    size_in: u32,
    size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    rest: [u64; 4],
}

fn bpf<T>(command: libc::c_long, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: each caller gives the head of `union bpf_attr` for its command, with pointers to memory that outlives the call.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}

fn load(program: &[EbpfInstruction]) -> Result<OwnedFd, String> {
    let license = c"GPL";
    let attempt = |log: &mut Vec<u8>| {
        bpf(
            PROG_LOAD,
            &mut Load {
                kind: XDP,
                count: program.len() as u32,
                instructions: program.as_ptr() as u64,
                license: license.as_ptr() as u64,
                log_level: u32::from(!log.is_empty()),
                log_size: log.len() as u32,
                log: if log.is_empty() { 0 } else { log.as_mut_ptr() as u64 },
                ..Load::default()
            },
        )
    };
    match attempt(&mut Vec::new()) {
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(fd) => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        Err(error) => {
            let mut log = vec![0; 1 << 20];
            let _ = attempt(&mut log);
            let text = String::from_utf8_lossy(&log);
            let text = text.trim_end_matches('\0');
            Err(format!("{error}: …{}", &text[text.len().saturating_sub(600)..]))
        }
    }
}

fn xdp_verdict(program: &OwnedFd, frame: &[u8]) -> io::Result<u32> {
    let mut run = TestRun {
        program: program.as_raw_fd() as u32,
        size_in: frame.len() as u32,
        data_in: frame.as_ptr() as u64,
        repeat: 1,
        ..TestRun::default()
    };
    bpf(PROG_TEST_RUN, &mut run)?;
    Ok(run.verdict)
}

fn filters(link_type: LinkType) -> Vec<Filter> {
    let mut options = Options::default();
    options.link_type = link_type;
    options.netmask = Some([255, 255, 255, 0].into());
    let resolver = System::read();
    let all = expressions::all();
    let filters: Vec<_> = all
        .iter()
        .map(String::as_str)
        .chain(["vxlan", "vxlan 5 and ip", "vxlan and tcp port 80", "vxlan and vlan 7", "byte 0 & 1", "byte 3 | 4"])
        .filter_map(|expression| compile(expression, &options, &resolver).ok())
        .filter(|filter| filter.check(Target::Socket).is_ok())
        .collect();
    assert!(filters.len() > 300);
    filters
}

/// Whole frames: the kernel's `len` is what it has.
fn whole(frames: Vec<Frame>) -> Vec<Frame> {
    frames.into_iter().filter(|frame| !frame.bytes.is_empty()).map(|frame| Frame::whole(frame.bytes)).collect()
}

fn socket(link_type: LinkType, frames: Vec<Frame>) {
    let pair = Pair::new();
    let frames = whole(frames);
    let filters = filters(link_type);
    let mut wrong = Vec::new();
    for filter in &filters {
        if let Err(error) = pair.attach(filter.program().instructions()) {
            wrong.push(format!("{}: {error}\n{filter}", filter.expression()));
            continue;
        }
        for frame in &frames {
            let ours = filter.matches(&frame.bytes, frame.length);
            if pair.passes(&frame.bytes) != ours {
                wrong.push(format!(
                    "{}: {:02x?}: the interpreter says {ours}\n{filter}",
                    filter.expression(),
                    frame.bytes
                ));
                break;
            }
        }
    }
    eprintln!("{link_type:?} on a socket: {} programs, {} frames", filters.len(), frames.len());
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

fn xdp(link_type: LinkType, frames: Vec<Frame>) {
    // BPF_PROG_TEST_RUN wants an Ethernet header's length at least.
    let frames: Vec<_> = whole(frames).into_iter().filter(|frame| frame.bytes.len() >= 14).collect();
    let tail = [EbpfInstruction::new(0xb4, 0, 0, 0, XDP_DROP as i32), EbpfInstruction::new(0x95, 0, 0, 0, 0)];
    let mut wrong = Vec::new();
    let filters = filters(link_type);
    let mut longest = 0;
    for filter in &filters {
        let program = filter.to_xdp(&tail).unwrap();
        longest = longest.max(program.len());
        let loaded = match load(&program) {
            Ok(loaded) => loaded,
            Err(error) => {
                wrong.push(format!("{}: {error}\n{filter}", filter.expression()));
                continue;
            }
        };
        for frame in &frames {
            let ours = if filter.matches(&frame.bytes, frame.length) { XDP_DROP } else { XDP_PASS };
            let theirs = xdp_verdict(&loaded, &frame.bytes).unwrap();
            if theirs != ours {
                wrong.push(format!("{}: {:02x?}: {theirs}, not {ours}\n{filter}", filter.expression(), frame.bytes));
                break;
            }
        }
    }
    eprintln!("{link_type:?} as XDP: {} programs, the longest {longest}, {} frames", filters.len(), frames.len());
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_socket_agrees() {
    socket(LinkType::Ethernet, frames::ethernet());
    socket(LinkType::Raw, frames::raw());
    socket(LinkType::LinuxSll2, frames::sll2());
}

/// The kernel takes the programs that ask for metadata too.
#[test]
fn live_programs_attach() {
    let pair = Pair::new();
    let mut options = Options::default();
    options.vlan = netring_filter::Vlan::Metadata;
    options.target = Target::Socket;
    let resolver = System::read();
    let mut attached = 0;
    for expression in
        expressions::all().iter().map(String::as_str).chain(["inbound", "ifindex 3 and vlan 5", "vxlan and vlan"])
    {
        if let Ok(filter) = compile(expression, &options, &resolver) {
            let result = pair.attach(filter.program().instructions());
            assert!(result.is_ok(), "{expression}: {result:?}\n{filter}");
            attached += 1;
        }
    }
    assert!(attached > 900, "{attached}");
}

fn may_load() -> bool {
    let tail = [EbpfInstruction::new(0xb4, 0, 0, 0, 2), EbpfInstruction::new(0x95, 0, 0, 0, 0)];
    let allowed = load(&tail).is_ok();
    if !allowed {
        eprintln!("skipped: bpf(2) needs CAP_BPF and CAP_NET_ADMIN, or root");
    }
    allowed
}

#[test]
fn xdp_agrees() {
    if may_load() {
        xdp(LinkType::Ethernet, frames::ethernet());
        xdp(LinkType::Raw, frames::raw());
    }
}

#[test]
fn long_programs_load() {
    if !may_load() {
        return;
    }
    let tail = [EbpfInstruction::new(0xb4, 0, 0, 0, XDP_DROP as i32), EbpfInstruction::new(0x95, 0, 0, 0, 0)];
    for count in [200, 1000] {
        let hosts: Vec<_> =
            (0..count).map(|n| format!("host 10.{}.{}.{}", n / 250, n * 13 % 251, n * 7 % 256)).collect();
        let filter = compile(&hosts.join(" or "), &Options::default(), &System::read()).unwrap();
        let pair = Pair::new();
        pair.attach(filter.program().instructions()).unwrap();
        let program = filter.to_xdp(&tail).unwrap();
        load(&program).unwrap();
        eprintln!("{count} hosts: {} instructions, {} for XDP", filter.program().instructions().len(), program.len());
    }
}

/// Programs that no compiler wrote: every instruction, and what stops a translation.
#[test]
fn raw_programs_are_translated() {
    if !may_load() {
        return;
    }
    let step = Instruction::new;
    let program = [
        step(0x80, 0),      // ld #pktlen
        step(0x07, 0),      // tax
        step(0x03, 3),      // stx M[3]
        step(0x14, 20),     // sub #20
        step(0x02, 4),      // st M[4]
        step(0x61, 4),      // ldx M[4]
        step(0x50, 0),      // ldb [x + 0]
        step(0x84, 0),      // neg
        step(0x3c, 0),      // div x
        step(0x20, 40_000), // ld [40000]
        step(0x16, 0),      // ret a
    ];
    let tail = [EbpfInstruction::new(0xb4, 0, 0, 0, XDP_DROP as i32), EbpfInstruction::new(0x95, 0, 0, 0, 0)];
    let loaded = load(&netring_filter::translate(&program, &tail).unwrap()).unwrap();
    assert_eq!(xdp_verdict(&loaded, &[7; 64]).unwrap(), XDP_PASS);
    let loaded = load(&netring_filter::translate(&[&program[..9], &program[10..]].concat(), &tail).unwrap()).unwrap();
    assert_eq!(xdp_verdict(&loaded, &[7; 64]).unwrap(), XDP_DROP);
}
