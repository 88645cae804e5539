//! The command line: every command, argument and its help. What a command does is in its own file.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// What stands below the help of commands that ask a controller.
const TOKEN_HELP: &str = "The access token is read from the data folder, or from BRANCHLINE_TOKEN; it is no argument, which others could see.";

/// What stands below `branchline --help`.
const AFTER_HELP: &str = "\
Exit codes: 0 all is well; 1 the build failed, or what was asked for could not be done; 2 the words of the \
command, or a pipeline file, are wrong; 130 interrupted.";

/// What stands below the help of `branchline lint`.
const LINT_HELP: &str =
    "Exit codes: 0 all is well; 1 a file is wrong; 2 a file is not there, or cannot be read.";

/// A job controller that lives in git: push job definitions, see them run.
#[derive(Debug, Parser)]
#[command(name = "branchline", version, about, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch repositories and run their pipelines on this machine
    Up(Up),
    /// Run a pipeline of the working tree here and now, without a server
    Run(Run),
    /// Show all of it in five seconds: a repository, a push, builds and their page
    Demo(Demo),
    /// Write a first pipeline that fits this repository
    Init(Init),
    /// Check pipeline files: every mistake with its line, column and a hint
    Lint(Lint),
    /// Say what an event would build of the working tree's pipelines, and why, before anything is pushed
    Plan(Plan),
    /// List a repository's builds, the newest first
    Builds(Builds),
    /// Show a build: its runs, their states and reasons
    Build(Build),
    /// Say why each pipeline and job of a build or a commit ran, or did not
    Explain(Explain),
    /// Print the log of a run
    Logs(Logs),
    /// List what runs have made and kept, or download it
    Artifacts(Artifacts),
    /// Start a pipeline by hand
    Start(Start),
    /// Cancel a build or a run
    Cancel(Cancel),
    /// List what is still to be done outside, with the dead letters; send one of them again, or drop it
    Effects(Effects),
    /// Check the data folder: database, logs, attempts, caches; and repair it
    Doctor(Doctor),
}

/// `branchline init`
#[derive(Debug, Args)]
pub struct Init {
    /// Print the pipeline, and write nothing
    #[arg(long)]
    pub print: bool,
}

/// `branchline lint`
#[derive(Debug, Args)]
#[command(after_help = LINT_HELP)]
pub struct Lint {
    /// Pipeline files, or folders of them; where none is named, those of the working tree
    pub paths: Vec<PathBuf>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// `branchline up`
#[derive(Debug, Args)]
pub struct Up {
    /// The repositories: local paths, or file://, http(s):// or ssh:// URLs
    #[arg(value_name = "PATH|URL", default_value = ".")]
    pub repositories: Vec<String>,
    /// Where page and API are served; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:7420",
        env = "BRANCHLINE_LISTEN",
        hide_env_values = true
    )]
    pub listen: String,
    /// One more name by which browsers reach it, as ci.example.org or ci.example.org:443; needed where it listens on
    /// other addresses than the loopback's
    #[arg(long = "host", value_name = "NAME[:PORT]")]
    pub hosts: Vec<String>,
    /// The folder for all that is kept
    #[command(flatten)]
    pub data: DataFolder,
    /// How many runs are carried out at once [default: the number of processors]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub slots: Option<u16>,
    /// How often the refs of a repository on another machine are looked at, as 30s or 5m
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = at_least_a_second)]
    pub poll: Duration,
    /// How long to wait for running jobs when told to end (SIGTERM, Ctrl-C); after that they go on alone, and are
    /// followed again at the next start
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub drain: Duration,
}

/// What stands below `branchline doctor --help`.
const DOCTOR_HELP: &str =
    "Exit codes: 0 all is well, or is now; 1 something is wrong; 2 it could not be checked.";

