//! Values: what is loaded from a packet and computed from it. Equal ones have one number.

use super::hash::FastMap;
use crate::tree::Arithmetic;

pub(crate) type ValueId = u32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Value {
    Constant(u32),
    /// Bytes of the packet, big-endian, at `base + offset`.
    Load {
        size: u8,
        base: Option<ValueId>,
        offset: u32,
    },
    /// Four times the low half of a byte: the length of an IPv4 header.
    HeaderLength(u32),
    /// The packet's length on the wire.
    Len,
    /// What the kernel knows beside the bytes, by its offset from SKF_AD_OFF (include/uapi/linux/filter.h).
    Ancillary(u32),
    /// A memory word that is written before every read and not after one.
    Slot(u8),
    Alu(Arithmetic, ValueId, ValueId),
    Negate(ValueId),
    /// The protocol at the end of a chain of headers, or `want` where that is met: `protochain`, which needs a loop.
    Chain {
        ip6: bool,
        network: u32,
        want: u32,
    },
    /// Ends the program whenever it is computed: a load that no packet is long enough for, a division by zero.
    Fault,
}

/// All values of a program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    values: Vec<Value>,
    numbers: FastMap<Value, ValueId>,
    facts: Vec<Facts>,
    slots: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Facts {
    most: u32,
    depth: u32,
    may_fault: bool,
    end: u32,
}

/// Offsets from here on no packet reaches; the kernel gives negative offsets a meaning of their own.
const OFFSET_LIMIT: u64 = 0x7fff_ff00;

