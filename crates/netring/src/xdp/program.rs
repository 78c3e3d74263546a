//! The XDP program on the interface: netring's, the caller's, or one of another process.

use std::io;
use std::sync::{Arc, Mutex};

use netlink_packet_route::link::{LinkAttribute, LinkMessage, LinkXdp, XdpAttached};

use super::options::{Attach, XdpOptions};
use super::program_link::ProgramLink;
use crate::error::{Error, ErrorKind, Result};
use crate::filter::Instruction;
use crate::sys::bpf::{self, XdpLink, XdpMode, XdpProgram, XskMap};
use crate::sys::netlink::{LinkChange, LinkSocket};

/// How the program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// In the driver (native mode).
    Native,
    /// Behind the driver (generic mode).
    Skb,
    /// Not attached: mode tx.
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

/// A program that redirects packets to sockets; dropping this detaches it.
#[derive(Debug)]
pub(super) struct AttachedProgram {
    link: Arc<ProgramLink>,
    pub(super) map: Arc<XskMap>,
    attached: Attached,
}

impl AttachedProgram {
    /// Replaces the filter in front of the redirect; `None` removes it.
    pub(super) fn set_filter(&self, filter: Option<&[Instruction]>) -> Result<()> {
        let program = load(&self.map, filter)?;
        self.link
            .update(&program)
            .map_err(|error| failed("bpf", &error, "cannot replace the XDP program by one with this filter"))
    }

    /// The link that holds the program.
    pub(super) fn link(&self) -> &Arc<ProgramLink> {
        &self.link
    }

    /// How the program was attached.
    pub(super) fn was_attached(&self) -> Attached {
        self.attached
    }

    /// How the program is attached now: [`Attached::None`] if another process detached or replaced it.
    pub(super) fn attached(&self) -> Attached {
        if self.link.is_attached() { self.attached } else { Attached::None }
    }
}

impl Drop for AttachedProgram {
    fn drop(&mut self) {
        // A probe may hold the link open just now, so closing the descriptor alone would not detach it.
        self.link.detach();
    }
}

pub(super) fn failed(syscall: &'static str, error: &io::Error, what: impl std::fmt::Display) -> Error {
    Error::os(ErrorKind::XdpProgram, syscall, error, what)
}

/// Takes the sockets of these queues out of the map: the program passes their packets to the network stack.
pub(super) fn leave(map: &XskMap, queues: &[u32]) -> Result<()> {
    for queue in queues {
        map.remove(*queue).map_err(|error| {
            failed("bpf", &error, format_args!("cannot take the socket of queue {queue} out of the XSKMAP"))
        })?;
    }
    Ok(())
}

/// A map and a program that can be attached, and nothing in their way.
#[derive(Debug)]
pub(super) struct PreparedProgram {
    interface: String,
    index: u32,
    attach: Attach,
    replace: bool,
    pub(super) namespace: Option<String>,
    pub(super) map: Arc<XskMap>,
    /// `None`: the caller attached the program.
    program: Option<XdpProgram>,
}

/// Loads the program that redirects the packets that `filter` matches, and passes the others to the network stack.
fn load(map: &XskMap, filter: Option<&[Instruction]>) -> Result<XdpProgram> {
    let loaded = match filter {
        None => XdpProgram::redirect(map),
        Some(filter) => {
            let code = netring_filter::translate(filter, &bpf::redirect(map))
                .map_err(|error| Error::new(ErrorKind::Filter, format!("XDP cannot run the filter: {error}")))?;
            XdpProgram::load(&code)
        }
    };
    loaded.map_err(|error| failed("bpf", &error, "cannot load the XDP program"))
}

