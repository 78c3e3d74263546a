//! Interfaces.

use napi::Result;
use napi_derive::napi;
use netring::interface;

use crate::error::to_js;

#[napi(object)]
pub struct NativeInterfaceInfo {
    pub name: String,
    pub index: u32,
    pub mtu: u32,
    pub speed_mbps: Option<u32>,
    pub driver: Option<String>,
    pub rx_queues: u32,
    pub tx_queues: u32,
    pub carrier: bool,
    pub up: bool,
    pub flags: Vec<String>,
    pub mac_address: String,
    /// A LINKTYPE_ number; 0xffff_ffff where the registry has none.
    pub link_type: u32,
}

impl From<interface::InterfaceInfo> for NativeInterfaceInfo {
    fn from(from: interface::InterfaceInfo) -> Self {
        Self {
            name: from.name,
            index: from.index,
            mtu: from.mtu,
            speed_mbps: from.speed_mbps,
            driver: from.driver,
            rx_queues: from.rx_queues,
            tx_queues: from.tx_queues,
            carrier: from.carrier,
            up: from.up,
            flags: from.flags.into_iter().map(str::to_owned).collect(),
            mac_address: from.mac_address,
            link_type: from.link_type.0,
        }
    }
}

#[napi]
pub fn native_list_interfaces(netns: Option<String>) -> Result<Vec<NativeInterfaceInfo>> {
    let list = interface::list(netns.as_deref()).map_err(to_js)?;
    Ok(list.into_iter().map(Into::into).collect())
}

#[napi]
pub fn native_interface_info(name: String, netns: Option<String>) -> Result<NativeInterfaceInfo> {
    interface::info(&name, netns.as_deref()).map(Into::into).map_err(to_js)
}
