//! The command line of `cargo xtask`, parsed whole before anything runs.

use std::error::Error;
use std::ffi::OsString;
use std::fmt;

use crate::bench::BENCHES;

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Say what there is.
    Help,
    /// Check everything that is checked.
    Test,
    /// Write the generated files, or with `check` compare them.
    Generate {
        /// Compare only; write nothing.
        check: bool,
    },
    /// Write the JSON Schema of a pipeline file.
    Schema,
    /// Let seeded histories happen, and check every promise.
    Simulate {
        /// What the simulator is told.
        arguments: Vec<String>,
    },
    /// Run a benchmark.
    Bench {
        /// Which.
        name: &'static str,
    },
}

/// A command line that means nothing.
#[derive(Debug, PartialEq, Eq)]
pub enum Misuse {
    /// There is no such command.
    UnknownCommand {
        /// What was given.
        given: String,
        /// The command that was probably meant.
        meant: Option<&'static str>,
    },
    /// The command takes no such argument.
    UnknownArgument {
        /// The command.
        command: &'static str,
        /// What was given.
        given: String,
    },
    /// The benchmark is not named, or there is none of that name.
    WhichBench {
        /// What was given.
        given: Option<String>,
    },
}

impl fmt::Display for Misuse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCommand { given, meant } => {
                write!(formatter, "there is no command `{given}`")?;
                match meant {
                    Some(meant) => write!(formatter, "\nhint: did you mean `cargo xtask {meant}`?"),
                    None => write!(formatter, "\nhint: `cargo xtask --help` lists the commands"),
                }
            }
            Self::WhichBench { given } => {
                let known: Vec<&str> = BENCHES.iter().map(|(name, ..)| *name).collect();
                match given {
                    Some(given) => write!(formatter, "there is no benchmark `{given}`")?,
                    None => write!(formatter, "which benchmark?")?,
                }
                write!(formatter, "\nhint: there are {}", known.join(", "))
            }
            Self::UnknownArgument { command, given } => write!(
                formatter,
                "`cargo xtask {command}` takes no argument `{given}`\nhint: `cargo xtask --help` lists what it takes"
            ),
        }
    }
}

impl Error for Misuse {}

/// Every command: name, arguments, what it does. The help text and the search for a misspelt name read this.
const COMMANDS: &[(&str, &str, &str)] = &[
    ("test", "", "Install what the tests need (Debian, as root), then check everything; ends with a summary"),
    (
        "bench",
        "NAME",
        "Run a benchmark in release mode: pickup, throughput, resolve, store, rows, logs, planning, language",
    ),
    (
        "simulate",
        "[--seeds N] [--seed S]",
        "Run histories full of faults, and check every promise after each",
    ),
    ("generate", "[--check]", "Write the files that are made from the code; with --check only compare them"),
    ("schema", "", "Write jobs-schema/pipeline.schema.json, which a test compares"),
];

/// The text of `cargo xtask --help`.
pub fn help() -> String {
    let mut text = String::from(
        "What a developer runs on a checkout of Branchline.\n\nUsage: cargo xtask <command>\n\nCommands:",
    );
    for (name, arguments, purpose) in COMMANDS {
        let usage = format!("{name} {arguments}");
        text.push_str(&format!("\n  {usage:<31} {purpose}"));
    }
    text.push_str("\n\nExit codes: 0 all is well, 1 something is wrong, 2 it could not be checked.");
    text
}

