//! How far a step is, as its output says.

use branchline_model::Tally;
use regex::Regex;

use crate::matching::{PatternError, pattern};

/// Finds in a line how far it is.
#[derive(Clone, Debug)]
pub struct TallyPattern(Regex);

impl TallyPattern {
    /// A regular expression with the groups `current` and `total`.
    ///
    /// # Errors
    /// It is none, or lacks a group.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        pattern(text, &["current", "total"]).map(Self)
    }

    /// What the line says; `None` where it says nothing, or nothing that can be.
    #[must_use]
    pub fn line(&self, line: &str) -> Option<Tally> {
        let found = self.0.captures(line)?;
        let number = |group| found.name(group)?.as_str().trim().parse::<u64>().ok();
        let (current, total) = (number("current")?, number("total")?);
        (total > 0 && current <= total).then_some(Tally { current, total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is_or_nothing() {
        let pattern = TallyPattern::new(r"\[(?<current>\d+)/(?<total>\d+)\]").unwrap();
        assert_eq!(pattern.line("[ 12%] [3/25] cc a.c"), Some(Tally { current: 3, total: 25 }));
        for line in ["", "[3/0]", "[4/3]", "[99999999999999999999/1]", "3/4"] {
            assert_eq!(pattern.line(line), None, "{line}");
        }
        let error = TallyPattern::new(r"(?<current>\d+)").unwrap_err();
        assert_eq!(error.to_string(), r"`(?<current>\d+)` has no group `total`: write it as (?<total>…)");
    }
}
