//! The words of Branchline, and nothing else.
//!
//! Every other crate speaks in these types: [`Event`]s come in, a [`Plan`] of [`Change`]s and [`Effect`]s
//! comes out, [`Row`]s are what a store keeps, and a [`RunDefinition`] says all that a worker must do.
//! There is no I/O here, no clock and no decision.

mod event;
mod id;
mod kept;
mod lease;
mod object;
mod observed;
mod pace;
mod pending;
mod plan;
mod queue;
mod results;
mod row;
mod rundef;
mod state;
mod time;
mod upload;

pub use event::{Event, EventKind, EventStatus, Missing, Reason, Ref, RefName, RefNameError};
pub use id::{
    Actor, AttemptId, BuildId, CommitId, EventKey, IdError, JobName, PipelineName, PoolName, RepositoryId,
    RepositoryName, RunId, WorkerId,
};
pub use kept::{KeptBuild, Retention};
pub use lease::{HeldAttempt, LastAttempt, LeaseEnd, Listening, Lost};
pub use object::{Content, Digest, OBJECT_PART, ObjectKey};
pub use observed::{AttemptEnd, AttemptReport, LineTime, StepEnd, StepRecord};
pub use pace::{LogWatch, Pace};
pub use pending::{DeadEffect, DueEffect, LastTry, PendingEffect};
pub use plan::{Change, Effect, EffectKey, Expectation, Plan};
pub use queue::{Demand, Lane, LaneId, Priority, QueueEntry, Standing, Tag, Wants};
pub use results::{AttemptResults, Results, SourcePlace, Summary, Tally, Test, TestOutcome, Tests};
pub use row::{
    Attempt, AttemptProgress, Build, BuildDefinition, BuildProgress, Deadline, DeadlineKind, EndedRun,
    JobDefinition, JobProgress, Key, PendingEvent, Problem, Repository, Row, Run, RunDefinitionRow, Trouble,
    UnreadableRow, Version, Versioned, keys,
};
pub use rundef::{
    ArtifactDefinition, CheckoutDefinition, Engine, MatchDefinition, ReportsDefinition, Retry, RetryOn,
    RunDefinition, ShellDefinition, StepDefinition,
};
pub use state::{BuildState, BuildStatus, EndReason, Outcome, RunState, RunStatus, Stop, TimeoutOf};
pub use time::Timestamp;
pub use upload::{Artifact, Upload, UploadState};
