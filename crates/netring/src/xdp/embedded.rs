//! Keeps libxdp's own BPF programs out of what is linked.
//!
//! libxdp.a carries three programs in BPF object files: a dispatcher and two that pass packets to
//! AF_XDP sockets. Their sources are GPL-2.0, unlike libxdp itself (LGPL-2.1 or BSD-2-Clause), and
//! netring, which makes its program itself and forbids libxdp to load one, never uses them. Each is
//! linked because libxdp.c takes the address of its first and last byte. With these symbols defined
//! here nothing is left to look for in the archive, and the programs stay out of the binary.
#![expect(unsafe_code, reason = "symbols that C refers to by name")]

// SAFETY: no other object that is linked defines these names: libxdp.a's, which do, are taken only
// for names that nothing else has defined. libxdp would pass the bytes between them to libelf, whose
// functions are stubs that fail (build.rs); R and X invariants are not concerned.
mod symbols {
    macro_rules! empty {
        ($($name:ident)*) => { $(#[unsafe(no_mangle)] static $name: u8 = 0;)* };
    }

    empty! {
        _binary_xdp_dispatcher_o_start _binary_xdp_dispatcher_o_end
        _binary_xsk_def_xdp_prog_o_start _binary_xsk_def_xdp_prog_o_end
        _binary_xsk_def_xdp_prog_5_3_o_start _binary_xsk_def_xdp_prog_5_3_o_end
    }
}