/// Makes the map and the program for an interface of this thread's network namespace. The interface stays as it is.
pub(super) fn prepare(
    interface: &str,
    index: u32,
    queues: u32,
    options: &XdpOptions,
    filter: Option<&[Instruction]>,
) -> Result<PreparedProgram> {
    let ready = |map: XskMap, program| PreparedProgram {
        interface: interface.to_owned(),
        index,
        attach: options.attach,
        replace: options.replace,
        namespace: options.namespace.clone(),
        map: Arc::new(map),
        program,
    };
    let present = Present::on(interface, index)?;
    let Some(own) = options.program else {
        not_in_the_way(present.as_ref(), interface, options.replace)?;
        let map = XskMap::new(queues).map_err(|error| failed("bpf", &error, "cannot make an XSKMAP"))?;
        let program = load(&map, filter)?;
        return Ok(ready(map, Some(program)));
    };
    let bad = |name: &str, fd: i32, what: &str, error: &io::Error| {
        Error::os(ErrorKind::Config, "bpf", error, format_args!("program: {name} {fd} is no descriptor of {what}"))
    };
    let map = XskMap::of(own.xsk_map).map_err(|error| bad("`xsk_map`", own.xsk_map, "an XSKMAP", &error))?;
    if let Some(fd) = own.program {
        let program = XdpProgram::of(fd).map_err(|error| bad("fd", fd, "a program", &error))?;
        not_in_the_way(present.as_ref(), interface, options.replace)?;
        return Ok(ready(map, Some(program)));
    }
    // A paused socket may be given its program later.
    if !options.paused {
        over(present.as_ref(), interface, &map)?;
    }
    Ok(ready(map, None))
}

fn not_in_the_way(present: Option<&Present>, interface: &str, replace: bool) -> Result<()> {
    match present {
        Some(present) if !replace => Err(present.in_the_way(interface)),
        _ => Ok(()),
    }
}

/// How the program that redirects packets through `map` is attached, and the map's id.
fn over(present: Option<&Present>, interface: &str, map: &XskMap) -> Result<(Attached, u32)> {
    let present = present.ok_or_else(|| none_attached(interface))?;
    let map = map.id().map_err(|error| failed("bpf", &error, "program: cannot ask which map `xsk_map` is"))?;
    match present.programs.iter().find(|(_, program)| may_redirect(*program, map)) {
        Some((mode, _)) => Ok(((*mode).into(), map)),
        None => Err(Error::new(
            ErrorKind::XdpProgram,
            format!(
                "program: none is attached to interface {interface:?} that leads to `xsk_map`: {} does not use this map; \
                 attach yours in its place, or give its fd too",
                present.list()
            ),
        )),
    }
}

/// What libxdp names the program that calls those of several owners (`XDP_DISPATCHER_...`, libxdp; bpfman does the
/// same).
const DISPATCHER: &str = "xdp_dispatcher";

/// Whether a program may redirect packets through `map`: it names the map itself, or may call a program that does. The
/// kernel does not report such calls: neither which programs have replaced a dispatcher's functions nor where a tail
/// call ends. Without CAP_SYS_ADMIN it reports nothing at all.
pub(super) fn may_redirect(program: u32, map: u32) -> bool {
    match bpf::loaded(program) {
        Ok(loaded) => {
            loaded.maps.contains(&map)
                || loaded.name == DISPATCHER
                || loaded.maps.iter().any(|map| bpf::leads_on(*map).unwrap_or(true))
        }
        // It is gone by now.
        Err(error) => error.raw_os_error() != Some(libc::ENOENT),
    }
}

fn none_attached(interface: &str) -> Error {
    Error::new(
        ErrorKind::XdpProgram,
        format!("program: none is attached to interface {interface:?}; attach yours first, or give its fd too"),
    )
}

impl PreparedProgram {
    /// Replaces the filter in front of the redirect; `None` removes it.
    pub(super) fn set_filter(&mut self, filter: Option<&[Instruction]>) -> Result<()> {
        self.program = Some(load(&self.map, filter)?);
        Ok(())
    }

