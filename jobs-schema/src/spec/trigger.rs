//! When a build is created.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{InputValue, WantedStatus};
use crate::{Cron, Globs, Identifier, PipelineName, Timezone};

/// When a build is created; at least one of them is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Triggers {
    /// A branch moved.
    pub push: Option<PushTrigger>,
    /// A pull request was opened, or something about it changed; a merge queue's request counts as one.
    pub pull_request: Option<PullRequestTrigger>,
    /// A tag moved whose name matches.
    pub tag: Option<Globs>,
    /// A time has come. Counts only as it stands on the default branch.
    pub schedule: Vec<Schedule>,
    /// A build of another pipeline ended.
    pub pipeline: Vec<Upstream>,
    /// An event of one of these names was sent.
    pub event: Vec<String>,
    /// Somebody may start it by hand.
    pub manual: bool,
}

/// Which pushes create a build.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PushTrigger {
    /// Only on branches that match; `None`: on every branch.
    pub branches: Option<Globs>,
    /// Only where a file that matches was changed; `None`: whatever was.
    pub paths: Option<Globs>,
    /// A build for each commit of a push, not only for its head.
    pub every_commit: bool,
}

/// Which pull requests create a build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PullRequestTrigger {
    /// Only into branches that match; `None`: into every branch.
    pub branches: Option<Globs>,
    /// After which of its changes, each named once; never none.
    pub types: Vec<PullRequestChange>,
    /// Only where it has one of these labels; none: whatever it has.
    pub labels: Vec<String>,
    /// Only where it changes a file that matches; `None`: whatever it does.
    pub paths: Option<Globs>,
}

impl Default for PullRequestTrigger {
    fn default() -> Self {
        Self { branches: None, types: PullRequestChange::USUAL.to_vec(), labels: Vec::new(), paths: None }
    }
}

/// What happened to a pull request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PullRequestChange {
    /// It is new.
    Opened,
    /// Its head moved.
    Synchronize,
    /// It was closed, and is open again.
    Reopened,
    /// It was given a label.
    Labeled,
    /// It is no draft any more.
    ReadyForReview,
    /// It was merged or given up.
    Closed,
}

impl PullRequestChange {
    /// Those that count where the file does not say.
    pub const USUAL: [Self; 3] = [Self::Opened, Self::Synchronize, Self::Reopened];
}

/// A time at which a build is created, again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The times, as crontab(5) writes them.
    pub cron: Cron,
    /// Where the clock hangs; UTC where the file does not say.
    pub timezone: Timezone,
    /// The branch that is built; `None`: the default branch.
    pub branch: Option<String>,
    /// What becomes of times that passed while nobody looked.
    pub catch_up: CatchUp,
    /// What the pipeline's inputs are; checked against them, without their defaults.
    pub inputs: BTreeMap<Identifier, InputValue>,
}

/// What becomes of times that passed while nobody looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are left out.
    Skip,
    /// One build, for the last of them.
    #[default]
    One,
    /// A build for each.
    All,
}

/// Another pipeline, whose builds create one of this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upstream {
    /// Its name.
    pub name: PipelineName,
    /// The name of its repository; `None`: this one.
    pub repository: Option<String>,
    /// Only its builds of branches that match; `None`: of whatever ref.
    pub branches: Option<Globs>,
    /// How it must have ended.
    pub status: WantedStatus,
}
