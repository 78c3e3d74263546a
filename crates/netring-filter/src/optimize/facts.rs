//! What is known of values at a place of the graph.

use crate::ir::graph::in_range;
use crate::ir::value::compute;
use crate::ir::{Right, Test, Value, ValueId, Values};

/// How many values are remembered; the oldest is forgotten first.
const REMEMBERED: usize = 24;
const SET: usize = 4;

/// What is known of one value. That it is listed says that it was computed, so its loads are within the packet.
#[derive(Clone, Copy, Debug)]
struct Fact {
    value: ValueId,
    age: u32,
    low: u32,
    high: u32,
    /// It is one of these, if there are any.
    set: Set,
    /// It is none of these.
    not: Set,
    /// These bits are clear.
    clear: u32,
    /// Some of these bits is set, if there are any.
    some: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Set {
    len: u8,
    items: [u32; SET],
}

impl Set {
    fn items(&self) -> &[u32] {
        &self.items[..usize::from(self.len)]
    }

    fn contains(&self, item: u32) -> bool {
        self.items().contains(&item)
    }

    /// Whether there was room.
    fn insert(&mut self, item: u32) -> bool {
        if self.contains(item) {
            return true;
        }
        let Some(place) = self.items.get_mut(usize::from(self.len)) else { return false };
        *place = item;
        self.len += 1;
        true
    }

    fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        let mut kept = Self::default();
        for &item in self.items() {
            if keep(item) {
                kept.insert(item);
            }
        }
        *self = kept;
    }
}

impl Fact {
    fn any(value: ValueId, age: u32, high: u32) -> Self {
        Self { value, age, low: 0, high, set: Set::default(), not: Set::default(), clear: 0, some: 0 }
    }

    fn outcome(&self, test: Test, k: u32) -> Option<bool> {
        if let Some((&first, rest)) = self.set.items().split_first() {
            let outcome = test.holds(first, k);
            return rest.iter().all(|&item| test.holds(item, k) == outcome).then_some(outcome);
        }
        if let Some(outcome) = in_range(self.low, self.high, test, k) {
            return Some(outcome);
        }
        match test {
            Test::Equal if self.not.contains(k) || self.clear & k != 0 => Some(false),
            Test::Set if k & !self.clear == 0 => Some(false),
            Test::Set if self.some != 0 && self.some & !k == 0 => Some(true),
            Test::Equal if self.some != 0 && self.some & k == 0 => Some(false),
            _ => None,
        }
    }

    fn learn(&mut self, test: Test, k: u32, outcome: bool) {
        if self.set.len > 0 {
            self.set.retain(|item| test.holds(item, k) == outcome);
        }
        match (test, outcome) {
            (Test::Equal, true) => {
                self.set = Set::default();
                self.set.insert(k);
            }
            (Test::Equal, false) => {
                // Where there is no more room it is forgotten.
                self.not.insert(k);
                if k == self.low {
                    self.low = self.low.saturating_add(1);
                }
                if k == self.high {
                    self.high = self.high.saturating_sub(1);
                }
            }
            (Test::Greater, true) => self.low = self.low.max(k.saturating_add(1)),
            (Test::Greater, false) => self.high = self.high.min(k),
            (Test::GreaterEqual, true) => self.low = self.low.max(k),
            (Test::GreaterEqual, false) => self.high = self.high.min(k.saturating_sub(1)),
            (Test::Set, false) => self.clear |= k,
            (Test::Set, true) => self.some = k,
        }
    }

    fn bounds(&self) -> (u32, u32) {
        let items = self.set.items();
        match (items.iter().min(), items.iter().max()) {
            (Some(&low), Some(&high)) => (low, high),
            _ => (self.low, self.high),
        }
    }

    fn clear_bits(&self) -> u32 {
        let items = self.set.items();
        if items.is_empty() { self.clear } else { !items.iter().fold(0, |bits, item| bits | item) }
    }

    /// What holds whichever of the two does.
    fn or(&self, other: &Self) -> Self {
        let ((low, high), (low2, high2)) = (self.bounds(), other.bounds());
        let mut out = Self::any(self.value, self.age.max(other.age), high.max(high2));
        out.low = low.min(low2);
        out.clear = self.clear_bits() & other.clear_bits();
        out.some = if self.some == other.some { self.some } else { 0 };
        if self.set.len > 0 && other.set.len > 0 {
            let mut set = self.set;
            if other.set.items().iter().all(|&item| set.insert(item)) {
                out.set = set;
            }
        }
        for &item in self.not.items().iter().chain(other.not.items()) {
            let excluded = |fact: &Self| fact.outcome(Test::Equal, item) == Some(false);
            if excluded(self) && excluded(other) {
                out.not.insert(item);
            }
        }
        out
    }
}

