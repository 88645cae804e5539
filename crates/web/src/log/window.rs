//! A window on a log: some bytes become some lines. Invariant: a window is bounded in bytes and lines, whatever the log
//! holds; the position at its end is all that is needed to go on.

use std::fmt;
use std::str::FromStr;

use branchline_model::{LineTime, Timestamp};

use super::style::Style;
use super::terminal::write_line;

/// So many bytes are shown at once.
pub(crate) const MOST_BYTES: usize = 256 * 1024;

/// So many lines are shown at once.
pub(crate) const MOST_LINES: usize = 4_000;

/// A longer line is broken, so that one without end needs no more memory than this.
const LONGEST_LINE: usize = 8 * 1024;

/// Where a window begins or ends. Written `offset,line,style`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// Bytes from the log's beginning.
    pub(crate) offset: u64,
    /// The number of the line there, from 1; `None` where it is not known.
    pub(crate) line: Option<u64>,
    /// Whether the offset lies within that line.
    pub(crate) is_within: bool,
    /// How text looks there.
    pub(crate) style: Style,
}

impl Position {
    /// A log's beginning.
    pub(crate) fn beginning() -> Self {
        Self { line: Some(1), ..Self::default() }
    }

    /// Somewhere in a log, with nothing known about what is before.
    pub(crate) fn at(offset: u64, is_within: bool) -> Self {
        if offset == 0 { Self::beginning() } else { Self { offset, is_within, ..Self::default() } }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = if self.is_within { "+" } else { "" };
        write!(f, "{},{}{within},{}", self.offset, self.line.unwrap_or(0), self.style.parameters())
    }
}

/// The text is not a position in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoPosition;

impl FromStr for Position {
    type Err = NoPosition;

    fn from_str(text: &str) -> Result<Self, NoPosition> {
        let mut parts = text.splitn(3, ',');
        let (Some(offset), Some(line), Some(parameters)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoPosition);
        };
        let (line, is_within) = line.strip_suffix('+').map_or((line, false), |line| (line, true));
        let line: u64 = line.parse().map_err(|_| NoPosition)?;
        let mut style = Style::default();
        style.follow(parameters);
        Ok(Self {
            offset: offset.parse().map_err(|_| NoPosition)?,
            line: (line > 0).then_some(line),
            is_within,
            style,
        })
    }
}

/// A line, ready to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where it begins.
    pub(crate) offset: u64,
    /// Its number, where that is known.
    pub(crate) number: Option<u64>,
    /// Whether it goes on with the line before, which was too long.
    pub(crate) goes_on: bool,
    /// When it came.
    pub(crate) at: Option<Timestamp>,
    /// What it says.
    pub(crate) html: String,
}

/// Some lines of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// Those that are complete.
    pub(crate) lines: Vec<Line>,
    /// The last one, while it has no end yet.
    pub(crate) open: Option<Line>,
    /// What follows the complete lines.
    pub(crate) next: Position,
}

/// Cuts bytes that begin at `from` into at most `most` lines. `is_whole`: nothing follows the bytes, now or later, so
/// that a last line without an end is complete.
pub(crate) fn cut(bytes: &[u8], from: Position, times: &[LineTime], is_whole: bool, most: usize) -> Window {
    let mut window = Window { next: from, ..Window::default() };
    let mut rest = bytes;
    let mut times = Times { times, next: 0 };
    while !rest.is_empty() && window.lines.len() < most {
        let newline = rest.iter().take(LONGEST_LINE + 1).position(|byte| *byte == b'\n');
        let (taken, has_end, is_complete) = match newline {
            Some(newline) => (newline, true, true),
            None if rest.len() > LONGEST_LINE => (boundary(rest), false, true),
            None => (rest.len(), is_whole, is_whole),
        };
        let (text, after) = rest.split_at(taken);
        let at = window.next;
        let mut line = Line {
            offset: at.offset,
            number: at.line,
            goes_on: at.is_within,
            at: times.at(at.offset),
            html: String::new(),
        };
        let style = write_line(text, at.style, &mut line.html);
        if !is_complete {
            window.open = Some(line);
            break;
        }
        window.lines.push(line);
        rest = if newline.is_some() { after.get(1..).unwrap_or_default() } else { after };
        window.next = Position {
            offset: at.offset + taken as u64 + u64::from(newline.is_some()),
            line: at.line.map(|number| number + u64::from(has_end)),
            is_within: !has_end,
            style,
        };
    }
    window
}

