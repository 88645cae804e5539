//! What a checked pipeline is: the words of the language as types. Invariant: a value that [`parse_pipeline`]
//! gave is complete (defaults are filled in) and keeps every rule of the language; what reads it checks nothing
//! again. There is no reading here, and nothing about which of it can be carried out yet.
//!
//! What may hold `${{ … }}` is a [`Template`], a condition an [`Expression`]; both were checked against the names that
//! are known where they stand.
//!
//! [`parse_pipeline`]: crate::parse_pipeline
//! [`Expression`]: branchline_expression::Expression

mod input;
mod job;
mod matrix;
mod place;
mod step;
mod trigger;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use branchline_expression::Template;
use serde::{Deserialize, Serialize};

use crate::{Identifier, PipelineName};

pub use input::{Input, InputError, InputKind, InputValue};
pub(crate) use input::{choices, number};
pub use job::{
    AllowFailure, Approval, Cache, Checkout, IdToken, Job, Need, Retry, RetryOn, SecretUse, WantedStatus,
    WorkerWish,
};
pub use matrix::{Cell, MOST_CELLS, Matrix, MatrixKey, MatrixValue, Row, TooManyCells};
pub use place::{Capabilities, Container, Cpu, Hosts, Place, Pull, Service, Ssh, Volume, VolumeSource};
pub use step::{Artifact, MatchReport, Reports, Shell, Step, TestResult, shebang};
pub use trigger::{
    CatchUp, PullRequestChange, PullRequestTrigger, PushTrigger, Schedule, Triggers, Upstream,
};

/// One pipeline file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    /// Its name: the file's stem.
    pub name: PipelineName,
    /// What it is for, as its author says.
    pub description: Option<String>,
    /// When a build is created; at least one of them is there.
    pub on: Triggers,
    /// What may be said at its start, in the order of the file.
    pub inputs: Vec<Input>,
    /// Environment variables of every step of every job; what is literal exactly as written.
    pub env: BTreeMap<String, Template>,
    /// How many builds of its kind may run at once; `None`: any number.
    pub concurrency: Option<Concurrency>,
    /// Its runs come before those of lower priority within a pool: -1000 to 1000, usually 0.
    pub priority: i16,
    /// How long a build may take; 6 hours where the file does not say.
    pub timeout: Duration,
    /// No event creates a build.
    pub disabled: bool,
    /// How much of it is kept.
    pub retention: Retention,
    /// Who is told of its builds.
    pub notify: Vec<Notification>,
    /// At least one job, in the order of the file.
    pub jobs: Vec<Job>,
}

/// How much of a pipeline is kept: whichever is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// So many of its newest builds; 100 where the file does not say.
    pub builds: NonZeroU32,
    /// So many days after a build's end; 180 where the file does not say.
    pub days: NonZeroU32,
}

impl Default for Retention {
    fn default() -> Self {
        let most = |count: u32| NonZeroU32::MIN.saturating_add(count - 1);
        Self { builds: most(100), days: most(180) }
    }
}

/// How many builds, or runs of a job, may run at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Concurrency {
    /// What they are counted by, within the repository; `None`: the pipeline's name, of a job with its own after it.
    pub group: Option<Template>,
    /// How many of the group run at once.
    pub limit: NonZeroU32,
    /// How many may wait; `None`: any number.
    pub queue: Option<u32>,
    /// What becomes of one more.
    pub when_full: WhenFull,
    /// Waiting is counted within this part of the group; `None`: within the whole.
    pub partition: Option<Template>,
    /// A new one ends those that run.
    pub cancel_running: bool,
    /// One starts only when no newer one came for so long; never of a job.
    pub debounce: Option<Duration>,
}

/// What becomes of one more than may wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// It is refused.
    #[default]
    Refuse,
    /// It takes the place of the newest that waits.
    Replace,
}

/// Who is told of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// When, each named once; at least one.
    pub on: Vec<NotifyOn>,
    /// How.
    #[serde(flatten)]
    pub to: Channel,
}

/// What a notification tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyOn {
    /// A build was created.
    Created,
    /// A build waits for somebody's approval.
    Held,
    /// A build passed.
    Passed,
    /// A build failed, was errored or timed out, or its file is wrong.
    Failed,
    /// A build passed after one that failed.
    Fixed,
    /// A build was cancelled or superseded.
    Cancelled,
}

/// How a notification is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// To these addresses, at least one.
    Email(Vec<String>),
    /// As a request to a URL.
    Webhook {
        /// `https://…`, or `http://…`.
        url: String,
        /// The secret that it is signed with.
        secret: Option<Identifier>,
    },
    /// To Slack, by the incoming webhook's URL that is in this secret.
    Slack(Identifier),
}