/// What is known, sorted by value.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    facts: Vec<Fact>,
    /// How far into the packet loads have reached.
    reach: u32,
}

impl Facts {
    fn get(&self, value: ValueId) -> Option<&Fact> {
        self.facts.binary_search_by_key(&value, |fact| fact.value).ok().map(|at| &self.facts[at])
    }

    /// Whether computing the value cannot end the program here, as all its loads have been done.
    pub(super) fn computed(&self, values: &Values, value: ValueId) -> bool {
        if !values.may_fault(value) || self.get(value).is_some() {
            return true;
        }
        match values.get(value) {
            Value::Load { base: None, .. } | Value::HeaderLength(_) => values.end(value) <= self.reach,
            Value::Alu(_, a, b) if values.as_constant(b).is_some() => self.computed(values, a),
            Value::Negate(a) => self.computed(values, a),
            _ => false,
        }
    }

    /// The outcome of a test, if what is known tells it; then the value has been computed too.
    pub(super) fn outcome(&self, values: &Values, value: ValueId, test: Test, right: Right) -> Option<bool> {
        let Right::Constant(k) = right else { return None };
        if let Some(outcome) = self.get(value).and_then(|fact| fact.outcome(test, k)) {
            return Some(outcome);
        }
        let mut all = self.members(values, value)?.into_iter().map(|item| test.holds(item, k));
        let first = all.next()?;
        all.all(|outcome| outcome == first).then_some(first)
    }

    /// The few numbers that the value can be.
    pub(super) fn members(&self, values: &Values, value: ValueId) -> Option<Vec<u32>> {
        if let Some(fact) = self.get(value)
            && fact.set.len > 0
        {
            return Some(fact.set.items().to_vec());
        }
        let Value::Alu(op, inner, k) = values.get(value) else { return None };
        let k = values.as_constant(k)?;
        let fact = self.get(inner).filter(|fact| fact.set.len > 0)?;
        fact.set.items().iter().map(|&item| compute(op, item, k)).collect()
    }

    /// Remembers that the value was computed, and what a test of it told.
    pub(super) fn learn(&mut self, values: &Values, value: ValueId, age: u32, told: Option<(Test, Right, bool)>) {
        self.entry(values, value, age);
        self.reach = self.reach.max(values.end(value));
        if let Some((test, Right::Constant(k), outcome)) = told
            && let Ok(at) = self.facts.binary_search_by_key(&value, |fact| fact.value)
        {
            self.facts[at].learn(test, k, outcome);
        }
        // The load inside, as well.
        match values.get(value) {
            Value::Alu(_, inner, k) if values.as_constant(k).is_some() && values.may_fault(inner) => {
                self.learn(values, inner, age, None);
            }
            Value::Load { base: Some(base), .. } if matches!(values.get(base), Value::HeaderLength(_)) => {
                self.entry(values, base, age);
            }
            _ => {}
        }
        if let Some((_, Right::Value(other), _)) = told {
            self.learn(values, other, age, None);
        }
    }

    fn entry(&mut self, values: &Values, value: ValueId, age: u32) {
        match self.facts.binary_search_by_key(&value, |fact| fact.value) {
            Ok(at) => self.facts[at].age = age,
            Err(_) => {
                if self.facts.len() >= REMEMBERED {
                    let oldest = self.facts.iter().enumerate().min_by_key(|(_, fact)| fact.age).map(|(at, _)| at);
                    self.facts.remove(oldest.unwrap_or(0));
                }
                let at = self.facts.partition_point(|fact| fact.value < value);
                self.facts.insert(at, Fact::any(value, age, values.most(value)));
            }
        }
    }

    /// Keeps what holds in both.
    pub(super) fn meet(&mut self, other: &Self) {
        self.reach = self.reach.min(other.reach);
        let mut theirs = other.facts.iter().peekable();
        self.facts.retain_mut(|fact| {
            while theirs.next_if(|other| other.value < fact.value).is_some() {}
            match theirs.next_if(|other| other.value == fact.value) {
                Some(other) => {
                    *fact = fact.or(other);
                    true
                }
                None => false,
            }
        });
    }
}