    /// Attaches the program, in the place of one that is to be replaced; packets go on to the network stack
    /// until the map has sockets.
    pub(super) fn attach(&self) -> Result<AttachedProgram> {
        let Self { interface, index, attach: wanted, replace, program, .. } = self;
        let (interface, index, map) = (interface.as_str(), *index, Arc::clone(&self.map));
        let present = Present::on(interface, index)?;
        let Some(program) = program else {
            let (attached, id) = over(present.as_ref(), interface, &map)?;
            let socket = question().map_err(|error| cannot_ask(interface, &error))?;
            let program_link = ProgramLink::Present { socket: Mutex::new(socket), index, map: id };
            return Ok(AttachedProgram { link: Arc::new(program_link), map, attached });
        };
        not_in_the_way(present.as_ref(), interface, *replace)?;
        let removed = present.map(|present| present.remove(interface, index)).transpose()?;
        let (link, attached) = attach(interface, index, program, *wanted).map_err(|error| match removed {
            Some(removed) => removed.put_back(index, error),
            None => error,
        })?;
        let program_link =
            ProgramLink::link(link).map_err(|error| failed("bpf", &error, "cannot ask what the link holds"))?;
        Ok(AttachedProgram { link: Arc::new(program_link), map, attached })
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
                // Another process attached its program first.
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

    fn list(&self) -> String {
        let list: Vec<_> = self.programs.iter().map(|(mode, id)| describe(*mode, *id)).collect();
        list.join(" and ")
    }

    fn in_the_way(&self, interface: &str) -> Error {
        let message = format!(
            "interface {interface:?} has an XDP program already: {}; detach it (`ip link set dev {interface} xdp off`, \
             or end the process that holds its link), or open with replace: true",
            self.list()
        );
        Error { errno: Some(libc::EBUSY), ..Error::new(ErrorKind::XdpProgram, message) }
    }

    /// Detaches all of them, whether netlink or a BPF link holds them.
    fn remove(&self, interface: &str, index: u32) -> Result<RemovedProgram> {
        let mut removed = RemovedProgram::default();
        for (mode, id) in &self.programs {
            let refused = |error: &io::Error| {
                failed("bpf", error, format_args!("cannot detach {} from {interface:?}", describe(*mode, *id)))
            };
            let mut links = XdpLink::find(index, *id).map_err(|error| refused(&error))?;
            match (links.pop(), links.is_empty()) {
                (Some(link), true) => {
                    link.detach().map_err(|error| refused(&error))?;
                    removed.from_links.push(describe(*mode, *id));
                }
                // An index says little across network namespaces: better none than a wrong one.
                (Some(_), false) => return Err(self.in_the_way(interface)),
                (None, _) => {
                    let program = XdpProgram::by_id(*id).map_err(|error| refused(&error))?;
                    question()
                        .and_then(|mut socket| socket.set_xdp(index, -1, mode.flag()))
                        .map_err(|error| refused(&error))?;
                    removed.programs.push((*mode, program));
                }
            }
        }
        match Self::on(interface, index)? {
            Some(left) => Err(left.in_the_way(interface)),
            None => Ok(removed),
        }
    }
}

/// What was detached to make room.
#[derive(Debug, Default)]
struct RemovedProgram {
    programs: Vec<(XdpMode, XdpProgram)>,
    /// Descriptions of those that a BPF link held: a link that is detached cannot be attached again.
    from_links: Vec<String>,
}

impl RemovedProgram {
    /// Puts back what can be, as nothing took its place, and says of the rest that it is gone.
    fn put_back(self, index: u32, mut error: Error) -> Error {
        for (mode, program) in self.programs {
            let back = question().and_then(|mut socket| socket.set_xdp(index, program.fd(), mode.flag()));
            if let Err(refused) = back {
                error
                    .message
                    .push_str(&format!("; the program that was to be replaced could not be put back: {refused}"));
            }
        }
        for gone in self.from_links {
            error.message.push_str(&format!("; {gone}, which a BPF link held, was detached before and is gone"));
        }
        error
    }
}

fn describe(mode: XdpMode, id: u32) -> String {
    let way = match mode {
        XdpMode::Native => "native",
        XdpMode::Skb => "skb",
    };
    // Its name takes CAP_SYS_ADMIN, and a program need not have one.
    match bpf::loaded(id) {
        Ok(loaded) if !loaded.name.is_empty() => format!("program {id} ({:?}, {way})", loaded.name),
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
        for changes in socket.read()? {
            if let LinkChange::Present(link) = changes
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
