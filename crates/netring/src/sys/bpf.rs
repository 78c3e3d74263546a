//! bpf(2): the map, the program and the link that redirect packets to AF_XDP sockets.
//!
//! No ELF object, no BTF and no bpffs: six instructions are written here, after those of a filter. A link lives as long as a
//! descriptor of it, so the program is detached when the process ends, however it ends.
#![expect(unsafe_code, reason = "the bpf system call")]

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use netring_filter::EbpfInstruction;

// enum bpf_cmd, include/uapi/linux/bpf.h.
const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const MAP_DELETE_ELEM: libc::c_int = 3;
const PROG_LOAD: libc::c_int = 5;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const MAP_GET_FD_BY_ID: libc::c_int = 14;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const LINK_CREATE: libc::c_int = 28;
const LINK_UPDATE: libc::c_int = 29;
const LINK_GET_FD_BY_ID: libc::c_int = 30;
const LINK_GET_NEXT_ID: libc::c_int = 31;
const LINK_DETACH: libc::c_int = 34;

const MAP_TYPE_PROG_ARRAY: u32 = 3;
const MAP_TYPE_ARRAY_OF_MAPS: u32 = 12;
const MAP_TYPE_HASH_OF_MAPS: u32 = 13;
const MAP_TYPE_XSKMAP: u32 = 17;
/// `MAX_USED_MAPS`, include/linux/bpf_verifier.h.
const MOST_MAPS: usize = 64;
const PROG_TYPE_XDP: u32 = 6;
const ATTACH_TYPE_XDP: u32 = 37;
const LINK_TYPE_XDP: u32 = 6;
const XDP_PASS: i32 = 2;
const FUNC_REDIRECT_MAP: i32 = 51;
/// `BPF_PSEUDO_MAP_FD`: the immediate is a descriptor, which the kernel turns into the map.
const PSEUDO_MAP_FD: u8 = 1;
/// How often a program is given to the verifier, which ends with EAGAIN as soon as a signal is pending for this thread
/// (`do_check`, kernel/bpf/verifier.c): in Node.js, whenever a child process ends. Signals without end must not keep it
/// here.
const LOAD_ATTEMPTS: u32 = 100;
/// Where `rx_queue_index` is in `struct xdp_md`.
const RX_QUEUE_INDEX: i16 = 16;

/// How a program is attached; the values are `XDP_FLAGS_DRV_MODE` and `XDP_FLAGS_SKB_MODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpMode {
    /// In the driver, before the kernel has made a packet buffer.
    Native,
    /// Behind the driver, on any interface.
    Skb,
}

impl XdpMode {
    /// The XDP_FLAGS_* bit.
    pub fn flag(self) -> u32 {
        match self {
            Self::Native => 1 << 2,
            Self::Skb => 1 << 1,
        }
    }
}

