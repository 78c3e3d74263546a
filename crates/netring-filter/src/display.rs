//! Programs as text, in the three forms of `tcpdump -d`, `-dd` and `-ddd`.

use std::fmt::Write;

use crate::bpf::{ANCILLARY, Instruction, code};

/// As `tcpdump -d`: one line an instruction, with where its jumps go.
pub fn as_text(program: &[Instruction]) -> String {
    let mut out = String::new();
    for (at, step) in program.iter().enumerate() {
        let (name, operand) = words(at, *step);
        let conditional = step.code & code::CLASS == code::JMP && step.code != code::JA;
        // Writing to a string cannot fail.
        let _ = if conditional {
            let (yes, no) = (at + 1 + usize::from(step.jt), at + 1 + usize::from(step.jf));
            writeln!(out, "({at:03}) {name:<8} {operand:<16} jt {yes}\tjf {no}")
        } else {
            writeln!(out, "({at:03}) {name:<8} {operand}")
        };
    }
    out
}

/// As `tcpdump -dd`: lines of C.
pub fn as_c_array(program: &[Instruction]) -> String {
    program.iter().fold(String::new(), |mut out, step| {
        let _ = writeln!(out, "{{ {:#x}, {}, {}, {:#010x} }},", step.code, step.jt, step.jf, step.k);
        out
    })
}

/// As `tcpdump -ddd`: the count, then four decimal numbers a line.
pub fn as_decimal(program: &[Instruction]) -> String {
    program.iter().fold(format!("{}\n", program.len()), |mut out, step| {
        let _ = writeln!(out, "{} {} {} {}", step.code, step.jt, step.jf, step.k);
        out
    })
}

fn words(at: usize, step: Instruction) -> (&'static str, String) {
    let k = step.k;
    let signed = k as i32;
    match step.code {
        code::RET_K => ("ret", format!("#{signed}")),
        code::RET_A => ("ret", String::new()),
        code::LD_W_ABS => ("ld", place(k)),
        code::LD_H_ABS => ("ldh", place(k)),
        code::LD_B_ABS => ("ldb", place(k)),
        code::LD_LEN => ("ld", "#pktlen".into()),
        code::LDX_LEN => ("ldx", "#pktlen".into()),
        code::LD_W_IND => ("ld", format!("[x + {signed}]")),
        code::LD_H_IND => ("ldh", format!("[x + {signed}]")),
        code::LD_B_IND => ("ldb", format!("[x + {signed}]")),
        code::LD_IMM => ("ld", format!("#{k:#x}")),
        code::LDX_IMM => ("ldx", format!("#{k:#x}")),
        code::LDX_MSH => ("ldxb", format!("4*([{signed}]&0xf)")),
        code::LD_MEM => ("ld", format!("M[{k}]")),
        code::LDX_MEM => ("ldx", format!("M[{k}]")),
        code::ST => ("st", format!("M[{k}]")),
        code::STX => ("stx", format!("M[{k}]")),
        code::JA => ("ja", format!("{}", at as i64 + 1 + i64::from(signed))),
        code::TAX => ("tax", String::new()),
        code::TXA => ("txa", String::new()),
        code::NEG => ("neg", String::new()),
        other => operation(other, k),
    }
}

fn operation(code: u16, k: u32) -> (&'static str, String) {
    let (name, hex) = match code & !code::X {
        code::JEQ => ("jeq", true),
        code::JGT => ("jgt", true),
        code::JGE => ("jge", true),
        code::JSET => ("jset", true),
        code::ADD => ("add", false),
        code::SUB => ("sub", false),
        code::MUL => ("mul", false),
        code::DIV => ("div", false),
        code::MOD => ("mod", false),
        code::AND => ("and", true),
        code::OR => ("or", true),
        code::XOR => ("xor", true),
        code::LSH => ("lsh", false),
        code::RSH => ("rsh", false),
        _ => return ("unimp", format!("{code:#x}")),
    };
    let operand = match (code & code::X != 0, hex) {
        (true, _) => "x".into(),
        (false, true) => format!("#{k:#x}"),
        (false, false) => format!("#{}", k as i32),
    };
    (name, operand)
}

/// An absolute offset, or the name of the metadata that it stands for (libpcap's bpf_image.c).
fn place(k: u32) -> String {
    let name = match k.wrapping_sub(ANCILLARY) {
        _ if k < ANCILLARY => "",
        0 => "proto",
        4 => "type",
        8 => "ifidx",
        12 => "nla",
        16 => "nlan",
        20 => "mark",
        24 => "queue",
        28 => "hatype",
        32 => "rxhash",
        36 => "cpu",
        40 => "xor_x",
        44 => "vlan_tci",
        48 => "vlanp",
        52 => "poff",
        56 => "random",
        60 => "vlan_tpid",
        _ => "",
    };
    if name.is_empty() { format!("[{}]", k as i32) } else { format!("[{name}]") }
}