impl Values {
    pub(crate) fn get(&self, id: ValueId) -> Value {
        self.values[id as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The largest number that the value can be.
    pub(crate) fn most(&self, id: ValueId) -> u32 {
        self.facts[id as usize].most
    }

    /// How deeply its computation nests.
    pub(crate) fn depth(&self, id: ValueId) -> u32 {
        self.facts[id as usize].depth
    }

    /// Whether computing it can end the program.
    pub(crate) fn may_fault(&self, id: ValueId) -> bool {
        self.facts[id as usize].may_fault
    }

    /// How far into the packet the loads of the value reach for certain.
    pub(crate) fn end(&self, id: ValueId) -> u32 {
        self.facts[id as usize].end
    }

    pub(crate) fn as_constant(&self, id: ValueId) -> Option<u32> {
        match self.get(id) {
            Value::Constant(k) => Some(k),
            _ => None,
        }
    }

    /// Whether a kernel could read something else than libpcap, as the offset may be beyond all packets: then the base has to be
    /// compared with this limit first.
    pub(crate) fn guard(&self, id: ValueId) -> Option<(ValueId, u32)> {
        let Value::Load { base: Some(base), offset, .. } = self.get(id) else { return None };
        let limit = OFFSET_LIMIT.saturating_sub(u64::from(offset)) as u32;
        (self.most(base) > limit).then_some((base, limit))
    }

    pub(crate) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// A new memory word for numbers up to `most`.
    pub(crate) fn new_slot(&mut self, most: u32) -> u8 {
        self.slots.push(most);
        (self.slots.len() - 1) as u8
    }

    pub(crate) fn make(&mut self, value: Value) -> ValueId {
        if let Some(&id) = self.numbers.get(&value) {
            return id;
        }
        let id = self.values.len() as ValueId;
        let facts = self.facts_of(value);
        self.values.push(value);
        self.facts.push(facts);
        self.numbers.insert(value, id);
        id
    }

    pub(crate) fn constant(&mut self, k: u32) -> ValueId {
        self.make(Value::Constant(k))
    }

    pub(crate) fn fault(&mut self) -> ValueId {
        self.make(Value::Fault)
    }

    pub(crate) fn load(&mut self, size: u8, base: Option<ValueId>, offset: u32) -> ValueId {
        let reaches = |sum: u64| sum + u64::from(size) <= OFFSET_LIMIT;
        if !reaches(offset.into()) {
            return self.fault();
        }
        let Some(base) = base else { return self.make(Value::Load { size, base, offset }) };
        match self.get(base) {
            Value::Fault => base,
            Value::Constant(k) if reaches(u64::from(k) + u64::from(offset)) => self.load(size, None, k + offset),
            Value::Constant(_) => self.fault(),
            // Only where the sum cannot wrap around: libpcap adds in 32 bits before it compares with the length.
            Value::Alu(Arithmetic::Add, inner, k)
                if self.as_constant(k).is_some_and(|k| self.most(inner).checked_add(k).is_some()) =>
            {
                let k = self.as_constant(k).unwrap_or(0);
                match offset.checked_add(k) {
                    Some(offset) => self.load(size, Some(inner), offset),
                    None => self.fault(),
                }
            }
            _ => self.make(Value::Load { size, base: Some(base), offset }),
        }
    }

    pub(crate) fn negate(&mut self, a: ValueId) -> ValueId {
        match self.get(a) {
            Value::Constant(k) => self.constant(k.wrapping_neg()),
            Value::Negate(inner) => inner,
            Value::Fault => a,
            _ => self.make(Value::Negate(a)),
        }
    }

    pub(crate) fn alu(&mut self, op: Arithmetic, a: ValueId, b: ValueId) -> ValueId {
        if self.get(a) == Value::Fault || self.get(b) == Value::Fault {
            return self.fault();
        }
        match (self.as_constant(a), self.as_constant(b)) {
            (Some(a), Some(b)) => match compute(op, a, b) {
                Some(k) => self.constant(k),
                None => self.fault(),
            },
            (Some(_), None) if commutes(op) => self.alu(op, b, a),
            (_, Some(k)) => self.alu_constant(op, a, k),
            _ if matches!(op, Arithmetic::ShiftLeft | Arithmetic::ShiftRight) => self.shift(op, a, b),
            _ => self.make(Value::Alu(op, a, b)),
        }
    }

    fn alu_constant(&mut self, op: Arithmetic, a: ValueId, k: u32) -> ValueId {
        use Arithmetic::*;
        let certain = !self.may_fault(a);
        let most = self.most(a);
        match (op, k) {
            (Div | Mod, 0) => return self.fault(),
            (Sub, k) => return self.alu_constant(Add, a, k.wrapping_neg()),
            (Add | Or | Xor | ShiftLeft | ShiftRight, 0) | (Mul | Div, 1) => return a,
            (And | Mul, 0) | (Mod, 1) if certain => return self.constant(0),
            (ShiftLeft | ShiftRight, 32..) if certain => return self.constant(0),
            (ShiftLeft | ShiftRight, 32..) => return self.alu_constant(And, a, 0),
            (And, k) if k.wrapping_add(1) & k == 0 && most <= k => return a,
            _ => {}
        }
        if let Value::Alu(inner, x, c) = self.get(a)
            && inner == op
            && let Some(c) = self.as_constant(c)
        {
            match op {
                Add => return self.alu_constant(op, x, c.wrapping_add(k)),
                And => return self.alu_constant(op, x, c & k),
                Or => return self.alu_constant(op, x, c | k),
                Xor => return self.alu_constant(op, x, c ^ k),
                _ => {}
            }
        }
        let k = self.constant(k);
        self.make(Value::Alu(op, a, k))
    }

    /// libpcap gives zero for a shift by more than 31, the kernel shifts by the low five bits. Where the count may be larger, the result
    /// is multiplied by one or by zero, so that both say the same.
    fn shift(&mut self, op: Arithmetic, a: ValueId, count: ValueId) -> ValueId {
        if self.most(count) <= 31 {
            return self.make(Value::Alu(op, a, count));
        }
        let low = self.alu_constant(Arithmetic::And, count, 31);
        let shifted = self.make(Value::Alu(op, a, low));
        let high = self.alu_constant(Arithmetic::ShiftRight, count, 5);
        let divisor = self.alu_constant(Arithmetic::Add, high, 1);
        let one = self.constant(1);
        let factor = self.make(Value::Alu(Arithmetic::Div, one, divisor));
        self.make(Value::Alu(Arithmetic::Mul, shifted, factor))
    }

    fn facts_of(&self, value: Value) -> Facts {
        let leaf = |most, may_fault| Facts { most, depth: 0, may_fault, end: 0 };
        match value {
            Value::Constant(k) => leaf(k, false),
            Value::Load { size, base, offset } => Facts {
                most: (u64::MAX >> (64 - 8 * u32::from(size))) as u32,
                depth: base.map_or(0, |base| self.depth(base) + 1),
                may_fault: true,
                end: base.map_or(offset + u32::from(size), |base| self.end(base)),
            },
            Value::HeaderLength(at) => Facts { end: at + 1, ..leaf(60, true) },
            Value::Len => leaf(u32::MAX, false),
            Value::Ancillary(offset) => leaf(ancillary_most(offset), false),
            Value::Slot(slot) => leaf(self.slots[usize::from(slot)], false),
            Value::Alu(op, a, b) => Facts {
                most: self.alu_most(op, a, b),
                depth: self.depth(a).max(self.depth(b)) + 1,
                may_fault: self.may_fault(a)
                    || self.may_fault(b)
                    || matches!(op, Arithmetic::Div | Arithmetic::Mod) && self.as_constant(b).is_none(),
                end: self.end(a).max(self.end(b)),
            },
            Value::Negate(a) => {
                Facts { most: u32::MAX, depth: self.depth(a) + 1, may_fault: self.may_fault(a), end: self.end(a) }
            }
            Value::Chain { .. } => leaf(u32::MAX, true),
            Value::Fault => leaf(0, true),
        }
    }

    fn alu_most(&self, op: Arithmetic, a: ValueId, b: ValueId) -> u32 {
        let (x, y) = (self.most(a), self.most(b));
        let constant = self.as_constant(b);
        match op {
            Arithmetic::Add => x.saturating_add(y),
            Arithmetic::Mul => x.saturating_mul(y),
            Arithmetic::And => x.min(y),
            Arithmetic::Or | Arithmetic::Xor => u32::MAX >> (x | y).leading_zeros().min(31),
            Arithmetic::Div => constant.map_or(x, |k| x / k.max(1)),
            Arithmetic::Mod => constant.map_or(x, |k| x.min(k.saturating_sub(1))),
            Arithmetic::ShiftRight => constant.map_or(x, |k| x >> k.min(31)),
            Arithmetic::ShiftLeft => match constant {
                Some(k) if u64::from(x) << k.min(31) <= u64::from(u32::MAX) => x << k.min(31),
                _ => u32::MAX,
            },
            Arithmetic::Sub => u32::MAX,
        }
    }
}

fn ancillary_most(offset: u32) -> u32 {
    match offset {
        super::cond::VLAN_TAG_PRESENT => 1,
        super::cond::VLAN_TAG => 0xffff,
        _ => u32::MAX,
    }
}

fn commutes(op: Arithmetic) -> bool {
    matches!(op, Arithmetic::Add | Arithmetic::Mul | Arithmetic::And | Arithmetic::Or | Arithmetic::Xor)
}

/// As libpcap's interpreter computes it; `None` for a division by zero.
pub(crate) fn compute(op: Arithmetic, a: u32, b: u32) -> Option<u32> {
    Some(match op {
        Arithmetic::Add => a.wrapping_add(b),
        Arithmetic::Sub => a.wrapping_sub(b),
        Arithmetic::Mul => a.wrapping_mul(b),
        Arithmetic::Div => a.checked_div(b)?,
        Arithmetic::Mod => a.checked_rem(b)?,
        Arithmetic::And => a & b,
        Arithmetic::Or => a | b,
        Arithmetic::Xor => a ^ b,
        Arithmetic::ShiftLeft => a.checked_shl(b).unwrap_or(0),
        Arithmetic::ShiftRight => a.checked_shr(b).unwrap_or(0),
    })
}