#[derive(Clone, Copy)]
#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    inner_map: u32,
    numa_node: u32,
    name: [u8; 16],
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Element {
    map: u32,
    reserved: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct ProgLoad {
    prog_type: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
}

#[derive(Clone, Copy)]
#[repr(C)]
struct LinkCreate {
    program: u32,
    interface: u32,
    attach_type: u32,
    flags: u32,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct LinkUpdate {
    link: u32,
    program: u32,
    flags: u32,
    old_program: u32,
}

/// `start_id`, `prog_id` or `link_id`, which share a place, with `next_id` and flags.
#[derive(Clone, Copy)]
#[repr(C)]
struct ById {
    id: u32,
    next: u32,
    flags: u32,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Info {
    object: u32,
    len: u32,
    info: u64,
}

/// `struct bpf_prog_info` up to its name.
#[derive(Clone, Copy)]
#[repr(C)]
struct ProgInfo {
    before: [u64; 6],
    created_by: u32,
    map_count: u32,
    map_ids: u64,
    name: [u8; 16],
}

/// The first fields of `struct bpf_map_info`.
#[derive(Clone, Copy)]
#[repr(C)]
struct MapInfo {
    map_type: u32,
    id: u32,
}

/// `struct bpf_link_info` of an XDP link.
#[derive(Clone, Copy)]
#[repr(C)]
struct LinkInfo {
    link_type: u32,
    id: u32,
    program: u32,
    reserved: u32,
    interface: u32,
    rest: [u32; 15],
}

fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: R5. Every T used here is a plain struct laid out as the start of union bpf_attr; the
    // kernel reads and writes no more than its size, and takes what it does not reach as zeros. What its addresses
    // point to is as large as the counts beside them say and lives until this returns; the kernel keeps none.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as libc::c_int) }
}

fn new_fd<T>(command: libc::c_int, attributes: &mut T) -> io::Result<OwnedFd> {
    let fd = bpf(command, attributes)?;
    // SAFETY: these commands return a new descriptor, close-on-exec, which is ours.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn zero<T: Copy>() -> T {
    // SAFETY: every T used here consists of integers, for which zeros are valid.
    unsafe { zeroed() }
}

fn name() -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..7].copy_from_slice(b"netring");
    bytes
}

/// A map from queue to AF_XDP socket.
#[derive(Debug)]
pub struct XskMap {
    fd: OwnedFd,
}

impl XskMap {
    /// Room for the queues `0 .. queues`.
    pub fn new(queues: u32) -> io::Result<Self> {
        let mut attributes = MapCreate {
            map_type: MAP_TYPE_XSKMAP,
            key_size: 4,
            value_size: 4,
            max_entries: queues,
            name: name(),
            ..zero()
        };
        Ok(Self { fd: new_fd(MAP_CREATE, &mut attributes)? })
    }

    /// Its descriptor, owned by this.
    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// A map that the caller created; its descriptor stays the caller's. InvalidInput where it is of another type.
    pub fn of(fd: RawFd) -> io::Result<Self> {
        let fd = duplicate(fd)?;
        // Programs and links have numbers of their own for their types; what is none of the three is EINVAL.
        let kind = info(fd.as_fd()).map(|info: MapInfo| info.map_type)?;
        if kind == MAP_TYPE_XSKMAP { Ok(Self { fd }) } else { Err(io::Error::from(io::ErrorKind::InvalidInput)) }
    }

    /// Enters a socket: packets of this queue that the program redirects go to it from now on. The kernel
    /// takes the entry out when the socket is closed (`xsk_delete_from_maps`, net/xdp/xsk.c).
    pub fn set(&self, queue: u32, socket: BorrowedFd<'_>) -> io::Result<()> {
        let value = socket.as_raw_fd();
        let mut attributes = Element {
            map: self.fd.as_raw_fd() as u32,
            key: (&raw const queue).expose_provenance() as u64,
            value: (&raw const value).expose_provenance() as u64,
            ..zero()
        };
        bpf(MAP_UPDATE_ELEM, &mut attributes).map(drop)
    }

    /// Removes the socket of a queue. Not an error where there was none.
    pub fn remove(&self, queue: u32) -> io::Result<()> {
        let key = (&raw const queue).expose_provenance() as u64;
        let mut attributes = Element { map: self.fd.as_raw_fd() as u32, key, ..zero() };
        bpf(MAP_DELETE_ELEM, &mut attributes).map(drop)
    }

    /// The kernel's id of it.
    pub fn id(&self) -> io::Result<u32> {
        info(self.fd.as_fd()).map(|info: MapInfo| info.id)
    }
}

