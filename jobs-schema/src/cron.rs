//! Times that come again, as crontab(5) writes them. Invariant: a [`Cron`] has five fields, or is a word such as
//! `@daily`, and there is a time that it names.
//!
//! croner reads and computes them. It puts numbers in the place of names wherever they stand, so which names and numbers
//! may stand in which field is looked at here first; that also tells where in the text a mistake is.

use std::fmt;
use std::str::FromStr;

use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::findings::quoted;
use crate::keys::{list, nearest};

/// Times that come again.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cron {
    text: String,
    times: Box<croner::Cron>,
}

/// Why a text does not say times.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct CronError {
    /// The byte of the text where the mistake is.
    pub at: usize,
    /// How many bytes it has.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// What may stand in one field.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// The names of its numbers, from the least on.
    names: &'static [&'static str],
    /// What croner takes beyond crontab(5), and is to judge.
    more: &'static [char],
}

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 8] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, names: &[], more: &[] },
    Field { name: "hour", least: 0, most: 23, names: &[], more: &[] },
    Field { name: "day of month", least: 1, most: 31, names: &[], more: &['L', 'W', '?'] },
    Field { name: "month", least: 1, most: 12, names: &MONTHS, more: &[] },
    Field { name: "day of week", least: 0, most: 7, names: &WEEKDAYS, more: &['L', '#', '?'] },
];

/// The words for common times.
const WORDS: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/// The longest text, in bytes.
const LONGEST: usize = 1_000;

impl Cron {
    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The times themselves.
    #[must_use]
    pub fn times(&self) -> &croner::Cron {
        &self.times
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let wrong = |at: usize, length: usize, message: String, hint: &str| {
            Err(CronError { at, length, message, hint: hint.to_owned() })
        };
        if text.len() > LONGEST {
            return wrong(0, 0, format!("a `cron` of more than {LONGEST} bytes"), "write several schedules");
        }
        let fields = fields(text);
        let expression = match fields.as_slice() {
            [] => return wrong(0, 0, "`cron` is empty".to_owned(), EXAMPLE),
            [(at, word)] if word.starts_with('@') => {
                let Some(known) = WORDS.iter().find(|known| known.eq_ignore_ascii_case(word)) else {
                    let hint = match nearest(word, WORDS) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("the words are {}", list(&WORDS)),
                    };
                    return wrong(*at, word.len(), format!("unknown word {}", quoted(word)), &hint);
                };
                // croner does not know this one of Vixie's.
                if *known == "@midnight" { "@daily" } else { *known }.to_owned()
            }
            five if five.len() == FIELDS.len() => {
                for (field, (at, part)) in FIELDS.iter().zip(five) {
                    field.check(part, *at)?;
                }
                five.iter().map(|(_, part)| *part).collect::<Vec<_>>().join(" ")
            }
            other => {
                let hint = match other.len() {
                    6 | 7 => {
                        "there is no field for seconds or years: minute, hour, day of month, month, day of week"
                    }
                    _ => EXAMPLE,
                };
                let (first, last) = (other.first(), other.last());
                let at = first.map_or(0, |(at, _)| *at);
                let end = last.map_or(at, |(at, part)| at + part.len());
                return wrong(at, end - at, format!("`cron` takes 5 fields, not {}", other.len()), hint);
            }
        };
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let times = match parser.parse(&expression) {
            Ok(times) => times,
            Err(_) => {
                // Each field alone, to say which one it is.
                let guilty = FIELDS.iter().zip(&fields).position(|(field, (_, part))| {
                    let alone: Vec<&str> = FIELDS
                        .iter()
                        .map(|other| if other.name == field.name { *part } else { "*" })
                        .collect();
                    parser.parse(&alone.join(" ")).is_err()
                });
                let (at, part) = guilty.and_then(|index| fields.get(index)).copied().unwrap_or((0, text));
                return wrong(
                    at,
                    part.len(),
                    format!(
                        "{} cannot be a {}",
                        quoted(part),
                        guilty.and_then(|index| FIELDS.get(index)).map_or("time", |field| field.name)
                    ),
                    "`L` is the last day, `15W` the weekday nearest to the 15th, `5L` the last Friday, `5#2` the second",
                );
            }
        };
        let cron = Self { text: text.to_owned(), times: Box::new(times) };
        if cron.never_comes() {
            let (at, part) = fields.get(2).copied().unwrap_or((0, text));
            return wrong(
                at,
                part.len(),
                "this time never comes: no such month has such a day".to_owned(),
                "correct the day or the month",
            );
        }
        Ok(cron)
    }
}

const EXAMPLE: &str =
    "minute, hour, day of month, month, day of week: `30 4 * * 1-5` is half past four from Monday to Friday";

