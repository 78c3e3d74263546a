//! Names of files: `%Y%m%d%H%M%S` and `%i`.

use std::fmt::{self, Write};

/// A file's name with places for time and number: `%Y %m %d %H %M %S` as in strftime(3), in UTC; `%i`, the file's
/// number from 00001 on; `%%`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Time(Unit),
    Number,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// A `%` that is followed by none of `Y m d H M S i %`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTemplate {
    /// What follows it; `None` at the name's end.
    pub directive: Option<char>,
}

impl fmt::Display for BadTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.directive {
            Some(directive) => write!(f, "%{directive} in a file's name; it may have %Y %m %d %H %M %S %i %%"),
            None => write!(f, "a file's name ends with %; write %% for the character"),
        }
    }
}

impl std::error::Error for BadTemplate {}

impl NameTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// Where a `%` is followed by something else than a known letter.
    pub fn new(template: &str) -> Result<Self, BadTemplate> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut characters = template.chars();
        while let Some(character) = characters.next() {
            if character != '%' {
                text.push(character);
                continue;
            }
            let part = match characters.next() {
                Some('%') => {
                    text.push('%');
                    continue;
                }
                Some('Y') => Part::Time(Unit::Year),
                Some('m') => Part::Time(Unit::Month),
                Some('d') => Part::Time(Unit::Day),
                Some('H') => Part::Time(Unit::Hour),
                Some('M') => Part::Time(Unit::Minute),
                Some('S') => Part::Time(Unit::Second),
                Some('i') => Part::Number,
                directive => return Err(BadTemplate { directive }),
            };
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(part);
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(Self { parts })
    }

    /// The name of the file with a number, that begins at `now` seconds since the epoch.
    pub fn name(&self, now: u64, number: u64) -> String {
        let time = Civil::of(now);
        let mut name = String::new();
        for part in &self.parts {
            // Writing to a string does not fail.
            let _ = match part {
                Part::Text(text) => name.write_str(text),
                Part::Number => write!(name, "{number:05}"),
                Part::Time(Unit::Year) => write!(name, "{:04}", time.year),
                Part::Time(Unit::Month) => write!(name, "{:02}", time.month),
                Part::Time(Unit::Day) => write!(name, "{:02}", time.day),
                Part::Time(Unit::Hour) => write!(name, "{:02}", time.second_of_day / 3600),
                Part::Time(Unit::Minute) => write!(name, "{:02}", time.second_of_day / 60 % 60),
                Part::Time(Unit::Second) => write!(name, "{:02}", time.second_of_day % 60),
            };
        }
        name
    }

    /// The same, with the number before the first point of the file's name.
    pub(super) fn numbered(&self, now: u64, number: u64) -> String {
        let name = self.name(now, number);
        let folder = name.rfind('/').map_or(0, |slash| slash + 1);
        // A point at the front hides the file and begins no ending.
        let ending = name[folder..].char_indices().skip(1).find(|&(_, character)| character == '.');
        let (stem, ending) = name.split_at(ending.map_or(name.len(), |(at, _)| folder + at));
        format!("{stem}_{number:05}{ending}")
    }

    pub(super) fn is_constant(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }
}

struct Civil {
    year: u64,
    month: u64,
    day: u64,
    second_of_day: u64,
}

impl Civil {
    /// UTC, in the proleptic Gregorian calendar: Howard Hinnant's `civil_from_days`, for days from 1970 on.
    fn of(seconds: u64) -> Self {
        let days = seconds / 86_400 + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // Months from March on.
        let month = (5 * day_of_year + 2) / 153;
        let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        Self {
            year: year_of_era + era * 400 + later,
            month,
            day: day_of_year - (153 * ((month + 9) % 12) + 2) / 5 + 1,
            second_of_day: seconds % 86_400,
        }
    }
}