/// Duplicates a descriptor of the caller's.
fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl takes integers only; on success the descriptor is new and ours.
    let fd = super::check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0) })?;
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Redirects a packet to the socket that `map` has for its queue, or passes it to the network stack where the map has none:
/// `return bpf_redirect_map(&map, ctx->rx_queue_index, XDP_PASS)`. The context is in r1.
pub fn redirect(map: &XskMap) -> [EbpfInstruction; 6] {
    let instruction = EbpfInstruction::new;
    [
        instruction(0x61, 2, 1, RX_QUEUE_INDEX, 0), // r2 = *(u32 *)(r1 + 16)
        instruction(0x18, 1, PSEUDO_MAP_FD, 0, map.fd.as_raw_fd()), // r1 = map
        instruction(0, 0, 0, 0, 0),                 //      its upper half
        instruction(0xb7, 3, 0, 0, XDP_PASS),       // r3 = XDP_PASS
        instruction(0x85, 0, 0, 0, FUNC_REDIRECT_MAP), // call
        instruction(0x95, 0, 0, 0, 0),              // exit
    ]
}

/// The instruction in this machine's byte order: the register fields change places on a big-endian machine.
fn native(step: EbpfInstruction) -> EbpfInstruction {
    if cfg!(target_endian = "little") {
        step
    } else {
        EbpfInstruction { registers: step.registers.rotate_left(4), ..step }
    }
}

/// A loaded XDP program.
#[derive(Debug)]
pub struct XdpProgram {
    fd: OwnedFd,
}

impl XdpProgram {
    /// Loads a program.
    pub fn load(code: &[EbpfInstruction]) -> io::Result<Self> {
        let code: Vec<_> = code.iter().copied().map(native).collect();
        let license = c"Dual MIT/GPL";
        let mut attributes = ProgLoad {
            prog_type: PROG_TYPE_XDP,
            instructions: code.len() as u32,
            code: code.as_ptr().expose_provenance() as u64,
            license: license.as_ptr().expose_provenance() as u64,
            name: name(),
            ..zero()
        };
        let mut attempts = LOAD_ATTEMPTS;
        loop {
            attempts -= 1;
            match new_fd(PROG_LOAD, &mut attributes) {
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) && attempts > 0 => {}
                outcome => return Ok(Self { fd: outcome? }),
            }
        }
    }

    /// Loads a program that redirects every packet.
    pub fn redirect(map: &XskMap) -> io::Result<Self> {
        Self::load(&redirect(map))
    }

    /// Its descriptor, owned by this.
    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// A program that the caller loaded; its descriptor stays the caller's. EINVAL where it is no XDP program.
    pub fn of(fd: RawFd) -> io::Result<Self> {
        // The kernel's information on a map begins with a type as well; /proc shows what the descriptor is.
        let fdinfo = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}"))?;
        if !fdinfo.contains(&format!("prog_type:\t{PROG_TYPE_XDP}\n")) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        Ok(Self { fd: duplicate(fd)? })
    }

    /// The program with a number; needs CAP_SYS_ADMIN.
    pub fn by_id(id: u32) -> io::Result<Self> {
        Ok(Self { fd: program_by_id(id)? })
    }

    /// Attaches it to an interface of this thread's network namespace.
    pub fn attach(&self, interface: u32, mode: XdpMode) -> io::Result<XdpLink> {
        let mut attributes = LinkCreate {
            program: self.fd.as_raw_fd() as u32,
            interface,
            attach_type: ATTACH_TYPE_XDP,
            flags: mode.flag(),
        };
        Ok(XdpLink { fd: new_fd(LINK_CREATE, &mut attributes)? })
    }
}

/// A program attached to an interface for as long as this lives.
#[derive(Debug)]
pub struct XdpLink {
    fd: OwnedFd,
}

impl XdpLink {
    /// Detaches the program, before the descriptor is closed: closing may leave that to a worker
    /// of the kernel (`bpf_link_put`, kernel/bpf/syscall.c). ENOLINK where the interface is gone.
    pub fn detach(&self) -> io::Result<()> {
        bpf(LINK_DETACH, &mut ById { id: self.fd.as_raw_fd() as u32, ..zero() }).map(drop)
    }