/// Reads the arguments that follow the program's name.
///
/// # Errors
/// [`Misuse`] says which word was not understood.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Misuse> {
    let words: Vec<String> = arguments.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let Some((command, rest)) = words.split_first() else {
        return Ok(Command::Help);
    };
    if words.iter().any(|word| word == "--help" || word == "-h") || command == "help" {
        return Ok(Command::Help);
    }
    match command.as_str() {
        "test" => match rest.first() {
            None => Ok(Command::Test),
            Some(given) => Err(Misuse::UnknownArgument { command: "test", given: given.clone() }),
        },
        "generate" => match rest.iter().find(|word| *word != "--check") {
            None => Ok(Command::Generate { check: !rest.is_empty() }),
            Some(given) => Err(Misuse::UnknownArgument { command: "generate", given: given.clone() }),
        },
        "schema" => match rest.first() {
            None => Ok(Command::Schema),
            Some(given) => Err(Misuse::UnknownArgument { command: "schema", given: given.clone() }),
        },
        "simulate" => Ok(Command::Simulate { arguments: rest.to_vec() }),
        "bench" => match rest {
            [given] => BENCHES
                .iter()
                .find(|(name, ..)| name == given)
                .map(|(name, ..)| Command::Bench { name })
                .ok_or_else(|| Misuse::WhichBench { given: Some(given.clone()) }),
            [] => Err(Misuse::WhichBench { given: None }),
            [_, given, ..] => Err(Misuse::UnknownArgument { command: "bench", given: given.clone() }),
        },
        given => Err(Misuse::UnknownCommand { given: given.to_owned(), meant: nearest(given) }),
    }
}

/// The command that starts as `given` does, by at least its first two letters.
fn nearest(given: &str) -> Option<&'static str> {
    let start: String = given.chars().take(2).collect();
    if start.chars().count() < 2 {
        return None;
    }
    COMMANDS.iter().map(|(name, ..)| *name).find(|name| name.starts_with(&start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Misuse> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn each_command_is_understood() {
        assert_eq!(parsed("test"), Ok(Command::Test));
        assert_eq!(parsed("generate"), Ok(Command::Generate { check: false }));
        assert_eq!(parsed("generate --check"), Ok(Command::Generate { check: true }));
    }

    #[test]
    fn what_follows_simulate_is_the_simulators() {
        let arguments = ["--seeds", "5"].map(str::to_owned).to_vec();
        assert_eq!(parsed("simulate --seeds 5"), Ok(Command::Simulate { arguments }));
    }

    #[test]
    fn a_benchmark_is_named_and_known() {
        for (name, ..) in BENCHES {
            assert_eq!(parsed(&format!("bench {name}")), Ok(Command::Bench { name }));
            assert!(help().contains(name), "{name} is missing from the help");
        }
        assert!(
            parsed("bench").unwrap_err().to_string().starts_with("which benchmark?\nhint: there are pickup,")
        );
        assert_eq!(parsed("bench nope"), Err(Misuse::WhichBench { given: Some("nope".into()) }));
    }

    #[test]
    fn help_is_given_for_nothing_and_wherever_it_is_asked_for() {
        for line in ["", "help", "--help", "-h", "test --help", "generate --check -h"] {
            assert_eq!(parsed(line), Ok(Command::Help), "{line:?}");
        }
    }

    #[test]
    fn help_lists_every_command_that_is_understood() {
        for (name, ..) in COMMANDS {
            let understood = !matches!(parsed(name), Err(Misuse::UnknownCommand { .. }));
            assert!(understood, "{name} is listed but not understood");
            assert!(help().contains(&format!("\n  {name} ")), "{name} is missing from the help");
        }
    }

    #[test]
    fn a_misspelt_command_is_refused_with_the_one_that_was_meant() {
        let misuse = parsed("tset").unwrap_err();
        assert_eq!(misuse, Misuse::UnknownCommand { given: "tset".into(), meant: None });
        let misuse = parsed("tests").unwrap_err();
        assert_eq!(misuse.to_string(), "there is no command `tests`\nhint: did you mean `cargo xtask test`?");
    }

    #[test]
    fn an_argument_that_means_nothing_is_refused_and_named() {
        let misuse = parsed("generate --check --chekc").unwrap_err();
        assert_eq!(misuse, Misuse::UnknownArgument { command: "generate", given: "--chekc".into() });
        assert!(parsed("test fast").unwrap_err().to_string().contains("takes no argument `fast`"));
    }

    #[cfg(unix)]
    #[test]
    fn a_word_that_is_not_unicode_is_refused_without_a_panic() {
        use std::os::unix::ffi::OsStringExt;
        assert!(matches!(parse([OsString::from_vec(vec![0xff])]), Err(Misuse::UnknownCommand { .. })));
    }
}
