//! From words to the tree, by libpcap's grammar (grammar.y), with a stack on the heap: nesting costs memory, never the thread's stack.
//!
//! Two habits of that grammar shape this file. `and` and `or` bind equally and to the left. And a bare id takes the qualifiers of
//! what stands before it, so each parenthesis remembers the qualifiers that hold where it opens.

mod operand;

use std::ops::Range;

use crate::error::FilterError;
use crate::keywords::Proto;
use crate::lexer::{Token, Word};
use crate::tree::{Arithmetic, Compare, Id, Node, NodeId, NodeKind, Qualifiers};

/// The nodes and which of them is the whole; `None` for the empty expression, which every packet matches.
pub(crate) fn parse(words: &[Word]) -> Result<(Vec<Node>, Option<NodeId>), FilterError> {
    let mut parser = Parser { words, at: 0, nodes: Vec::new(), frames: vec![Frame::new(FrameKind::Top, 0)] };
    if parser.peek() == &Token::End {
        return Ok((parser.nodes, None));
    }
    let root = parser.run()?;
    Ok((parser.nodes, Some(root)))
}

struct Parser<'a> {
    words: &'a [Word],
    at: usize,
    nodes: Vec<Node>,
    frames: Vec<Frame>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FrameKind {
    Top,
    Paren,
    /// Inside `proto[`.
    Index(Proto),
}

/// What is open: the whole expression, a parenthesis, or an index.
struct Frame {
    kind: FrameKind,
    start: usize,
    /// What a bare id in front takes; meaningless unless `ids`.
    context: Option<Qualifiers>,
    /// Whether a bare id may stand in front.
    ids: bool,
    /// Whether nothing but ids may stand here.
    only_ids: bool,
    /// Whether nothing but numbers may stand here.
    only_numbers: bool,
    left: Option<(NodeId, Option<Qualifiers>)>,
    /// The word between `left` and what is being read: whether it is `and`.
    and: bool,
    nots: usize,
    head: Option<Qualifiers>,
    head_start: usize,
    values: Vec<NodeId>,
    operators: Vec<Operator>,
    /// The left side of a relation whose right side is being read.
    relation: Option<(NodeId, Compare)>,
    /// Where the operand being read begins.
    operand: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operator {
    Binary(Arithmetic),
    Negate,
}

/// What was read, and so what may follow.
enum Step {
    /// An operator or `not`, after which an operand must come.
    Open,
    /// A number, after which an operator may come.
    Value,
    /// A condition with the qualifiers that it leaves for ids to its right.
    Condition(NodeId, Option<Qualifiers>),
}

impl Frame {
    fn new(kind: FrameKind, start: usize) -> Self {
        Self {
            kind,
            start,
            context: None,
            ids: false,
            only_ids: false,
            only_numbers: matches!(kind, FrameKind::Index(_)),
            left: None,
            and: false,
            nots: 0,
            head: None,
            head_start: start,
            values: Vec::new(),
            operators: Vec::new(),
            relation: None,
            operand: start,
        }
    }

    /// The qualifiers of a bare id at this place.
    fn current(&self) -> Option<Qualifiers> {
        match (self.head, self.left) {
            (Some(head), _) => Some(head),
            (None, Some((_, qualifiers))) => qualifiers,
            (None, None) => self.context,
        }
    }

    fn takes_ids(&self) -> bool {
        self.head.is_some() || self.left.is_some() || self.ids
    }

    fn needs_ids(&self) -> bool {
        self.head.is_some() || self.only_ids
    }

    /// Whether a sum or a relation has begun.
    fn in_arithmetic(&self) -> bool {
        self.only_numbers || self.relation.is_some() || !self.operators.is_empty()
    }
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.words[self.at.min(self.words.len() - 1)].token
    }

    fn span(&self) -> Range<usize> {
        self.words[self.at.min(self.words.len() - 1)].span.clone()
    }

    /// Where the word read last ends.
    fn end(&self) -> usize {
        self.words[self.at.saturating_sub(1).min(self.words.len() - 1)].span.end
    }