    /// Replaces the program (`bpf_xdp_link_update`, net/core/dev.c). One of the two programs runs for each packet. ENOLINK: the link
    /// was detached.
    pub fn update(&self, program: &XdpProgram) -> io::Result<()> {
        let mut attributes =
            LinkUpdate { link: self.fd.as_raw_fd() as u32, program: program.fd.as_raw_fd() as u32, ..zero() };
        bpf(LINK_UPDATE, &mut attributes).map(drop)
    }

    /// The interface it is attached to, 0 where that is none any more, and its program's number.
    pub fn target(&self) -> io::Result<(u32, u32)> {
        let info: LinkInfo = info(self.fd.as_fd())?;
        Ok((info.interface, info.program))
    }

    /// The links that hold program `program` on an interface with index `interface`. Indices are
    /// those of each link's own network namespace: more than one may be found.
    pub fn find(interface: u32, program: u32) -> io::Result<Vec<Self>> {
        let mut found = Vec::new();
        let mut last = ById { id: 0, next: 0, flags: 0 };
        loop {
            match bpf(LINK_GET_NEXT_ID, &mut last) {
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(found),
                Err(error) => return Err(error),
            }
            last.id = last.next;
            // ENOENT: it went away meanwhile.
            let Ok(fd) = new_fd(LINK_GET_FD_BY_ID, &mut ById { id: last.id, ..zero() }) else { continue };
            let info: LinkInfo = info(fd.as_fd())?;
            if info.link_type == LINK_TYPE_XDP && info.interface == interface && info.program == program {
                found.push(Self { fd });
            }
        }
    }
}

fn info<T: Copy>(object: BorrowedFd<'_>) -> io::Result<T> {
    let mut info: T = zero();
    ask_info(object, &mut info)?;
    Ok(info)
}

fn ask_info<T: Copy>(object: BorrowedFd<'_>, info: &mut T) -> io::Result<()> {
    let mut attributes = Info {
        object: object.as_raw_fd() as u32,
        len: size_of::<T>() as u32,
        info: std::ptr::from_mut(info).expose_provenance() as u64,
    };
    bpf(OBJ_GET_INFO_BY_FD, &mut attributes).map(drop)
}

fn program_by_id(id: u32) -> io::Result<OwnedFd> {
    new_fd(PROG_GET_FD_BY_ID, &mut ById { id, ..zero() })
}

/// Information of the kernel on a loaded program.
#[derive(Debug)]
pub struct Loaded {
    /// Its name; empty where it has none.
    pub name: String,
    /// The numbers of the maps that its own instructions name.
    pub maps: Vec<u32>,
}

/// Asks of the program with a number; needs CAP_SYS_ADMIN. ENOENT where there is none.
pub fn loaded(program: u32) -> io::Result<Loaded> {
    let fd = program_by_id(program)?;
    let mut ids = [0_u32; MOST_MAPS];
    let map_ids = ids.as_mut_ptr().expose_provenance() as u64;
    let mut info = ProgInfo { map_count: MOST_MAPS as u32, map_ids, ..zero() };
    ask_info(fd.as_fd(), &mut info)?;
    let end = info.name.iter().position(|byte| *byte == 0).unwrap_or(info.name.len());
    let name = String::from_utf8_lossy(&info.name[..end]).into_owned();
    let count = MOST_MAPS.min(info.map_count as usize);
    Ok(Loaded { name, maps: ids[..count].to_vec() })
}

/// Whether a map refers to other programs or maps, which the program that names it need not name; needs CAP_SYS_ADMIN.
pub fn leads_on(map: u32) -> io::Result<bool> {
    let fd = new_fd(MAP_GET_FD_BY_ID, &mut ById { id: map, ..zero() })?;
    let info: MapInfo = info(fd.as_fd())?;
    Ok(matches!(info.map_type, MAP_TYPE_PROG_ARRAY | MAP_TYPE_ARRAY_OF_MAPS | MAP_TYPE_HASH_OF_MAPS))
}
