//! The words of Branchline, and nothing else.
//!
//! Every other crate speaks in these types: [`Event`]s come in, a [`Plan`] of [`Change`]s and [`Effect`]s
//! comes out, [`Row`]s are what a store keeps, and a [`RunDefinition`] says all that a worker must do.
//! There is no I/O here, no clock and no decision.

mod definition;
mod event;
mod facts;
mod id;
mod kept;
mod lease;
mod numbered;
mod object;
mod observed;
mod pace;
mod pending;
mod plan;
mod queue;
mod reason;
mod results;
mod row;
mod rundef;
mod state;
mod time;
mod upload;

pub use definition::{
    BuildDefinition, Cell, CellValues, Context, JobDefinition, Late, Need, Problem, Wanted,
};
pub use event::{Event, EventKind, EventStatus, Missing, PullRequest, Ref, RefName, RefNameError, Upstream};
pub use facts::{Against, Changed, ObjectIds};
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
pub use reason::Reason;
pub use results::{AttemptResults, Results, SourcePlace, Summary, Tally, Test, TestOutcome, Tests};
pub use row::{
    Attempt, AttemptProgress, Because, Build, BuildProgress, Deadline, DeadlineKind, EndedRun, Key,
    PendingEvent, Repository, Row, Run, RunDefinitionRow, Trouble, UnreadableRow, Version, Versioned, keys,
};
pub use rundef::{
    ArtifactDefinition, CheckoutDefinition, Engine, Known, MatchDefinition, ReportsDefinition, Retry,
    RetryOn, RunDefinition, ShellDefinition, StepDefinition,
};
pub use state::{BuildState, BuildStatus, EndReason, Outcome, RunState, RunStatus, Seen, Stop, TimeoutOf};
pub use time::Timestamp;
pub use upload::{Artifact, Upload, UploadState};
