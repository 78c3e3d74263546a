//! Fanout: several sockets that share the packets of one interface, packet(7).

use std::os::fd::RawFd;

use crate::error::{Error, ErrorKind, Result};
use crate::filter::{self, Instruction};
use crate::sys::packet::PacketSocket;

/// How the group picks a member for a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of packet(7)")]
pub enum FanoutMode {
    Hash,
    LoadBalance,
    Cpu,
    Rollover,
    Random,
    QueueMapping,
    Cbpf,
    Ebpf,
}

/// The program of the modes `Cbpf` and `Ebpf`: it returns the member's number.
#[derive(Clone, Debug)]
pub enum FanoutProgram {
    /// Classic BPF.
    Classic(Vec<Instruction>),
    /// The descriptor of a loaded eBPF program of type BPF_PROG_TYPE_SOCKET_FILTER.
    Ebpf(RawFd),
}

/// A group to join.
#[derive(Clone, Debug)]
pub struct Fanout {
    /// How the group picks a member.
    pub mode: FanoutMode,
    /// The group's id, or `None` for an unused id that the kernel picks.
    pub group: Option<u16>,
    /// Pick the next member when one has no room.
    pub rollover: bool,
    /// Reassemble IP fragments first, so that they hash alike.
    pub defrag: bool,
    /// Skip packets that this host sends.
    pub ignore_outgoing: bool,
    /// The program of modes `Cbpf` and `Ebpf`.
    pub program: Option<FanoutProgram>,
}

/// Joins a group, after bind(2), and returns the group's id.
pub fn join(socket: &PacketSocket, fanout: &Fanout) -> Result<u16> {
    let mode = match fanout.mode {
        FanoutMode::Hash => libc::PACKET_FANOUT_HASH,
        FanoutMode::LoadBalance => libc::PACKET_FANOUT_LB,
        FanoutMode::Cpu => libc::PACKET_FANOUT_CPU,
        FanoutMode::Rollover => libc::PACKET_FANOUT_ROLLOVER,
        FanoutMode::Random => libc::PACKET_FANOUT_RND,
        FanoutMode::QueueMapping => libc::PACKET_FANOUT_QM,
        FanoutMode::Cbpf => libc::PACKET_FANOUT_CBPF,
        FanoutMode::Ebpf => libc::PACKET_FANOUT_EBPF,
    };
    let flags = [
        (fanout.rollover, libc::PACKET_FANOUT_FLAG_ROLLOVER),
        (fanout.defrag, libc::PACKET_FANOUT_FLAG_DEFRAG),
        (fanout.group.is_none(), libc::PACKET_FANOUT_FLAG_UNIQUEID),
        (fanout.ignore_outgoing, libc::PACKET_FANOUT_FLAG_IGNORE_OUTGOING),
    ];
    let kind = flags.iter().filter(|(set, _)| *set).fold(mode, |kind, (_, flag)| kind | *flag);
    let value = kind << 16 | u32::from(fanout.group.unwrap_or(0));
    socket.set_packet(libc::PACKET_FANOUT, value as i32).map_err(|error| {
        let hint = match error.raw_os_error() {
            Some(libc::EINVAL) => {
                "; all members of a group need the same mode, flags and interface, and the interface must be up"
            }
            Some(libc::ENOSPC) => "; the group is full (256 members, or what PACKET_FANOUT_MAX_LENGTH says)",
            Some(libc::EALREADY) => "; the socket is in a group already",
            _ => "",
        };
        let group = fanout.group.map_or_else(|| "unique".to_owned(), |id| id.to_string());
        Error::sockopt(
            "PACKET_FANOUT",
            &error,
            format_args!("cannot join group {group} with mode {:?}{hint}", fanout.mode),
        )
    })?;
    if let Some(program) = &fanout.program {
        set_program(socket, program)?;
    }
    // With UNIQUEID the kernel chose the id; it is the low half (`packet_getsockopt`).
    let id = socket.get_packet(libc::PACKET_FANOUT).map_err(|error| {
        Error::os(ErrorKind::SockOpt, "getsockopt", &error, "cannot read the fanout group's id back")
    })?;
    Ok(id as u32 as u16)
}

/// Sets or replaces the group's program.
pub fn set_program(socket: &PacketSocket, program: &FanoutProgram) -> Result<()> {
    match program {
        FanoutProgram::Classic(code) => socket.fanout_classic(code),
        FanoutProgram::Ebpf(fd) => socket.fanout_ebpf(*fd),
    }
    .map_err(|error| {
        let hint = match (program, error.raw_os_error()) {
            (_, Some(libc::EBADF)) => "; the descriptor is not that of a loaded program".to_owned(),
            (FanoutProgram::Classic(code), Some(libc::EINVAL)) => {
                let rule = filter::broken_rule(code).map(|rule| format!(" ({rule})"));
                format!("; it must be valid{}, and of the kind that the group's mode says", rule.unwrap_or_default())
            }
            (_, Some(libc::EINVAL)) => "; it must be of the kind that the group's mode (cbpf, ebpf) says".to_owned(),
            _ => String::new(),
        };
        Error::sockopt("PACKET_FANOUT_DATA", &error, format_args!("the fanout program was refused{hint}"))
    })
}
