//! Keeps libelf and zlib out of what is linked.
//!
//! libxdp and libbpf are linked statically and refer to both, to read BPF object files and the
//! kernel's configuration. netring makes its BPF program itself and forbids libxdp to load one, so
//! none of these functions is ever called. Libraries of functions with their names, found before
//! the system's, make a binary that needs libc's own libraries only, on machines that have neither.
//!
//! The crates ask for shared libraries. Most linkers are content with `libelf.a` then; zig's wants a
//! `libelf.so`, so there is one, a linker script that names the archive.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "xdp")]
    stand_in_libraries();
}

#[cfg(feature = "xdp")]
fn stand_in_libraries() {
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    for library in ["elf", "z"] {
        let source = format!("build/lib{library}.c");
        println!("cargo:rerun-if-changed={source}");
        cc::Build::new().file(source).cargo_metadata(false).compile(library);
        std::fs::write(out.join(format!("lib{library}.so")), format!("INPUT(lib{library}.a)\n"))
            .expect("OUT_DIR can be written");
    }
    println!("cargo:rustc-link-search=native={}", out.display());
}
