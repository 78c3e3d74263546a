//! Keeps libelf and zlib out of what is linked.
//!
//! libxdp and libbpf are linked statically and refer to both, to read BPF object files and the
//! kernel's configuration. netring makes its BPF program itself and forbids libxdp to load one, so
//! none of these functions is ever called. Libraries of functions with their names, found before
//! the system's, make a binary that needs libc's own libraries only, on machines that have neither.

fn main() {
    for library in ["elf", "z"] {
        let source = format!("build/lib{library}.c");
        println!("cargo:rerun-if-changed={source}");
        cc::Build::new().file(source).cargo_metadata(false).compile(library);
    }
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-search=native={}", std::env::var("OUT_DIR").expect("cargo sets OUT_DIR"));
}