impl Cron {
    /// No year has such a day: croner looks through all years to 5000.
    fn never_comes(&self) -> bool {
        chrono::DateTime::from_timestamp(0, 0)
            .is_some_and(|start| self.times.find_next_occurrence(&start, true).is_err())
    }
}

/// The fields of a text, each with the byte where it begins.
fn fields(text: &str) -> Vec<(usize, &str)> {
    let begins = |part: &str| part.as_ptr() as usize - text.as_ptr() as usize;
    text.split_whitespace().map(|part| (begins(part), part)).collect()
}

impl Field {
    /// Looks at a field that begins at a byte of the text.
    fn check(&self, text: &str, at: usize) -> Result<(), CronError> {
        let mut at = at;
        for item in text.split(',') {
            self.check_item(item).map_err(|(message, hint)| CronError {
                at,
                length: item.len().max(1),
                message,
                hint,
            })?;
            at += item.len() + 1;
        }
        Ok(())
    }

    fn check_item(&self, item: &str) -> Result<(), (String, String)> {
        let range = || match self.names {
            [] => format!("a {} is a number from {} to {}", self.name, self.least, self.most),
            names => format!(
                "a {} is a number from {} to {}, or a name such as `{}`",
                self.name,
                self.least,
                self.most,
                names.get(1).copied().unwrap_or_default()
            ),
        };
        if item.is_empty() {
            return Err((format!("a {} is missing beside a `,`", self.name), range()));
        }
        let (base, step) = match item.split_once('/') {
            Some((base, step)) => (base, Some(step)),
            None => (item, None),
        };
        if let Some(step) = step {
            let steps = number(step).filter(|steps| (1..=self.most).contains(steps));
            if steps.is_none() {
                let what = format!("{} cannot be a step", quoted(step));
                return Err((what, format!("a step of {}s is a number from 1 to {}", self.name, self.most)));
            }
            if base != "*" && !base.contains('-') {
                let what = format!("a step needs a range or `*` before its `/`, not {}", quoted(base));
                return Err((what, format!("write `{base}-{}/{step}`, or `*/{step}`", self.most)));
            }
        }
        if base == "*" || (base == "?" && self.more.contains(&'?')) {
            return Ok(());
        }
        let value = |text: &str| {
            self.value(text).ok_or_else(|| (format!("{} cannot be a {}", quoted(text), self.name), range()))
        };
        match base.split_once('-') {
            Some((from, to)) => {
                let (first, last) = (value(from)?, value(to)?);
                // Sunday ends a week as well as it begins one.
                let last = if last == 0 && self.most == 7 { 7 } else { last };
                if first > last {
                    let what = format!("the range {} runs backwards", quoted(base));
                    let hint = format!("write `{from}-{},{}-{to}`", self.most, self.least);
                    return Err((what, hint));
                }
                Ok(())
            }
            // croner judges what only it knows.
            None if base.chars().any(|c| self.more.contains(&c.to_ascii_uppercase()) && c != '?')
                && base
                    .chars()
                    .all(|c| c.is_ascii_digit() || self.more.contains(&c.to_ascii_uppercase())) =>
            {
                Ok(())
            }
            None => value(base).map(|_| ()),
        }
    }

    /// A number, or the name of one.
    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        match named {
            Some(index) => u32::try_from(index).ok().map(|index| index + self.least),
            None => number(text).filter(|number| (self.least..=self.most).contains(number)),
        }
    }
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Cron {}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Cron {
    type Error = CronError;

    fn try_from(text: String) -> Result<Self, CronError> {
        text.parse()
    }
}

impl From<Cron> for String {
    fn from(cron: Cron) -> Self {
        cron.text
    }
}

/// Where a clock hangs: a name of the IANA time zone database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timezone(Tz);

impl Timezone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone itself.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.0
    }
}

/// There is no such time zone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no time zone {}", quoted(.name))]
pub struct TimezoneError {
    /// As written.
    pub name: String,
}

impl TimezoneError {
    /// What may have been meant.
    #[must_use]
    pub fn hint(&self) -> String {
        let names = || chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let city = |name: &'static str| name.rsplit('/').next().unwrap_or(name);
        let same_city = names().find(|name| city(name).eq_ignore_ascii_case(&self.name.replace(' ', "_")));
        match same_city.or_else(|| nearest(&self.name, names())) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "write a name of the IANA database, such as `Europe/Berlin` or `UTC`".to_owned(),
        }
    }
}

impl FromStr for Timezone {
    type Err = TimezoneError;

    fn from_str(name: &str) -> Result<Self, TimezoneError> {
        name.parse().map(Self).map_err(|_| TimezoneError { name: name.to_owned() })
    }
}

impl TryFrom<String> for Timezone {
    type Error = TimezoneError;

    fn try_from(name: String) -> Result<Self, TimezoneError> {
        name.parse()
    }
}

impl From<Timezone> for String {
    fn from(zone: Timezone) -> Self {
        zone.0.name().to_owned()
    }
}
