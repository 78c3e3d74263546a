//! The XDP program on the interface: ours, the caller's, or somebody else's in the way.

use std::io;
use std::sync::{Arc, Mutex};

use netlink_packet_route::link::{LinkAttribute, LinkMessage, LinkXdp, XdpAttached};

use super::lead::Lead;
use super::options::{Attach, XdpOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::sys::bpf::{XdpLink, XdpMode, XdpProgram, XskMap, program_name};
use crate::sys::netlink::{LinkNews, LinkSocket};

/// How packets are led to the socket, as it was got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// By a program in the driver.
    Native,
    /// By a program behind the driver.
    Skb,
    /// By none: mode tx.
    None,
}

impl From<XdpMode> for Attached {
    fn from(mode: XdpMode) -> Self {
        match mode {
            XdpMode::Native => Self::Native,
            XdpMode::Skb => Self::Skb,
        }
    }
}

/// A program that leads packets to sockets, for as long as this lives.
#[derive(Debug)]
pub(super) struct Attachment {
    lead: Arc<Lead>,
    pub(super) map: XskMap,
    attached: Attached,
}

impl Attachment {
    /// What leads packets here.
    pub(super) fn lead(&self) -> &Arc<Lead> {
        &self.lead
    }

    /// How packets were led here when the program was attached.
    pub(super) fn was_attached(&self) -> Attached {
        self.attached
    }

    /// How packets are led here now: [`Attached::None`] where somebody else has detached or replaced the program.
    pub(super) fn attached(&self) -> Attached {
        if self.lead.holds() { self.attached } else { Attached::None }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        // Whoever else looks at the lead just now: what counts is not when the last descriptor is closed.
        self.lead.detach();
    }
}

pub(super) fn failed(syscall: &'static str, error: &io::Error, what: impl std::fmt::Display) -> Error {
    let denied = matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES));
    let needs = if denied { " (XDP needs CAP_NET_ADMIN and CAP_BPF in the first user namespace)" } else { "" };
    Error::os(ErrorKind::XdpProgram, syscall, error, format_args!("{what}{needs}"))
}

/// A map and a program that can be attached, and nothing in their way.
#[derive(Debug)]
pub(super) struct Ready {
    interface: String,
    index: u32,
    attach: Attach,
    replace: bool,
    pub(super) namespace: Option<String>,
    pub(super) map: XskMap,
    /// `None`: the caller attached the program.
    program: Option<XdpProgram>,
}

/// Makes the map and the program for an interface of this thread's network namespace. The interface stays as it is.
pub(super) fn prepare(interface: &str, index: u32, queues: u32, options: &XdpOptions) -> Result<Ready> {
    let ready = |map, program| Ready {
        interface: interface.to_owned(),
        index,
        attach: options.attach,
        replace: options.replace,
        namespace: options.namespace.clone(),
        map,
        program,
    };
    let present = Present::on(interface, index)?;
    let Some(own) = options.program else {
        not_in_the_way(present.as_ref(), interface, options.replace)?;
        let map = XskMap::new(queues).map_err(|error| failed("bpf", &error, "cannot make an XSKMAP"))?;
        let program =
            XdpProgram::redirect(&map).map_err(|error| failed("bpf", &error, "cannot load the XDP program"))?;
        return Ok(ready(map, Some(program)));
    };
    let bad = |name: &str, fd: i32, error: &io::Error| {
        Error::os(ErrorKind::Config, "fcntl", error, format_args!("program: {name} {fd} is no descriptor"))
    };
    let map = XskMap::of(own.xsk_map).map_err(|error| bad("xskMapFd", own.xsk_map, &error))?;
    if let Some(fd) = own.program {
        let program = XdpProgram::of(fd).map_err(|error| bad("fd", fd, &error))?;
        not_in_the_way(present.as_ref(), interface, options.replace)?;
        return Ok(ready(map, Some(program)));
    }
    // Behind a gate it may come later.
    if present.is_some() || options.gated { Ok(ready(map, None)) } else { Err(none_attached(interface)) }
}

fn not_in_the_way(present: Option<&Present>, interface: &str, replace: bool) -> Result<()> {
    match present {
        Some(present) if !replace => Err(present.in_the_way(interface)),
        _ => Ok(()),
    }
}

fn none_attached(interface: &str) -> Error {
    Error::new(
        ErrorKind::XdpProgram,
        format!("program: none is attached to interface {interface:?}; attach yours first, or give its fd too"),
    )
}

impl Ready {
    /// Attaches the program, in the place of one that is to be replaced; packets go on to the network stack
    /// until the map has sockets.
    pub(super) fn attach(self) -> Result<Attachment> {
        let Self { interface, index, attach: wanted, replace, map, program, .. } = self;
        let interface = interface.as_str();
        let present = Present::on(interface, index)?;
        let Some(program) = program else {
            let present = present.ok_or_else(|| none_attached(interface))?;
            let attached = present.attached();
            let socket = question().map_err(|error| cannot_ask(interface, &error))?;
            let lead = Lead::Present { socket: Mutex::new(socket), index, programs: present.programs };
            return Ok(Attachment { lead: Arc::new(lead), map, attached });
        };
        not_in_the_way(present.as_ref(), interface, replace)?;
        if let Some(present) = present {
            present.remove(interface, index)?;
        }
        let (link, attached) = attach(interface, index, &program, wanted)?;
        let lead = Lead::link(link).map_err(|error| failed("bpf", &error, "cannot ask what the link holds"))?;
        Ok(Attachment { lead: Arc::new(lead), map, attached })
    }
}

