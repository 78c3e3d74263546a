//! From an expression to a filter.

use std::fmt;
use std::ops::Range;

use crate::bpf::Instruction;
use crate::ebpf::{self, EbpfInstruction, XdpError};
use crate::error::{FilterError, FilterErrorKind};
use crate::r#gen::Gen;
use crate::interpret::{self, Ancillary, Verdict};
use crate::ir::{ACCEPT, CondId, Graph, NodeId, REJECT, Values};
use crate::names::Resolver;
use crate::optimize::{self, Leaf};
use crate::options::{LinkType, Options, Target, Vlan};
use crate::verify::{MAX_INSTRUCTIONS, Program, Rules};
use crate::{display, emit, lexer, parser};

/// A compiled expression.
#[derive(Clone, Debug)]
pub struct Filter {
    expression: String,
    link_type: LinkType,
    vlan: Vlan,
    program: Program,
    /// Where a loop was asked for.
    chain: Option<Range<usize>>,
}

/// Compiles an expression.
///
/// The time and memory that it takes grow with the expression's length only, and nesting does not use the thread's stack.
///
/// # Errors
///
/// [`FilterError`] says what is wrong and where. Host names that the resolver has not looked up come as
/// [`FilterErrorKind::UnresolvedHosts`], all at once:
///
/// ```
/// use netring_filter::{BuiltIn, FilterErrorKind, Options, Resolved, compile};
///
/// let error = compile("host gateway.example", &Options::default(), &BuiltIn).unwrap_err();
/// let FilterErrorKind::UnresolvedHosts(names) = error.kind else { panic!() };
/// let mut resolver = Resolved { inner: BuiltIn, ..Resolved::default() };
/// for name in names {
///     resolver.hosts.insert(name, vec!["192.0.2.1".parse().unwrap()]);
/// }
/// assert!(compile("host gateway.example", &Options::default(), &resolver).is_ok());
/// ```
pub fn compile(expression: &str, options: &Options, resolver: &dyn Resolver) -> Result<Filter, FilterError> {
    if options.target == Target::Xdp && options.vlan == Vlan::Metadata {
        let message = "XDP has no metadata of VLAN tags";
        return Err(FilterError::new(FilterErrorKind::Target, 0..expression.len(), message));
    }
    let words = lexer::words(expression)?;
    let (nodes, root) = parser::parse(&words)?;
    let mut generator = Gen::new(options, resolver);
    let whole = 0..expression.len();
    let instructions = match root {
        None => vec![Instruction::new(crate::bpf::code::RET_K, options.snap_len.max(1))],
        Some(root) => {
            let condition = generator.run(&nodes, root)?;
            translate(&mut generator, condition, options, whole.clone())?
        }
    };
    let chain = generator.chain;
    let rules =
        if chain.is_some() || instructions.len() > MAX_INSTRUCTIONS { Rules::Interpreter } else { Rules::Kernel };
    let length = instructions.len();
    let program = Program::new(instructions, rules).map_err(|error| {
        let kind = FilterErrorKind::TooLong { instructions: length, limit: MAX_INSTRUCTIONS };
        FilterError::new(kind, whole, error.to_string())
    })?;
    let filter =
        Filter { expression: expression.to_owned(), link_type: options.link_type, vlan: options.vlan, program, chain };
    filter.check(options.target)?;
    Ok(filter)
}

/// Whether an expression is a sentence of the language. Names and link types are not looked at.
///
/// # Errors
///
/// A [`FilterError`] of kind [`FilterErrorKind::Syntax`], or [`FilterErrorKind::LinkType`] for words of link types that this crate does
/// not serve.
pub fn check_syntax(expression: &str) -> Result<(), FilterError> {
    parser::parse(&lexer::words(expression)?).map(|_| ())
}

/// The shortest of the programs that can be had for the condition.
fn translate(
    generator: &mut Gen<'_>,
    condition: CondId,
    options: &Options,
    whole: Range<usize>,
) -> Result<Vec<Instruction>, FilterError> {
    let mut graph = Graph::new();
    let root = graph.lower(&mut generator.values, &generator.conds, condition, ACCEPT, REJECT);
    let split = generator.tag_slot.filter(|_| options.optimize).map(|slot| {
        // Or without the memory word: each node twice, for either place of the tag.
        graph.split(&mut generator.values, root, slot, 4)
    });
    let mut best: Option<Vec<Instruction>> = None;
    for (graph, root) in std::iter::once((graph, root)).chain(split) {
        for program in programs(generator, graph, root, options, whole.clone())? {
            if best.as_ref().is_none_or(|best| program.len() < best.len()) {
                best = Some(program);
            }
        }
    }
    Ok(best.unwrap_or_default())
}

