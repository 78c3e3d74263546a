//! Packet sockets, packet(7).
#![expect(unsafe_code, reason = "socket, setsockopt, bind, ioctl")]

use std::io;
use std::mem::{size_of, size_of_val, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use netring_filter::Instruction;

use super::{check, netns};
use crate::ring::Geometry;

/// `struct tpacket_stats_v3` as read: the counters since they were read last.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
#[allow(missing_docs, reason = "the fields of struct tpacket_stats_v3")]
pub struct RawStats {
    /// Includes `drops`.
    pub packets: u32,
    pub drops: u32,
    pub freezes: u32,
}

/// A packet socket.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for PacketSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl PacketSocket {
    /// A SOCK_RAW packet socket in a network namespace (`None`: this thread's). Protocol 0: it
    /// receives nothing before [`bind`](Self::bind), from no interface.
    pub fn open(namespace: Option<&std::path::Path>) -> Result<Self, netns::Failure> {
        netns::within(namespace, || {
            let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
            // SAFETY: socket has no preconditions; on success the descriptor is new and ours.
            let fd = check(unsafe { libc::socket(libc::AF_PACKET, kind, 0) })?;
            // SAFETY: as above.
            Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) } })
        })
    }

    /// Wraps any socket, for tests of options that all sockets have.
    #[cfg(test)]
    pub(crate) fn of(fd: OwnedFd) -> Self {
        Self { fd }
    }

    fn set<T>(&self, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
        self.set_bytes(level, name, std::ptr::from_ref(value).cast(), size_of_val(value))
    }

    fn set_bytes(
        &self,
        level: libc::c_int,
        name: libc::c_int,
        value: *const libc::c_void,
        len: usize,
    ) -> io::Result<()> {
        // SAFETY: callers pass a live object and its size; the kernel only reads it.
        check(unsafe { libc::setsockopt(self.as_raw_fd(), level, name, value, len as libc::socklen_t) })?;
        Ok(())
    }

    fn get<T: Copy>(&self, level: libc::c_int, name: libc::c_int) -> io::Result<T> {
        // SAFETY: every T used here is a plain struct of integers, for which zeros are valid.
        let mut value: T = unsafe { zeroed() };
        let mut len = size_of::<T>() as libc::socklen_t;
        let pointer = std::ptr::from_mut(&mut value).cast();
        // SAFETY: the kernel writes at most `len` bytes to `value`.
        check(unsafe { libc::getsockopt(self.as_raw_fd(), level, name, pointer, &raw mut len) })?;
        Ok(value)
    }

    /// An integer option at SOL_PACKET.
    pub fn set_packet(&self, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
        self.set(libc::SOL_PACKET, name, &value)
    }

    /// An integer option at SOL_SOCKET.
    pub fn set_socket(&self, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
        self.set(libc::SOL_SOCKET, name, &value)
    }

    /// An integer option at SOL_PACKET, read.
    pub fn get_packet(&self, name: libc::c_int) -> io::Result<libc::c_int> {
        self.get(libc::SOL_PACKET, name)
    }

    /// Asks for a V3 receive ring; 0 blocks of a geometry give it back.
    pub fn receive_ring(&self, geometry: Geometry, timeout_ms: u32, fill_rxhash: bool) -> io::Result<()> {
        let request = libc::tpacket_req3 {
            tp_block_size: geometry.block_size(),
            tp_block_nr: geometry.block_count(),
            tp_frame_size: geometry.frame_size(),
            tp_frame_nr: geometry.frame_count(),
            tp_retire_blk_tov: timeout_ms,
            tp_sizeof_priv: 0,
            tp_feature_req_word: if fill_rxhash { libc::TP_FT_REQ_FILL_RXHASH } else { 0 },
        };
        self.set(libc::SOL_PACKET, libc::PACKET_RX_RING, &request)
    }

    /// Index of an interface in the socket's network namespace, or ENODEV.
    pub fn interface_index(&self, name: &str) -> io::Result<i32> {
        let mut request = interface_request(name)?;
        // SAFETY: SIOCGIFINDEX reads the name and writes the index of this struct.
        check(unsafe { libc::ioctl(self.as_raw_fd(), libc::SIOCGIFINDEX as _, &raw mut request) })?;
        // SAFETY: SIOCGIFINDEX filled this member of the union.
        Ok(unsafe { request.ifr_ifru.ifru_ifindex })
    }

    /// An ifreq for the interface with this index, whatever its current name is.
    fn request_of(&self, index: i32) -> io::Result<libc::ifreq> {
        // SAFETY: ifreq is a plain struct.
        let mut request: libc::ifreq = unsafe { zeroed() };
        request.ifr_ifru.ifru_ifindex = index;
        // SAFETY: SIOCGIFNAME reads the index and writes the name of this struct.
        check(unsafe { libc::ioctl(self.as_raw_fd(), libc::SIOCGIFNAME as _, &raw mut request) })?;
        Ok(request)
    }

    /// An interface's MTU in bytes.
    pub fn interface_mtu(&self, index: i32) -> io::Result<i32> {
        let mut request = self.request_of(index)?;
        // SAFETY: SIOCGIFMTU reads the name and writes the MTU of this struct.
        check(unsafe { libc::ioctl(self.as_raw_fd(), libc::SIOCGIFMTU as _, &raw mut request) })?;
        // SAFETY: SIOCGIFMTU filled this member of the union.
        Ok(unsafe { request.ifr_ifru.ifru_mtu })
    }

    /// The ARPHRD_* type of an interface.
    pub fn interface_hardware_type(&self, index: i32) -> io::Result<u16> {
        let mut request = self.request_of(index)?;
        // SAFETY: SIOCGIFHWADDR reads the name and writes the hardware address of this struct.
        check(unsafe { libc::ioctl(self.as_raw_fd(), libc::SIOCGIFHWADDR as _, &raw mut request) })?;
        // SAFETY: SIOCGIFHWADDR filled this member of the union.
        Ok(unsafe { request.ifr_ifru.ifru_hwaddr }.sa_family)
    }

    /// Whether an interface is administratively up.
    pub fn interface_is_up(&self, index: i32) -> io::Result<bool> {
        let mut request = self.request_of(index)?;
        // SAFETY: SIOCGIFFLAGS reads the name and writes the flags of this struct.
        check(unsafe { libc::ioctl(self.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request) })?;
        // SAFETY: SIOCGIFFLAGS filled this member of the union.
        let flags = unsafe { request.ifr_ifru.ifru_flags };
        Ok(i32::from(flags) & libc::IFF_UP != 0)
    }

    /// Starts receiving every protocol from one interface (or, with protocol 0, only sending).
    pub fn bind(&self, index: i32, protocol: u16) -> io::Result<()> {
        // SAFETY: sockaddr_ll is a plain struct of integers.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = protocol.to_be();
        address.sll_ifindex = index;
        let len = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the address is a live sockaddr_ll of the given size.
        check(unsafe { libc::bind(self.as_raw_fd(), (&raw const address).cast(), len) })?;
        Ok(())
    }

    /// The index of the interface it is bound to; -1 once that is gone (`packet_notifier`,
    /// net/packet/af_packet.c).
    pub fn bound_index(&self) -> io::Result<i32> {
        // SAFETY: sockaddr_ll is a plain struct of integers.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        let mut len = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the kernel writes at most `len` bytes.
        check(unsafe { libc::getsockname(self.as_raw_fd(), (&raw mut address).cast(), &raw mut len) })?;
        Ok(address.sll_ifindex)
    }

    /// The ARPHRD_* type of the bound interface.
    pub fn bound_hardware_type(&self) -> io::Result<u16> {
        // SAFETY: sockaddr_ll is a plain struct of integers.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        let mut len = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the kernel writes at most `len` bytes.
        check(unsafe { libc::getsockname(self.as_raw_fd(), (&raw mut address).cast(), &raw mut len) })?;
        Ok(address.sll_hatype)
    }

    /// Promiscuous mode for as long as the socket lives.
    pub fn join_promiscuous(&self, index: i32) -> io::Result<()> {
        let request = libc::packet_mreq {
            mr_ifindex: index,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        self.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request)
    }

    /// Attaches or replaces a classic filter.
    pub fn attach_classic(&self, program: &[Instruction]) -> io::Result<()> {
        self.set_program(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program)
    }

    /// Attaches or replaces an eBPF filter (BPF_PROG_TYPE_SOCKET_FILTER).
    pub fn attach_ebpf(&self, program: RawFd) -> io::Result<()> {
        self.set(libc::SOL_SOCKET, libc::SO_ATTACH_BPF, &program)
    }

    /// Removes the filter; ENOENT when there is none.
    pub fn detach_filter(&self) -> io::Result<()> {
        self.set_socket(libc::SO_DETACH_FILTER, 0)
    }

    /// The classic program that picks a member of the fanout group.
    pub fn fanout_classic(&self, program: &[Instruction]) -> io::Result<()> {
        self.set_program(libc::SOL_PACKET, libc::PACKET_FANOUT_DATA, program)
    }

    /// The eBPF program that picks a member of the fanout group.
    pub fn fanout_ebpf(&self, program: RawFd) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_FANOUT_DATA, &program)
    }

    fn set_program(&self, level: libc::c_int, name: libc::c_int, program: &[Instruction]) -> io::Result<()> {
        let Ok(len) = u16::try_from(program.len()) else {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        };
        // Instruction has the layout of sock_filter; the kernel does not write through it.
        let filter = program.as_ptr().cast_mut().cast::<libc::sock_filter>();
        self.set(level, name, &libc::sock_fprog { len, filter })
    }

    /// Reads the counters, which resets them to 0.
    pub fn take_statistics(&self) -> io::Result<RawStats> {
        self.get(libc::SOL_PACKET, libc::PACKET_STATISTICS)
    }

    /// Reads and clears the pending error.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        let errno: libc::c_int = self.get(libc::SOL_SOCKET, libc::SO_ERROR)?;
        Ok((errno != 0).then(|| io::Error::from_raw_os_error(errno)))
    }

    /// Bytes of packets that were handed to the kernel and have not left it (SIOCOUTQ,
    /// `packet_ioctl`: the memory of all buffers charged to the socket).
    pub fn outstanding_bytes(&self) -> io::Result<u32> {
        let mut bytes: libc::c_int = 0;
        // SAFETY: SIOCOUTQ (= TIOCOUTQ) writes one int.
        check(unsafe { libc::ioctl(self.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) })?;
        Ok(u32::try_from(bytes).unwrap_or(0))
    }
}

/// An ifreq for an interface; ENODEV for an impossible name.
pub(crate) fn interface_request(name: &str) -> io::Result<libc::ifreq> {
    // SAFETY: ifreq is a plain struct.
    let mut request: libc::ifreq = unsafe { zeroed() };
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() >= request.ifr_name.len() || bytes.contains(&0) {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    Ok(request)
}
