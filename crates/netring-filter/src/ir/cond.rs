//! Conditions: tests and their combination, in a list where parts stand before the whole.

use super::{Right, Test, ValueId};

// Offsets from SKF_AD_OFF, include/uapi/linux/filter.h.
pub(crate) const PACKET_TYPE: u32 = 4;
pub(crate) const IFINDEX: u32 = 8;
pub(crate) const VLAN_TAG: u32 = 44;
pub(crate) const VLAN_TAG_PRESENT: u32 = 48;

pub(crate) type CondId = usize;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Cond {
    Always(bool),
    Test {
        value: ValueId,
        test: Test,
        right: Right,
    },
    And(CondId, CondId),
    Or(CondId, CondId),
    Not(CondId),
    /// True, after the value was put into the slot.
    Store {
        slot: u8,
        value: ValueId,
    },
    /// True, unless the value is above the limit: then the whole program ends with no match.
    Guard {
        value: ValueId,
        limit: u32,
    },
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Conds {
    conds: Vec<Cond>,
}

impl Conds {
    pub(crate) fn get(&self, id: CondId) -> Cond {
        self.conds[id]
    }

    pub(crate) fn push(&mut self, cond: Cond) -> CondId {
        self.conds.push(cond);
        self.conds.len() - 1
    }

    pub(crate) fn and(&mut self, a: CondId, b: CondId) -> CondId {
        self.push(Cond::And(a, b))
    }

    pub(crate) fn or(&mut self, a: CondId, b: CondId) -> CondId {
        self.push(Cond::Or(a, b))
    }

    pub(crate) fn not(&mut self, a: CondId) -> CondId {
        self.push(Cond::Not(a))
    }

    pub(crate) fn always(&mut self, value: bool) -> CondId {
        self.push(Cond::Always(value))
    }

    pub(crate) fn test(&mut self, value: ValueId, test: Test, right: u32) -> CondId {
        self.push(Cond::Test { value, test, right: Right::Constant(right) })
    }

    pub(crate) fn equal(&mut self, value: ValueId, right: u32) -> CondId {
        self.test(value, Test::Equal, right)
    }
}