/// `branchline doctor`
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_HELP)]
pub struct Doctor {
    /// The data folder, whether a controller uses it now or not
    #[command(flatten)]
    pub data: DataFolder,
    /// Repair what can be repaired, while no controller uses the folder; what cannot be used is moved aside and kept
    #[arg(long)]
    pub repair: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Where the controller keeps everything.
#[derive(Debug, Clone, Args)]
pub struct DataFolder {
    /// The data folder [default: $XDG_STATE_HOME/branchline, or ~/.local/state/branchline]
    #[arg(long = "data", value_name = "DIR", env = "BRANCHLINE_DATA", hide_env_values = true)]
    pub folder: Option<PathBuf>,
}

/// `branchline run`
#[derive(Debug, Args)]
pub struct Run {
    /// Which pipeline, or which job of it; the only pipeline where it is not said
    #[arg(value_name = "PIPELINE[/JOB]")]
    pub what: Option<String>,
    /// An input of the pipeline; give several by repeating it
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = input)]
    pub inputs: Vec<(String, String)>,
    /// How many jobs are carried out at once [default: the number of processors]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub slots: Option<u16>,
}

/// `branchline demo`
#[derive(Debug, Args)]
pub struct Demo {
    /// Keep serving the page when the demonstration is over, until Ctrl-C
    #[arg(long)]
    pub keep: bool,
}

/// Which controller to ask.
#[derive(Debug, Clone, Args)]
pub struct Server {
    /// The controller's address [default: that of the one that uses the data folder]
    #[arg(long = "server", value_name = "URL", env = "BRANCHLINE_SERVER", hide_env_values = true)]
    pub url: Option<String>,
    /// The data folder
    #[command(flatten)]
    pub data: DataFolder,
    /// Print JSON, as the API gives it
    #[arg(long)]
    pub json: bool,
}

/// Which repository is meant.
#[derive(Debug, Clone, Args)]
pub struct WhichRepository {
    /// The repository: its id, its name, or the end of its name [default: the one of the current folder, or the only one]
    #[arg(short, long, value_name = "REPOSITORY")]
    pub repository: Option<String>,
}

/// `branchline plan`
#[derive(Debug, Args)]
pub struct Plan {
    /// Only this pipeline
    #[arg(value_name = "PIPELINE")]
    pub pipeline: Option<String>,
    /// What happens
    #[arg(long, value_name = "EVENT", default_value = "push")]
    pub event: PlanEvent,
    /// The branch, or refs/tags/… for a tag [default: what is checked out]
    #[arg(long = "ref", value_name = "REF")]
    pub ref_name: Option<String>,
    /// Of a pull request: the branch that it is to be merged into
    #[arg(long, value_name = "BRANCH", default_value = "main")]
    pub base: String,
    /// Of a pull request: one of its labels; give several by repeating it
    #[arg(long = "label", value_name = "LABEL")]
    pub labels: Vec<String>,
    /// Of a manual start: an input; give several by repeating it
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = input)]
    pub inputs: Vec<(String, String)>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What happens in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanEvent {
    /// What is checked out is pushed; with --ref refs/tags/…, as a tag
    Push,
    /// A pull request with it is opened
    #[value(name = "pull_request")]
    PullRequest,
    /// The time of each entry of a schedule comes
    Schedule,
    /// Someone starts it by hand
    Manual,
}

/// `branchline explain`
#[derive(Debug, Args)]
#[command(after_help = TOKEN_HELP)]
pub struct Explain {
    /// The build's number, REPOSITORY/NUMBER, or a commit's first digits (at least 7)
    #[arg(value_name = "BUILD|COMMIT")]
    pub what: String,
    /// Which repository
    #[command(flatten)]
    pub repository: WhichRepository,
    /// Which controller
    #[command(flatten)]
    pub server: Server,
}

/// `branchline builds`
#[derive(Debug, Args)]
#[command(after_help = TOKEN_HELP)]
pub struct Builds {
    /// Which repository
    #[command(flatten)]
    pub repository: WhichRepository,
    /// How many builds at the most
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub limit: u16,
    /// Which controller
    #[command(flatten)]
    pub server: Server,
}

