//! Options as TypeScript passes them: complete, checked, with every default filled in.

use std::time::Duration;

use napi_derive::napi;
use netring::capture::{CaptureOptions, TimestampSource};
use netring::fanout::{Fanout, FanoutMode, FanoutProgram};
use netring::filter::{Filter, Instruction};
use netring::injector::{InjectorOptions, OnMalformed};

use crate::filter::NativeExpression;

/// A duration from JavaScript: zero for an invalid one, at most thirty years.
pub(crate) fn milliseconds(time: f64) -> Duration {
    Duration::try_from_secs_f64((time / 1000.0).min(1e9)).unwrap_or_default()
}

#[napi(object)]
pub struct NativeInstruction {
    pub code: u16,
    pub jt: u8,
    pub jf: u8,
    pub k: u32,
}

/// Exactly one of the two is set.
#[napi(object)]
pub struct NativeProgram {
    pub instructions: Option<Vec<NativeInstruction>>,
    pub fd: Option<i32>,
}

/// Exactly one of the three is there.
#[napi(object)]
pub struct NativeFilterOption {
    pub expression: Option<NativeExpression>,
    pub instructions: Option<Vec<NativeInstruction>>,
    pub fd: Option<i32>,
}

#[napi(object)]
pub struct NativeFanout {
    #[napi(ts_type = "'hash' | 'loadBalance' | 'cpu' | 'rollover' | 'random' | 'queueMapping' | 'cbpf' | 'ebpf'")]
    pub mode: String,
    /// Absent: a unique id.
    pub group: Option<u16>,
    pub rollover: bool,
    pub defrag: bool,
    pub ignore_outgoing: bool,
    pub program: Option<NativeProgram>,
}

#[napi(object)]
pub struct NativeCaptureOptions {
    pub block_size: u32,
    pub block_count: u32,
    pub frame_size: u32,
    pub block_timeout_ms: u32,
    pub fill_rxhash: bool,
    pub snap_len: u32,
    pub promiscuous: bool,
    pub ignore_outgoing: bool,
    pub busy_poll_us: u32,
    pub reuse_port: bool,
    pub receive_buffer_bytes: u32,
    pub receive_buffer_force: bool,
    #[napi(ts_type = "'software' | 'rawHardware' | 'systemHardware'")]
    pub timestamp_source: String,
    pub reinsert_vlan: bool,
    pub netns: Option<String>,
    pub fanout: Option<NativeFanout>,
    pub filter: Option<NativeFilterOption>,
    /// Paused: outside its group, without packets, until joinGroup() and start(). Absent: no.
    pub paused: Option<bool>,
}

#[napi(object)]
pub struct NativeInjectorOptions {
    pub frame_size: u32,
    pub frame_count: u32,
    pub qdisc_bypass: bool,
    pub stop_on_malformed: bool,
    pub netns: Option<String>,
}

impl From<Instruction> for NativeInstruction {
    fn from(from: Instruction) -> Self {
        Self { code: from.code, jt: from.jt, jf: from.jf, k: from.k }
    }
}

impl From<NativeInstruction> for Instruction {
    fn from(from: NativeInstruction) -> Self {
        Self { code: from.code, jt: from.jt, jf: from.jf, k: from.k }
    }
}

fn instructions(from: Option<Vec<NativeInstruction>>) -> Vec<Instruction> {
    from.unwrap_or_default().into_iter().map(Into::into).collect()
}

impl From<NativeFilterOption> for Filter {
    fn from(from: NativeFilterOption) -> Self {
        match (from.expression, from.fd) {
            (Some(expression), _) => Self::Expression(expression.into()),
            (None, Some(fd)) => Self::Ebpf(fd),
            (None, None) => Self::Classic(instructions(from.instructions)),
        }
    }
}

impl From<NativeProgram> for FanoutProgram {
    fn from(from: NativeProgram) -> Self {
        match from.fd {
            Some(fd) => Self::Ebpf(fd),
            None => Self::Classic(instructions(from.instructions)),
        }
    }
}

impl From<NativeFanout> for Fanout {
    fn from(from: NativeFanout) -> Self {
        let mode = match from.mode.as_str() {
            "loadBalance" => FanoutMode::LoadBalance,
            "cpu" => FanoutMode::Cpu,
            "rollover" => FanoutMode::Rollover,
            "random" => FanoutMode::Random,
            "queueMapping" => FanoutMode::QueueMapping,
            "cbpf" => FanoutMode::Cbpf,
            "ebpf" => FanoutMode::Ebpf,
            _ => FanoutMode::Hash,
        };
        Self {
            mode,
            group: from.group,
            rollover: from.rollover,
            defrag: from.defrag,
            ignore_outgoing: from.ignore_outgoing,
            program: from.program.map(Into::into),
        }
    }
}

impl From<NativeCaptureOptions> for CaptureOptions {
    fn from(from: NativeCaptureOptions) -> Self {
        Self {
            block_size: from.block_size,
            block_count: from.block_count,
            frame_size: from.frame_size,
            block_timeout_ms: from.block_timeout_ms,
            fill_rxhash: from.fill_rxhash,
            snaplen: from.snap_len,
            promiscuous: from.promiscuous,
            ignore_outgoing: from.ignore_outgoing,
            busy_poll_us: from.busy_poll_us,
            reuse_port: from.reuse_port,
            receive_buffer_bytes: from.receive_buffer_bytes,
            receive_buffer_force: from.receive_buffer_force,
            timestamp_source: match from.timestamp_source.as_str() {
                "rawHardware" => TimestampSource::RawHardware,
                "systemHardware" => TimestampSource::SystemHardware,
                _ => TimestampSource::Software,
            },
            reinsert_vlan: from.reinsert_vlan,
            namespace: from.netns,
            fanout: from.fanout.map(Into::into),
            filter: from.filter.map(Into::into),
        }
    }
}

impl From<NativeInjectorOptions> for InjectorOptions {
    fn from(from: NativeInjectorOptions) -> Self {
        Self {
            frame_size: from.frame_size,
            frame_count: from.frame_count,
            qdisc_bypass: from.qdisc_bypass,
            on_malformed: if from.stop_on_malformed { OnMalformed::Stop } else { OnMalformed::Skip },
            namespace: from.netns,
        }
    }
}
