//! Headers before headers: VLAN tags, MPLS labels, PPPoE, Geneve and VXLAN. Each moves the offsets for what follows.

use super::layer::ether;
use super::port::UDP;
use super::{Gen, Link, Offset};
use crate::error::FilterError;
use crate::ir::cond::{VLAN_TAG, VLAN_TAG_PRESENT};
use crate::ir::{Cond, CondId, Value, ValueId};
use crate::tree::{Arithmetic, Dir};

const GENEVE_PORT: u32 = 6081;
const VXLAN_PORT: u32 = 4789;

impl Gen<'_> {
    fn below(&self, what: &str, number: Option<u32>, limit: u32) -> Result<(), FilterError> {
        match number {
            Some(number) if number > limit => self.fail(format!("{what} {number} is greater than {limit}")),
            _ => Ok(()),
        }
    }

    pub(super) fn vlan(&mut self, id: Option<u32>) -> Result<CondId, FilterError> {
        if self.offsets.labels > 0 {
            return self.fail("no VLAN tag can follow an MPLS label");
        }
        if self.offsets.link != Link::Ethernet {
            return self.fail_link("only Ethernet has VLAN tags");
        }
        self.below("VLAN tag", id, 0xfff)?;
        let outermost =
            self.offsets.tags == 0 && self.offsets.link_header.base.is_none() && self.offsets.link_header.constant == 0;
        self.offsets.tags += 1;
        if outermost && self.live() { self.vlan_metadata(id) } else { self.vlan_bytes(id) }
    }

    fn vlan_type(&mut self) -> Result<CondId, FilterError> {
        let mut any = self.never();
        for tpid in [ether::VLAN, ether::QINQ, ether::QINQ_OLD] {
            let this = self.link_type(tpid)?;
            any = self.or(any, this);
        }
        Ok(any)
    }

    fn vlan_bytes(&mut self, id: Option<u32>) -> Result<CondId, FilterError> {
        let mut condition = self.vlan_type()?;
        if let Some(id) = id {
            let field = self.load_network(0, 2);
            let same = self.masked(field, 0xfff, id);
            condition = self.and(condition, same);
        }
        self.offsets.payload.constant += 4;
        self.offsets.link_type.constant += 4;
        Ok(condition)
    }

    /// The tag is in the metadata, or else in the bytes, and only there it moves what follows. That it does so also when the bytes
    /// turn out to have none is libpcap's way (gen_vlan_patch_tpid_test).
    fn vlan_metadata(&mut self, id: Option<u32>) -> Result<CondId, FilterError> {
        let present = self.values.make(Value::Ancillary(VLAN_TAG_PRESENT));
        let in_metadata = self.equal(present, 1);
        let tagged = self.vlan_type()?;
        let slot = self.values.new_slot(4);
        self.tag_slot = Some(slot);
        let four = self.values.constant(4);
        let moved = self.conds.push(Cond::Store { slot, value: four });
        let in_bytes = self.and(moved, tagged);
        let mut condition = self.or(in_metadata, in_bytes);
        if let Some(id) = id {
            let tag = self.values.make(Value::Ancillary(VLAN_TAG));
            let there = self.masked(tag, 0xfff, id);
            let there = self.and(in_metadata, there);
            let field = self.load_network(0, 2);
            let here = self.masked(field, 0xfff, id);
            let absent = self.not(in_metadata);
            let here = self.and(absent, here);
            let same = self.or(there, here);
            condition = self.and(condition, same);
        }
        let base = Some(self.values.make(Value::Slot(slot)));
        self.offsets.payload.base = base;
        self.offsets.link_type.base = base;
        Ok(condition)
    }

    pub(super) fn mpls(&mut self, label: Option<u32>) -> Result<CondId, FilterError> {
        let mut condition = if self.offsets.labels > 0 {
            let before = self.load_network(0u32.wrapping_sub(2), 1);
            self.masked(before, 0x01, 0)
        } else {
            match self.offsets.link {
                Link::Ethernet => self.link_type(ether::MPLS)?,
                Link::Ppp => self.link_type(0x0281)?,
                _ => return self.fail_link("this link type has no MPLS labels"),
            }
        };
        self.below("MPLS label", label, 0xf_ffff)?;
        if let Some(label) = label {
            let field = self.load_network(0, 4);
            let same = self.masked(field, 0xffff_f000, label << 12);
            condition = self.and(condition, same);
        }
        self.offsets.network = self.offsets.network.wrapping_add(4);
        self.offsets.network_nosnap = self.offsets.network_nosnap.wrapping_add(4);
        self.offsets.labels += 1;
        Ok(condition)
    }

    pub(super) fn pppoes(&mut self, session: Option<u32>) -> Result<CondId, FilterError> {
        let mut condition = self.link_type(ether::PPPOES)?;
        self.below("PPPoE session", session, 0xffff)?;
        if let Some(session) = session {
            let field = self.load_network(0, 4);
            let same = self.masked(field, 0xffff, session);
            condition = self.and(condition, same);
        }
        let payload = self.offsets.payload;
        let header = Offset { base: payload.base, constant: payload.constant + self.offsets.network + 6 };
        self.offsets.link = Link::Ppp;
        self.offsets.encapsulated = false;
        self.offsets.link_header = header;
        self.offsets.link_type = header;
        self.offsets.payload.constant = header.constant + 2;
        self.offsets.network = 0;
        self.offsets.network_nosnap = 0;
        Ok(condition)
    }

    pub(super) fn geneve(&mut self, vni: Option<u32>) -> Result<CondId, FilterError> {
        self.below("Geneve VNI", vni, 0xff_ffff)?;
        let (found, start) = self.tunnel(GENEVE_PORT, vni, |r#gen, byte| r#gen.masked(byte, 0xc0, 0))?;
        // The header has eight bytes and options, whose count of words is in its first byte.
        let first = self.values.load(1, Some(start), 0);
        let (mask, four, eight) = (self.values.constant(0x3f), self.values.constant(4), self.values.constant(8));
        let words = self.values.alu(Arithmetic::And, first, mask);
        let bytes = self.values.alu(Arithmetic::Mul, words, four);
        let length = self.values.alu(Arithmetic::Add, bytes, eight);
        let end = self.values.alu(Arithmetic::Add, length, start);
        let (header, stored) = self.store(end);
        let carried = self.values.load(2, Some(start), 2);
        let ethernet = self.equal(carried, ether::TEB);
        let two = self.values.constant(2);
        let inner_type = self.values.alu(Arithmetic::Add, start, two);
        let (with, without) = (self.inner(header), (inner_type, header));
        // Both ways write the same two words.
        let type_slot = self.values.new_slot(u32::MAX >> 8);
        let payload_slot = self.values.new_slot(u32::MAX >> 8);
        let write = |r#gen: &mut Self, (link_type, payload): (ValueId, ValueId)| {
            let one = r#gen.conds.push(Cond::Store { slot: type_slot, value: link_type });
            let other = r#gen.conds.push(Cond::Store { slot: payload_slot, value: payload });
            r#gen.and(one, other)
        };
        let (with, without) = (write(self, with), write(self, without));
        let with = self.and(ethernet, with);
        let either = self.or(with, without);
        let moved = self.and(stored, either);
        let link_type = self.values.make(Value::Slot(type_slot));
        let payload = self.values.make(Value::Slot(payload_slot));
        self.enter(header, link_type, payload);
        Ok(self.and(found, moved))
    }

    pub(super) fn vxlan(&mut self, vni: Option<u32>) -> Result<CondId, FilterError> {
        self.below("VXLAN VNI", vni, 0xff_ffff)?;
        let (found, start) = self.tunnel(VXLAN_PORT, vni, |r#gen, byte| r#gen.equal(byte, 0x08))?;
        let eight = self.values.constant(8);
        let end = self.values.alu(Arithmetic::Add, start, eight);
        let (header, stored) = self.store(end);
        let (link_type, payload) = self.inner(header);
        self.enter(header, link_type, payload);
        Ok(self.and(found, stored))
    }

    /// Where an inner Ethernet header has its type and its end.
    fn inner(&mut self, header: ValueId) -> (ValueId, ValueId) {
        let (twelve, fourteen) = (self.values.constant(12), self.values.constant(14));
        (self.values.alu(Arithmetic::Add, header, twelve), self.values.alu(Arithmetic::Add, header, fourteen))
    }

    fn store(&mut self, value: ValueId) -> (ValueId, CondId) {
        let slot = self.values.new_slot(self.values.most(value));
        let stored = self.conds.push(Cond::Store { slot, value });
        (self.values.make(Value::Slot(slot)), stored)
    }

    /// UDP to this port over IPv4 or IPv6 with this tunnel header, and a word with the tunnel header's offset.
    fn tunnel(
        &mut self,
        port: u32,
        vni: Option<u32>,
        flags: impl Fn(&mut Self, ValueId) -> CondId,
    ) -> Result<(CondId, ValueId), FilterError> {
        let ip4 = self.ports4(port, port, Some(UDP), Dir::Dst)?;
        let first = self.load_ip4_payload(8, 1);
        let number = self.load_ip4_payload(12, 4);
        let ip4 = self.tunnel_header(ip4, first, number, vni, &flags);
        let end4 = self.ip4_header_end();

        let ip6 = self.ports6(port, port, Some(UDP), Dir::Dst)?;
        let first = self.load_network(48, 1);
        let number = self.load_network(52, 4);
        let ip6 = self.tunnel_header(ip6, first, number, vni, &flags);
        let forty = self.values.constant(40);
        let end6 = match self.offsets.payload.base {
            Some(base) => self.values.alu(Arithmetic::Add, base, forty),
            None => forty,
        };

        let before = self.offsets.payload.constant.wrapping_add(self.offsets.network).wrapping_add(8);
        let before = self.values.constant(before);
        let start4 = self.values.alu(Arithmetic::Add, end4, before);
        let start6 = self.values.alu(Arithmetic::Add, end6, before);
        let slot = self.values.new_slot(self.values.most(start4).max(self.values.most(start6)));
        let store4 = self.conds.push(Cond::Store { slot, value: start4 });
        let store6 = self.conds.push(Cond::Store { slot, value: start6 });
        let ip4 = self.and(ip4, store4);
        let ip6 = self.and(ip6, store6);
        let either = self.or(ip4, ip6);
        Ok((either, self.values.make(Value::Slot(slot))))
    }

    fn tunnel_header(
        &mut self,
        port: CondId,
        first: ValueId,
        number: ValueId,
        vni: Option<u32>,
        flags: &impl Fn(&mut Self, ValueId) -> CondId,
    ) -> CondId {
        let flags = flags(self, first);
        let mut condition = self.and(port, flags);
        if let Some(vni) = vni {
            let same = self.masked(number, 0xffff_ff00, vni << 8);
            condition = self.and(condition, same);
        }
        condition
    }

    fn enter(&mut self, header: ValueId, link_type: ValueId, payload: ValueId) {
        let offset = |base| Offset { base: Some(base), constant: 0 };
        self.offsets.link = Link::Ethernet;
        self.offsets.link_header = offset(header);
        self.offsets.link_type = offset(link_type);
        self.offsets.payload = offset(payload);
        self.offsets.network = 0;
        self.offsets.encapsulated = true;
    }
}
