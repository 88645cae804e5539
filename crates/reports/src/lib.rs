//! What a run has to show: its tests, read from JUnit files and from the lines of a log; outputs and a summary, as its steps wrote them.
//!
//! Everything here is written by whoever wrote the job, and none of it is believed: files are read as a stream and bounded in size,
//! depth and number of tests, nothing outside of them is ever looked at, and regular expressions take time linear in what they
//! look at. It knows no workspace and no run; it does no I/O but through the reader that it is given.

mod count;
mod junit;
mod lines;
mod matching;
mod place;
mod said;
mod tally;
mod text;

pub use count::Counting;
pub use junit::{Found, JunitError, Limits, read_junit};
pub use lines::Lines;
pub use matching::{Matching, PatternError};
pub use said::{Outputs, read_summary};
pub use tally::TallyPattern;