/// The programs of a graph: the first that a socket takes, or all.
fn programs(
    generator: &mut Gen<'_>,
    graph: Graph,
    root: NodeId,
    options: &Options,
    whole: Range<usize>,
) -> Result<Vec<Vec<Instruction>>, FilterError> {
    let values = &mut generator.values;
    let (graph, root) = if options.optimize { optimize::shorten(values, graph, root) } else { (graph, root) };
    let mut out = Vec::new();
    // Rows of comparisons in short leaves are fast; where they make the program too long for a socket, longer ones.
    for leaf in [8, 24, 72, 216, usize::MAX] {
        let searched = options.optimize.then(|| optimize::search(values, &graph, root, Leaf(leaf)));
        let (graph, root) = searched.as_ref().map_or((&graph, root), |(graph, root)| (graph, *root));
        if root == REJECT {
            let message = "no packet can match this expression";
            return Err(FilterError::new(FilterErrorKind::RejectsAll, whole, message));
        }
        let Some(program) = emit::emit(values, graph, root, options.snap_len) else {
            let message = "the arithmetic needs more memory words than there are";
            return Err(FilterError::new(FilterErrorKind::TooComplex, whole, message));
        };
        let fits = program.len() <= MAX_INSTRUCTIONS;
        out.push(program);
        if fits || !options.optimize || out[0].len() > 2 * MAX_INSTRUCTIONS {
            break;
        }
    }
    Ok(out)
}

impl Filter {
    /// The expression as it was given.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// What packets begin with.
    pub fn link_type(&self) -> LinkType {
        self.link_type
    }

    /// Where the program expects a VLAN tag.
    pub fn vlan(&self) -> Vlan {
        self.vlan
    }

    /// The program in classic BPF. Whether a socket takes it says [`Filter::check`].
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Whether the program can run there.
    ///
    /// # Errors
    ///
    /// The reason why it cannot.
    pub fn check(&self, target: Target) -> Result<(), FilterError> {
        if target == Target::Memory {
            return Ok(());
        }
        if let Some(span) = &self.chain {
            let message =
                "protochain needs a loop, which no program in the kernel may have: it works on files and memory only";
            return Err(FilterError::new(FilterErrorKind::Target, span.clone(), message));
        }
        let whole = 0..self.expression.len();
        if target == Target::Xdp && self.vlan == Vlan::Metadata {
            return Err(FilterError::new(FilterErrorKind::Target, whole, "XDP has no metadata of VLAN tags"));
        }
        let instructions = self.program.instructions().len();
        if instructions > MAX_INSTRUCTIONS {
            let kind = FilterErrorKind::TooLong { instructions, limit: MAX_INSTRUCTIONS };
            let message =
                format!("the program has {instructions} instructions, of which the kernel takes {MAX_INSTRUCTIONS}");
            return Err(FilterError::new(kind, whole, message));
        }
        Ok(())
    }

    /// Whether a packet matches. `length` is its length on the wire, which `len`, `less` and `greater` see.
    pub fn matches(&self, packet: &[u8], length: u32) -> bool {
        interpret::run(&self.program, packet, length, None) != 0
    }

    /// How much of a packet to keep, with metadata as a live socket has it; zero is no match.
    pub fn run(&self, packet: &[u8], length: u32, ancillary: Option<&Ancillary>) -> Verdict {
        interpret::run(&self.program, packet, length, ancillary)
    }

    /// The program in eBPF for XDP; see [`translate`](crate::translate).
    ///
    /// # Errors
    ///
    /// [`XdpError`] where XDP cannot run it.
    pub fn to_xdp(&self, tail: &[EbpfInstruction]) -> Result<Vec<EbpfInstruction>, XdpError> {
        ebpf::translate(self.program.instructions(), tail)
    }
}

/// As `tcpdump -d` prints it.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&display::as_text(self.program.instructions()))
    }
}

impl Graph {
    /// The graph without one memory word: every node twice, once for the word's being zero and once for what is stored in it.
    pub(crate) fn split(&self, values: &mut Values, root: NodeId, slot: u8, stored: u32) -> (Graph, NodeId) {
        crate::ir::graph::split(self, values, root, slot, stored)
    }
}