/// `branchline build`
#[derive(Debug, Args)]
#[command(after_help = TOKEN_HELP)]
pub struct Build {
    /// The build's number, or REPOSITORY/NUMBER
    #[arg(value_name = "BUILD")]
    pub build: String,
    /// Which repository
    #[command(flatten)]
    pub repository: WhichRepository,
    /// Which controller
    #[command(flatten)]
    pub server: Server,
}

/// `branchline logs`
#[derive(Debug, Args)]
#[command(after_help = TOKEN_HELP)]
pub struct Logs {
    /// The run: BUILD/JOB or BUILD/NUMBER, as 12/test; with REPOSITORY/ before it where there are several
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Go on until the run has ended
    #[arg(short, long)]
    pub follow: bool,
    /// Begin at this byte
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub offset: u64,
    /// Begin at this line, from 1
    #[arg(long, value_name = "NUMBER", conflicts_with = "offset")]
    pub line: Option<NonZeroU64>,
    /// Which attempt [default: the last]
    #[arg(long, value_name = "NUMBER")]
    pub attempt: Option<u32>,
    /// Which repository
    #[command(flatten)]
    pub repository: WhichRepository,
    /// Which controller
    #[command(flatten)]
    pub server: Server,
}

/// `branchline artifacts`
#[derive(Debug, Args)]
#[command(after_help = TOKEN_HELP)]
pub struct Artifacts {
    /// A build (12) or a run (12/test); with REPOSITORY/ before it where there are several
    #[arg(value_name = "BUILD|RUN")]
    pub what: String,
    /// Only the artifact of this name
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Download and unpack them, each into DIR/JOB/RUN/NAME
    #[arg(long, value_name = "DIR")]
    pub download: Option<PathBuf>,
    /// Which repository
    #[command(flatten)]
    pub repository: WhichRepository,
    /// Which controller
    #[command(flatten)]
    pub server: Server,
}

/// `branchline start`
#[derive(Debug, Args)]
#[command(after_help = TOKEN_HELP)]
pub struct Start {
    /// Which pipeline
    #[arg(value_name = "PIPELINE")]
    pub pipeline: String,
    /// The branch or tag [default: the default branch]
    #[arg(long = "ref", value_name = "REF")]
    pub ref_name: Option<String>,
    /// An input of the pipeline; give several by repeating it
    #[arg(long = "input", value_name = "NAME=VALUE", value_parser = input)]
    pub inputs: Vec<(String, String)>,
    /// Starting again with the same key is starting once
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
    /// Which repository
    #[command(flatten)]
    pub repository: WhichRepository,
    /// Which controller
    #[command(flatten)]
    pub server: Server,
}

/// `branchline cancel`
#[derive(Debug, Args)]
#[command(after_help = TOKEN_HELP)]
pub struct Cancel {
    /// A build (12) or a run (12/test); with REPOSITORY/ before it where there are several
    #[arg(value_name = "BUILD|RUN")]
    pub what: String,
    /// Which repository
    #[command(flatten)]
    pub repository: WhichRepository,
    /// Which controller
    #[command(flatten)]
    pub server: Server,
}

/// `branchline effects`
#[derive(Debug, Args)]
#[command(after_help = TOKEN_HELP)]
pub struct Effects {
    /// What to do about one of them; without it, all are listed
    #[arg(value_enum, value_name = "ACTION", requires = "key")]
    pub action: Option<Letter>,
    /// Which one: its key, as the list shows it
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// Which controller
    #[command(flatten)]
    pub server: Server,
}

/// What to do about an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Letter {
    /// Send a dead letter again; one that is tried by itself is tried now
    Resend,
    /// Give a dead letter up for good
    Drop,
}

/// As [`duration`], at least one second: a server is not asked without pause.
fn input(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("an input is given as NAME=VALUE".to_owned()),
    }
}

fn at_least_a_second(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("at least 1s".to_owned()),
        duration => Ok(duration),
    }
}

/// Reads `90s`, `20m`, `2h`, `7d`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time: write a whole number and s, m, h or d, as in 90s or 5m");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn times_are_a_number_and_a_unit() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        for wrong in ["", "s", "5", "5 m", "-5m", "5y", "99999999999999999999d", "5ß"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
