//! Colour, where a person looks: on a terminal, and not where `NO_COLOR` is set (no-color.org).

use std::io::IsTerminal;

/// Whether to paint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    on: bool,
}

/// What to paint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ink {
    Green,
    Red,
    Yellow,
    Blue,
    Dim,
    Bold,
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Self::Green => "32",
            Self::Red => "31",
            Self::Yellow => "33",
            Self::Blue => "34",
            Self::Dim => "2",
            Self::Bold => "1",
        }
    }
}

impl Paint {
    /// For standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self { on: std::io::stdout().is_terminal() && wanted() }
    }

    /// For standard error.
    #[must_use]
    pub fn stderr() -> Self {
        Self { on: std::io::stderr().is_terminal() && wanted() }
    }

    /// Never.
    #[must_use]
    pub fn plain() -> Self {
        Self { on: false }
    }

    /// Whether there is any colour.
    #[must_use]
    pub fn is_on(self) -> bool {
        self.on
    }

    fn ink(self, ink: Ink, text: &str) -> String {
        if self.on { format!("\u{1b}[{}m{text}\u{1b}[0m", ink.code()) } else { text.to_owned() }
    }

    /// The word of a state, in its colour.
    #[must_use]
    pub fn state(self, word: &str) -> String {
        let ink = match word {
            "passed" => Ink::Green,
            "failed" | "errored" | "timed_out" | "invalid" | "dead" => Ink::Red,
            "cancelled" | "superseded" => Ink::Yellow,
            "running" | "starting" => Ink::Blue,
            _ => Ink::Dim,
        };
        self.ink(ink, word)
    }

    /// Something beside the point.
    #[must_use]
    pub fn dim(self, text: &str) -> String {
        self.ink(Ink::Dim, text)
    }

    /// Something to see first.
    #[must_use]
    pub fn bold(self, text: &str) -> String {
        self.ink(Ink::Bold, text)
    }
}

fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
