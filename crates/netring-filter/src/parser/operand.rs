//! What can begin an operand: a primitive, a number, an id, a parenthesis, `not`, a minus sign.

use super::{Frame, FrameKind, Operator, Parser, Step};
use crate::error::{FilterError, FilterErrorKind};
use crate::keywords::{Keyword, Proto};
use crate::lexer::Token;
use crate::tree::{ByteOp, Dir, Id, IdKind, Llc, NodeKind, Qualifiers};

impl Parser<'_> {
    pub(super) fn operand(&mut self) -> Result<Step, FilterError> {
        let span = self.span();
        let numbers = self.frame().in_arithmetic();
        match self.peek().clone() {
            Token::Not if !numbers => {
                self.at += 1;
                self.frame().nots += 1;
                Ok(Step::Open)
            }
            Token::Sign(b'(') => {
                self.at += 1;
                self.open_paren(span.start);
                Ok(Step::Open)
            }
            Token::Number(number) => {
                self.at += 1;
                if self.frame().needs_ids() && !numbers {
                    return self.id(Id::Number(number), span);
                }
                let node = self.push(NodeKind::Number(number), span);
                self.frame().values.push(node);
                Ok(Step::Value)
            }
            Token::Name(_) | Token::Dotted(_) | Token::Ip6(_) | Token::Mac(_) | Token::Arcnet
                if !numbers && self.frame().takes_ids() =>
            {
                self.named_id()
            }
            Token::Sign(b'-') if !self.frame().needs_ids() => {
                self.at += 1;
                self.frame().operators.push(Operator::Negate);
                Ok(Step::Open)
            }
            Token::Keyword(keyword) if !self.frame().needs_ids() => self.keyword(keyword, numbers),
            _ => self.unexpected(),
        }
    }

    fn open_paren(&mut self, start: usize) {
        let outer = self.frame();
        let mut frame = Frame::new(FrameKind::Paren, start);
        frame.only_numbers = outer.in_arithmetic();
        frame.context = outer.current();
        frame.ids = outer.takes_ids() && !frame.only_numbers;
        frame.only_ids = outer.needs_ids();
        frame.operand = self.span().start;
        self.frames.push(frame);
    }

    fn named_id(&mut self) -> Result<Step, FilterError> {
        let start = self.span().start;
        let token = self.peek().clone();
        self.at += 1;
        let id = match token {
            Token::Name(name) => Id::Name(name),
            Token::Mac(mac) => Id::Mac(mac),
            Token::Arcnet => Id::Arcnet,
            Token::Ip6(address) => Id::Ip6(address, self.prefix()?),
            Token::Dotted(address) if self.peek() == &Token::Keyword(Keyword::Mask) => {
                self.at += 1;
                let Token::Dotted(mask) = self.peek().clone() else { return self.unexpected() };
                self.at += 1;
                Id::DottedMask(address, mask)
            }
            Token::Dotted(address) => match self.prefix()? {
                Some(prefix) => Id::DottedPrefix(address, prefix),
                None => Id::Dotted(address),
            },
            _ => return self.unexpected(),
        };
        self.id(id, start..self.end())
    }

    /// `/24`
    fn prefix(&mut self) -> Result<Option<u32>, FilterError> {
        if self.peek() != &Token::Sign(b'/') {
            return Ok(None);
        }
        self.at += 1;
        self.number().map(Some)
    }

    fn number(&mut self) -> Result<u32, FilterError> {
        let Token::Number(number) = *self.peek() else { return self.unexpected() };
        self.at += 1;
        Ok(number)
    }

    /// A number in any count of parentheses, if one stands here.
    fn optional_number(&mut self) -> Result<Option<u32>, FilterError> {
        let mut depth = 0;
        while self.peek() == &Token::Sign(b'(') {
            self.at += 1;
            depth += 1;
        }
        if depth == 0 && !matches!(self.peek(), Token::Number(_)) {
            return Ok(None);
        }
        let number = self.number()?;
        for _ in 0..depth {
            if self.peek() != &Token::Sign(b')') {
                return self.unexpected();
            }
            self.at += 1;
        }
        Ok(Some(number))
    }

    fn keyword(&mut self, keyword: Keyword, numbers: bool) -> Result<Step, FilterError> {
        let span = self.span();
        if numbers && !matches!(keyword, Keyword::Len | Keyword::Proto(_)) {
            return self.unexpected();
        }
        if head_word(keyword) {
            return self.head(None, span.start);
        }
        self.at += 1;
        match keyword {
            Keyword::Proto(proto) => return self.proto(proto, numbers, span.start),
            Keyword::Len => {
                let node = self.push(NodeKind::Len, span);
                self.frame().values.push(node);
                return Ok(Step::Value);
            }
            Keyword::Foreign(what) => return Err(foreign(span, what)),
            Keyword::Rnr => return Err(foreign(span, "pflog")),
            _ => {}
        }
        let kind = match keyword {
            Keyword::Broadcast => NodeKind::Broadcast(None),
            Keyword::Multicast => NodeKind::Multicast(None),
            Keyword::Less => NodeKind::Less(self.number()?),
            Keyword::Greater => NodeKind::Greater(self.number()?),
            Keyword::Byte => self.byte()?,
            Keyword::Inbound => NodeKind::Direction { outbound: false },
            Keyword::Outbound => NodeKind::Direction { outbound: true },
            Keyword::Ifindex => NodeKind::Ifindex(self.number()?),
            Keyword::Vlan => NodeKind::Vlan(self.optional_number()?),
            Keyword::Mpls => NodeKind::Mpls(self.optional_number()?),
            Keyword::Pppoed => NodeKind::Pppoed,
            Keyword::Pppoes => NodeKind::Pppoes(self.optional_number()?),
            Keyword::Geneve => NodeKind::Geneve(self.optional_number()?),
            Keyword::Vxlan => NodeKind::Vxlan(self.optional_number()?),
            Keyword::Llc => NodeKind::Llc(self.llc()?),
            _ => {
                self.at -= 1;
                return self.unexpected();
            }
        };
        self.primitive(kind, span.start)
    }

    fn primitive(&mut self, kind: NodeKind, start: usize) -> Result<Step, FilterError> {
        let span = start..self.end();
        Ok(Step::Condition(self.push(kind, span), None))
    }

    fn proto(&mut self, proto: Proto, numbers: bool, start: usize) -> Result<Step, FilterError> {
        if self.peek() == &Token::Sign(b'[') {
            self.at += 1;
            let mut frame = Frame::new(FrameKind::Index(proto), start);
            frame.operand = self.span().start;
            self.frames.push(frame);
            return Ok(Step::Open);
        }
        if numbers {
            return self.unexpected();
        }
        match *self.peek() {
            Token::Keyword(Keyword::Broadcast) => {
                self.at += 1;
                self.primitive(NodeKind::Broadcast(Some(proto)), start)
            }
            Token::Keyword(Keyword::Multicast) => {
                self.at += 1;
                self.primitive(NodeKind::Multicast(Some(proto)), start)
            }
            Token::Keyword(Keyword::Foreign("802.11")) => Err(foreign(self.span(), "802.11")),
            Token::Keyword(keyword) if head_word(keyword) => self.head(Some(proto), start),
            _ => self.primitive(NodeKind::Abbreviation(proto), start),
        }
    }

    /// Direction and type before an id.
    fn head(&mut self, proto: Option<Proto>, start: usize) -> Result<Step, FilterError> {
        let dir = self.direction()?;
        let kind = match *self.peek() {
            Token::Keyword(Keyword::Host) => IdKind::Host,
            Token::Keyword(Keyword::Net) => IdKind::Net,
            Token::Keyword(Keyword::Port) => IdKind::Port,
            Token::Keyword(Keyword::PortRange) => IdKind::PortRange,
            Token::Keyword(Keyword::ProtoWord) if dir == Dir::Default => IdKind::Proto,
            Token::Keyword(Keyword::ProtoChain) if dir == Dir::Default => IdKind::ProtoChain,
            Token::Keyword(Keyword::Gateway) if dir == Dir::Default => IdKind::Gateway,
            _ => IdKind::Default,
        };
        if kind != IdKind::Default {
            self.at += 1;
        }
        let frame = self.frame();
        frame.head = Some(Qualifiers { proto, dir, kind });
        frame.head_start = start;
        Ok(Step::Open)
    }

    fn direction(&mut self) -> Result<Dir, FilterError> {
        let src = Token::Keyword(Keyword::Src);
        let dst = Token::Keyword(Keyword::Dst);
        let (one, other) = match self.peek() {
            token if *token == src => (Dir::Src, dst),
            token if *token == dst => (Dir::Dst, src),
            _ => return Ok(Dir::Default),
        };
        self.at += 1;
        let both = match self.peek() {
            Token::Or => Dir::SrcOrDst,
            Token::And => Dir::SrcAndDst,
            _ => return Ok(one),
        };
        self.at += 1;
        if *self.peek() != other {
            return self.unexpected();
        }
        self.at += 1;
        Ok(both)
    }

    fn byte(&mut self) -> Result<NodeKind, FilterError> {
        let index = self.number()?;
        let op = match self.peek() {
            Token::Sign(b'&') => ByteOp::And,
            Token::Sign(b'|') => ByteOp::Or,
            Token::Less => ByteOp::Less,
            Token::Greater => ByteOp::Greater,
            Token::Equal => ByteOp::Equal,
            _ => return self.unexpected(),
        };
        self.at += 1;
        Ok(NodeKind::Byte { index, op, value: self.number()? })
    }

    fn llc(&mut self) -> Result<Llc, FilterError> {
        let name = match self.peek() {
            Token::Keyword(Keyword::Rnr) => "rnr".to_owned(),
            Token::Name(name) => name.to_ascii_lowercase(),
            _ => return Ok(Llc::Any),
        };
        // The control fields of ISO 8802-2, as libpcap's llc.h has them.
        let kind = match name.as_str() {
            "i" => Llc::Information,
            "s" => Llc::Supervisory,
            "u" => Llc::Unnumbered,
            "rr" => Llc::SupervisoryType(0x01),
            "rnr" => Llc::SupervisoryType(0x05),
            "rej" => Llc::SupervisoryType(0x09),
            "ui" => Llc::UnnumberedType(0x03),
            "ua" => Llc::UnnumberedType(0x63),
            "disc" => Llc::UnnumberedType(0x43),
            "dm" => Llc::UnnumberedType(0x0f),
            "sabme" => Llc::UnnumberedType(0x6f),
            "test" => Llc::UnnumberedType(0xe3),
            "xid" => Llc::UnnumberedType(0xaf),
            "frmr" => Llc::UnnumberedType(0x87),
            _ => return Err(FilterError::syntax(self.span(), "unknown LLC type name")),
        };
        self.at += 1;
        Ok(kind)
    }
}

fn head_word(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::Src
            | Keyword::Dst
            | Keyword::Host
            | Keyword::Net
            | Keyword::Port
            | Keyword::PortRange
            | Keyword::ProtoWord
            | Keyword::ProtoChain
            | Keyword::Gateway
    )
}

fn foreign(span: std::ops::Range<usize>, what: &str) -> FilterError {
    FilterError::new(FilterErrorKind::LinkType, span, format!("this is of {what} only, which has no link type here"))
}
