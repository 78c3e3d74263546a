//! The tables that Rust and TypeScript share: JavaScript reads them from here when the addon is loaded.

use std::collections::HashMap;
use std::fmt::Debug;

use napi_derive::napi;
use netring::parse::{Parsed, Record, Word};
use netring::ring::Column;
use netring::ring::columns::{BYTES_PER_PACKET, CAPACITY_STEP};

use crate::callback::Message;
use crate::error::SEPARATOR;
use crate::forwarder::{PUSH_STATES, VERDICTS};
use crate::views::HeaderWords;

/// A column of a batch.
#[napi(object, object_from_js = false)]
pub struct NativeColumn {
    pub name: String,
    /// Times the capacity, the byte where it starts.
    pub start: u32,
}

/// Indices and bits of the words that describe a batch.
#[napi(object, object_from_js = false)]
pub struct NativeHeaderWords {
    pub length: u32,
    pub flags: u32,
    /// The first of two words, in this machine's byte order.
    pub sequence: u32,
    pub timed_out: u32,
    pub losing: u32,
    pub more: u32,
}

#[napi(object, object_from_js = false)]
pub struct NativeConstants {
    /// In the order of their numbers.
    pub columns: Vec<NativeColumn>,
    /// Bytes per packet of all columns together.
    pub bytes_per_packet: u32,
    /// Capacities are multiples of this.
    pub capacity_step: u32,
    /// In the order of their numbers.
    pub parsed_columns: Vec<NativeColumn>,
    /// Index of each word of a parsed record, and of the first word of longer fields.
    pub record_words: HashMap<String, u32>,
    /// Words of a record.
    pub record_length: u32,
    pub batch_header: NativeHeaderWords,
    /// Arguments of wakers.
    pub messages: HashMap<String, u32>,
    pub verdicts: HashMap<String, u32>,
    pub push_states: HashMap<String, u32>,
    /// Between the fields of an error's text.
    pub error_separator: String,
}

/// A Rust variant's name as JavaScript writes it.
fn camel_case(variant: impl Debug) -> String {
    let name = format!("{variant:?}");
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

fn numbers(pairs: &[(&str, u32)]) -> HashMap<String, u32> {
    pairs.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect()
}

/// Every table that both languages need.
#[napi]
pub fn native_constants() -> NativeConstants {
    let words = Word::ALL.iter().map(|word| (camel_case(word), *word as u32));
    let parts = Record::PARTS.iter().map(|(name, at)| ((*name).to_owned(), *at as u32));
    NativeConstants {
        columns: Column::ALL
            .iter()
            .map(|column| NativeColumn { name: camel_case(column), start: column.start() as u32 })
            .collect(),
        bytes_per_packet: BYTES_PER_PACKET as u32,
        capacity_step: CAPACITY_STEP,
        parsed_columns: Parsed::ALL
            .iter()
            .map(|column| NativeColumn { name: camel_case(column), start: column.start() as u32 })
            .collect(),
        record_words: words.chain(parts).collect(),
        record_length: Record::WORDS as u32,
        batch_header: NativeHeaderWords {
            length: HeaderWords::LENGTH as u32,
            flags: HeaderWords::FLAGS as u32,
            sequence: HeaderWords::SEQUENCE as u32,
            timed_out: HeaderWords::TIMED_OUT,
            losing: HeaderWords::LOSING,
            more: HeaderWords::MORE,
        },
        messages: Message::ALL.iter().map(|message| (camel_case(message), *message as u32)).collect(),
        verdicts: numbers(&VERDICTS),
        push_states: numbers(&PUSH_STATES),
        error_separator: SEPARATOR.to_string(),
    }
}