fn attach(interface: &str, index: u32, program: &XdpProgram, wanted: Attach) -> Result<(XdpLink, Attached)> {
    let modes: &[XdpMode] = match wanted {
        Attach::Auto => &[XdpMode::Native, XdpMode::Skb],
        Attach::Only(XdpMode::Native) => &[XdpMode::Native],
        Attach::Only(XdpMode::Skb) => &[XdpMode::Skb],
    };
    let mut refusal = None;
    for mode in modes {
        match program.attach(index, *mode) {
            Ok(link) => return Ok((link, (*mode).into())),
            Err(error) => {
                // Somebody was faster.
                if let Some(present) = Present::on(interface, index)? {
                    return Err(present.in_the_way(interface));
                }
                let denied = matches!(error.raw_os_error(), Some(libc::EPERM | libc::EACCES));
                refusal = Some(error);
                if denied {
                    break;
                }
            }
        }
    }
    let error = refusal.expect("there is a mode to try");
    let advice = if wanted == Attach::Only(XdpMode::Native) {
        "; its driver may have no XDP, or not with this MTU or number of queues: try attach 'skb' or 'auto'"
    } else {
        ""
    };
    let what = format!("cannot attach an XDP program to interface {interface:?}{advice}");
    Err(failed("bpf", &error, what))
}

/// Programs on an interface, each with the way it is attached.
#[derive(Debug)]
struct Present {
    programs: Vec<(XdpMode, u32)>,
}

impl Present {
    fn on(interface: &str, index: u32) -> Result<Option<Self>> {
        let asked = question().and_then(|mut socket| programs(&mut socket, index));
        let programs = asked.map_err(|error| cannot_ask(interface, &error))?;
        Ok((!programs.is_empty()).then_some(Self { programs }))
    }

    fn attached(&self) -> Attached {
        self.programs[0].0.into()
    }

    fn in_the_way(&self, interface: &str) -> Error {
        let list: Vec<_> = self.programs.iter().map(|(mode, id)| describe(*mode, *id)).collect();
        let message = format!(
            "interface {interface:?} has an XDP program already: {}; detach it (`ip link set dev {interface} xdp off`, \
             or end the process that holds its link), or open with replace: true",
            list.join(" and ")
        );
        Error { errno: Some(libc::EBUSY), ..Error::new(ErrorKind::XdpProgram, message) }
    }

    /// Detaches all of them, whether netlink or a BPF link holds them.
    fn remove(&self, interface: &str, index: u32) -> Result<()> {
        for (mode, id) in &self.programs {
            let refused = |error: &io::Error| {
                failed("bpf", error, format_args!("cannot detach {} from {interface:?}", describe(*mode, *id)))
            };
            let mut links = XdpLink::find(index, *id).map_err(|error| refused(&error))?;
            match (links.pop(), links.is_empty()) {
                (Some(link), true) => link.detach().map_err(|error| refused(&error))?,
                // An index says little across network namespaces: better none than a wrong one.
                (Some(_), false) => return Err(self.in_the_way(interface)),
                (None, _) => question()
                    .and_then(|mut socket| socket.set_xdp(index, -1, mode.flag()))
                    .map_err(|error| refused(&error))?,
            }
        }
        match Self::on(interface, index)? {
            Some(left) => Err(left.in_the_way(interface)),
            None => Ok(()),
        }
    }
}

fn describe(mode: XdpMode, id: u32) -> String {
    let way = match mode {
        XdpMode::Native => "native",
        XdpMode::Skb => "skb",
    };
    // Its name takes CAP_SYS_ADMIN, and a program need not have one.
    match program_name(id) {
        Ok(name) if !name.is_empty() => format!("program {id} ({name:?}, {way})"),
        _ => format!("program {id} ({way})"),
    }
}

fn cannot_ask(interface: &str, error: &io::Error) -> Error {
    Error::os(ErrorKind::Io, "recvmsg", error, format_args!("cannot ask which XDP program interface {interface:?} has"))
}

/// A socket to ask of this thread's network namespace.
fn question() -> io::Result<LinkSocket> {
    LinkSocket::open(None, false).map_err(|failure| match failure {
        crate::sys::netns::Failure::Open(error)
        | crate::sys::netns::Failure::Enter(error)
        | crate::sys::netns::Failure::Call(error) => error,
    })
}

/// The programs on an interface, each with the way it is attached.
pub(super) fn programs(socket: &mut LinkSocket, index: u32) -> io::Result<Vec<(XdpMode, u32)>> {
    socket.ask(index)?;
    loop {
        for news in socket.read()? {
            if let LinkNews::Present(link) = news
                && link.header.index == index
            {
                return Ok(programs_of(&link));
            }
        }
    }
}

fn programs_of(link: &LinkMessage) -> Vec<(XdpMode, u32)> {
    let mut programs = Vec::new();
    for attribute in &link.attributes {
        let LinkAttribute::Xdp(fields) = attribute else { continue };
        let skb = fields.contains(&LinkXdp::Attached(XdpAttached::SocketBuffer));
        for field in fields {
            match field {
                LinkXdp::DrvProgId(id) | LinkXdp::HwProgId(id) => programs.push((XdpMode::Native, *id)),
                LinkXdp::SkbProgId(id) => programs.push((XdpMode::Skb, *id)),
                // Kernels before 4.19 give only this.
                LinkXdp::ProgId(id) if fields.len() <= 2 => {
                    programs.push((if skb { XdpMode::Skb } else { XdpMode::Native }, *id));
                }
                _ => {}
            }
        }
    }
    programs
}
