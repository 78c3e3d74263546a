#![forbid(unsafe_code)]
//! tmp

mod append;
mod decode;
mod encode;
mod error;
mod flags;
mod interface;
mod link_type;
mod replay;
mod rotate;
mod time;
mod wire;

pub use append::{Append, AppendRefused};
pub use decode::{
    Batch, BufferedDecoder, DecodeOptions, Decoder, Event, Extra, Format, Found, MAX_INTERFACES, Next, Packet,
    PcapHeader, Progress, RawBlock, SectionInfo, Span,
};
pub use encode::{Columns, EncodeError, EncodeOptions, Encoder, OutputFormat, PacketRecord, Room, VlanColumns};
pub use error::{DecodeError, Reason};
pub use flags::{Direction, PacketFlags};
pub use interface::{Interface, InterfaceStats};
pub use link_type::{LinkType, UnknownLinkType};
pub use replay::{Accuracy, BadPace, Due, Pace, Pacer};
pub use rotate::{BadTemplate, NameTemplate, NextFile, Rotation, RotationLimits};
pub use time::{Resolution, Timestamp};