    fn frame(&mut self) -> &mut Frame {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn push(&mut self, kind: NodeKind, span: Range<usize>) -> NodeId {
        self.nodes.push(Node { kind, span });
        self.nodes.len() - 1
    }

    fn unexpected<T>(&self) -> Result<T, FilterError> {
        let message = match self.peek() {
            Token::End => "the expression ends too early".to_owned(),
            Token::Name(name) => format!("'{}' has no place here", name.escape_default()),
            _ => "this word has no place here".to_owned(),
        };
        Err(FilterError::syntax(self.span(), message))
    }

    fn run(&mut self) -> Result<NodeId, FilterError> {
        let mut step = Step::Open;
        loop {
            step = match step {
                Step::Open => self.operand()?,
                Step::Value => self.after_value()?,
                Step::Condition(node, qualifiers) => {
                    self.condition(node, qualifiers);
                    match self.after_condition()? {
                        Some(step) => step,
                        None => return self.frame().left.map(|(node, _)| node).ok_or_else(unreachable_end),
                    }
                }
            };
        }
    }

    /// Joins a whole condition to what stands left of it.
    fn condition(&mut self, mut node: NodeId, qualifiers: Option<Qualifiers>) {
        let end = self.end();
        let frame = self.frame();
        let start = frame.operand;
        let nots = std::mem::take(&mut frame.nots);
        frame.head = None;
        let (left, and) = (frame.left, frame.and);
        if nots % 2 == 1 {
            node = self.push(NodeKind::Not(node), start..end);
        }
        if let Some((left, _)) = left {
            let span = self.nodes[left].span.start..end;
            node = self.push(if and { NodeKind::And(left, node) } else { NodeKind::Or(left, node) }, span);
        }
        self.frame().left = Some((node, qualifiers));
    }

    /// `and`, `or`, a closing parenthesis, or the end (`None`).
    fn after_condition(&mut self) -> Result<Option<Step>, FilterError> {
        let token = self.peek().clone();
        let kind = self.frame().kind;
        match (token, kind) {
            (Token::And | Token::Or, _) => {
                let and = self.peek() == &Token::And;
                self.at += 1;
                let operand = self.span().start;
                let frame = self.frame();
                frame.and = and;
                frame.operand = operand;
                Ok(Some(Step::Open))
            }
            (Token::Sign(b')'), FrameKind::Paren) => self.close_condition().map(Some),
            (Token::End, FrameKind::Top) => Ok(None),
            (Token::End, _) => {
                let start = self.frame().start;
                Err(FilterError::syntax(start..start + 1, "this parenthesis is not closed"))
            }
            _ => self.unexpected(),
        }
    }

    fn close_condition(&mut self) -> Result<Step, FilterError> {
        self.at += 1;
        let Some(frame) = self.frames.pop() else { return self.unexpected() };
        let Some((node, _)) = frame.left else { return self.unexpected() };
        let end = self.end();
        let outer = self.frame();
        // A list of ids in parentheses stands behind a qualifier, `not`, `and` or `or` only.
        let stray = frame.only_ids && outer.left.is_none() && outer.head.is_none() && outer.nots == 0;
        if stray {
            return Err(FilterError::syntax(frame.start..end, "a list of ids has no place here"));
        }
        if frame.only_ids && outer.left.is_none() && outer.head.is_none() {
            outer.only_ids = true;
        }
        Ok(Step::Condition(node, frame.context))
    }

    /// What may follow a number.
    fn after_value(&mut self) -> Result<Step, FilterError> {
        if let Some(operator) = binary(self.peek()) {
            if self.frame().needs_ids() {
                return self.unexpected();
            }
            self.reduce(Some(operator))?;
            self.frame().operators.push(Operator::Binary(operator));
            self.at += 1;
            return Ok(Step::Open);
        }
        self.reduce(None)?;
        if let Some(compare) = comparison(self.peek()) {
            let frame = self.frame();
            if frame.only_numbers || frame.relation.is_some() || frame.needs_ids() {
                return self.unexpected();
            }
            frame.relation = frame.values.pop().map(|value| (value, compare));
            self.at += 1;
            return Ok(Step::Open);
        }
        let Some(value) = self.frame().values.pop() else { return self.unexpected() };
        if let Some((a, op)) = self.frame().relation.take() {
            let span = self.nodes[a].span.start..self.nodes[value].span.end;
            let node = self.push(NodeKind::Relation { a, op, b: value }, span);
            return Ok(Step::Condition(node, None));
        }
        self.lone_value(value)
    }

    /// A number that is no side of a relation: the end of a parenthesis or of an index, or an id.
    fn lone_value(&mut self, value: NodeId) -> Result<Step, FilterError> {
        if let FrameKind::Index(proto) = self.frame().kind {
            return self.close_index(proto, value);
        }
        let frame = self.frame();
        let alone = frame.left.is_none() && frame.nots == 0 && frame.head.is_none();
        if frame.kind == FrameKind::Paren && alone && self.peek() == &Token::Sign(b')') {
            self.at += 1;
            self.frames.pop();
            let number = matches!(self.nodes[value].kind, NodeKind::Number(_));
            if self.frame().needs_ids() && !number {
                return self.unexpected();
            }
            self.frame().values.push(value);
            return Ok(Step::Value);
        }
        let NodeKind::Number(number) = self.nodes[value].kind else { return self.unexpected() };
        if !self.frame().takes_ids() || self.frame().only_numbers {
            return self.unexpected();
        }
        let span = self.nodes[value].span.clone();
        self.id(Id::Number(number), span)
    }

    fn close_index(&mut self, proto: Proto, index: NodeId) -> Result<Step, FilterError> {
        let mut size = 1;
        if self.peek() == &Token::Sign(b':') {
            self.at += 1;
            let Token::Number(number) = *self.peek() else { return self.unexpected() };
            if !matches!(number, 1 | 2 | 4) {
                return Err(FilterError::syntax(self.span(), "data size must be 1, 2, or 4"));
            }
            size = number;
            self.at += 1;
        }
        if self.peek() != &Token::Sign(b']') {
            return self.unexpected();
        }
        self.at += 1;
        let start = self.frame().start;
        self.frames.pop();
        let span = start..self.end();
        let node = self.push(NodeKind::Load { proto, index, size }, span);
        self.frame().values.push(node);
        Ok(Step::Value)
    }

    /// An id with the qualifiers that hold here.
    fn id(&mut self, id: Id, span: Range<usize>) -> Result<Step, FilterError> {
        let frame = self.frame();
        let qualifiers = frame.current();
        if frame.left.is_none() && frame.head.is_none() {
            frame.only_ids = true;
        }
        let frame = self.frame();
        let start = if frame.head.is_some() { frame.head_start } else { span.start };
        let node = self.push(NodeKind::Id { id, qualifiers }, start..span.end);
        Ok(Step::Condition(node, qualifiers))
    }

    /// Works off the operators that bind at least as tightly as the next one.
    fn reduce(&mut self, next: Option<Arithmetic>) -> Result<(), FilterError> {
        while let Some(&top) = self.frame().operators.last() {
            if next.is_some_and(|next| !reduces(top, next)) {
                break;
            }
            let frame = self.frame();
            frame.operators.pop();
            let Some(b) = frame.values.pop() else { return self.unexpected() };
            let end = self.nodes[b].span.end;
            let node = match top {
                Operator::Negate => self.push(NodeKind::Negate(b), self.nodes[b].span.start..end),
                Operator::Binary(op) => {
                    let Some(a) = self.frame().values.pop() else { return self.unexpected() };
                    self.push(NodeKind::Binary { op, a, b }, self.nodes[a].span.start..end)
                }
            };
            self.frame().values.push(node);
        }
        Ok(())
    }
}

fn unreachable_end() -> FilterError {
    FilterError::syntax(0..0, "the expression ends too early")
}

/// `%` and `^` have no precedence in libpcap's grammar, so bison shifts: they and what follows them bind to the right.
fn precedence(op: Arithmetic) -> Option<u8> {
    match op {
        Arithmetic::Or => Some(1),
        Arithmetic::And => Some(2),
        Arithmetic::ShiftLeft | Arithmetic::ShiftRight => Some(3),
        Arithmetic::Add | Arithmetic::Sub => Some(4),
        Arithmetic::Mul | Arithmetic::Div => Some(5),
        Arithmetic::Mod | Arithmetic::Xor => None,
    }
}

fn reduces(top: Operator, next: Arithmetic) -> bool {
    let top = match top {
        Operator::Negate => Some(6),
        Operator::Binary(op) => precedence(op),
    };
    matches!((top, precedence(next)), (Some(top), Some(next)) if top >= next)
}

fn binary(token: &Token) -> Option<Arithmetic> {
    Some(match token {
        Token::Sign(b'+') => Arithmetic::Add,
        Token::Sign(b'-') => Arithmetic::Sub,
        Token::Sign(b'*') => Arithmetic::Mul,
        Token::Sign(b'/') => Arithmetic::Div,
        Token::Sign(b'%') => Arithmetic::Mod,
        Token::Sign(b'&') => Arithmetic::And,
        Token::Sign(b'|') => Arithmetic::Or,
        Token::Sign(b'^') => Arithmetic::Xor,
        Token::ShiftLeft => Arithmetic::ShiftLeft,
        Token::ShiftRight => Arithmetic::ShiftRight,
        _ => return None,
    })
}

fn comparison(token: &Token) -> Option<Compare> {
    Some(match token {
        Token::Greater => Compare::Greater,
        Token::GreaterEqual => Compare::GreaterEqual,
        Token::Less => Compare::Less,
        Token::LessEqual => Compare::LessEqual,
        Token::Equal => Compare::Equal,
        Token::NotEqual => Compare::NotEqual,
        _ => return None,
    })
}