/// Where a line that is too long is broken: not within a letter.
fn boundary(bytes: &[u8]) -> usize {
    let is_inside = |at: usize| bytes.get(at).is_some_and(|byte| byte & 0xC0 == 0x80);
    (LONGEST_LINE - 3..=LONGEST_LINE).rev().find(|at| !is_inside(*at)).unwrap_or(LONGEST_LINE)
}

/// The times of a window, gone through once.
struct Times<'a> {
    times: &'a [LineTime],
    next: usize,
}

impl Times<'_> {
    /// When the line at an offset came; offsets are asked for in ascending order.
    fn at(&mut self, offset: u64) -> Option<Timestamp> {
        while self.times.get(self.next).is_some_and(|time| time.offset <= offset) {
            self.next += 1;
        }
        self.next.checked_sub(1).and_then(|last| self.times.get(last)).map(|time| time.at)
    }
}

/// Of the last bytes of a log, those of its last `most` lines, at least from the first that begins in them on; answers
/// how many bytes to leave out. `is_all`: the bytes are the whole log.
pub(crate) fn tail(bytes: &[u8], is_all: bool, most: usize) -> usize {
    // A line that ends with the last byte begins nothing after it.
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let begins: Vec<usize> =
        is_all.then_some(0).into_iter().chain(ends).filter(|at| *at < bytes.len()).collect();
    begins.get(begins.len().saturating_sub(most)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(window: &Window) -> Vec<(u64, Option<u64>, &str)> {
        window.lines.iter().map(|line| (line.offset, line.number, line.html.as_str())).collect()
    }

    #[test]
    fn lines_are_numbered_and_the_last_one_stays_open_until_it_ends() {
        let window = cut(b"one\n\nthr", Position::beginning(), &[], false, 10);
        assert_eq!(lines(&window), [(0, Some(1), "one"), (4, Some(2), "")]);
        assert_eq!(window.open.map(|line| line.html), Some("thr".to_owned()));
        assert_eq!(window.next.to_string(), "5,3,");
        let window = cut(b"three", window.next, &[], true, 10);
        assert_eq!(lines(&window), [(5, Some(3), "three")]);
        assert_eq!(window.open, None);
    }

    #[test]
    fn going_on_from_a_position_reads_as_if_read_at_once() {
        let log = b"\x1b[31mred\nstill red\n\x1b[0mplain\nlast".as_slice();
        let whole = cut(log, Position::beginning(), &[], true, 10);
        let mut parts = Vec::new();
        let mut position = Position::beginning();
        for _ in 0..10 {
            let at = usize::try_from(position.offset).unwrap();
            let window = cut(&log[at..], position, &[], true, 1);
            parts.extend(window.lines);
            position = window.next.to_string().parse().unwrap();
        }
        assert_eq!(parts, whole.lines);
    }

    #[test]
    fn a_line_without_end_is_broken_between_letters_and_keeps_its_number() {
        let log = "ä".repeat(LONGEST_LINE) + "\nnext";
        let window = cut(log.as_bytes(), Position::beginning(), &[], true, 10);
        let numbers: Vec<_> = window.lines.iter().map(|line| (line.number, line.goes_on)).collect();
        assert_eq!(numbers, [(Some(1), false), (Some(1), true), (Some(2), false)]);
        assert!(window.lines.iter().all(|line| !line.html.contains('\u{fffd}')));
    }

    #[test]
    fn each_line_has_the_time_of_the_entry_before_it() {
        let times = [LineTime { offset: 0, at: Timestamp(10) }, LineTime { offset: 4, at: Timestamp(20) }];
        let window = cut(b"a\nb\nc\nd\n", Position::beginning(), &times, false, 10);
        let at: Vec<_> = window.lines.iter().map(|line| line.at.map(|at| at.0)).collect();
        assert_eq!(at, [Some(10), Some(10), Some(20), Some(20)]);
    }

    #[test]
    fn a_tail_begins_with_a_line_and_has_as_many_as_asked_for() {
        assert_eq!(tail(b"rt of one\ntwo\nthree\n", false, 10), 10);
        assert_eq!(tail(b"rt of one\ntwo\nthree\n", false, 1), 14);
        assert_eq!(tail(b"one\ntwo\n", true, 5), 0);
        assert_eq!(tail(b"no end at all", false, 5), 0);
    }

    #[test]
    fn what_is_not_a_position_is_refused() {
        for text in ["", "1", "1,2", "-1,2,", "x,1,", "1,y,"] {
            assert_eq!(text.parse::<Position>(), Err(NoPosition), "{text}");
        }
        assert_eq!("7,0+,1;31".parse::<Position>().unwrap().to_string(), "7,0+,1;38;5;1");
    }
}
