//! The job language: the text of a pipeline file becomes a checked [`Pipeline`], or [`Diagnostics`] that
//! name every mistake at once, each with its line, its column and what to do about it.
//!
//! Everything here is a pure, synchronous and total function of the bytes: no file is opened, no clock is
//! read, nothing panics, and the work is bounded by the size of the file, however it is made.
//!
//! ```
//! let text = b"on: push\njobs:\n  hello:\n    process: true\n    steps: [echo hello]\n";
//! let pipeline = branchline_jobs_schema::parse_pipeline(".branchline/ci.yaml", text)?;
//! assert_eq!(pipeline.jobs[0].steps[0].title(), "echo hello");
//! # Ok::<(), branchline_jobs_schema::Diagnostics>(())
//! ```

mod cron;
mod diagnostic;
mod duration;
mod file;
mod findings;
mod globs;
mod keys;
mod name;
mod pattern;
mod read;
mod render;
mod schema;
mod shape;
mod size;
mod spec;
mod yaml;

pub use cron::{Cron, CronError, Timezone, TimezoneError};
pub use diagnostic::{Diagnostic, Diagnostics};
pub use file::{MAX_FILE_BYTES, is_pipeline_path, parse_pipeline, parse_pipelines};
pub use globs::{GlobError, Globs};
pub use name::{Identifier, JobName, NameError, PipelineName};
pub use pattern::{Pattern, PatternError};
pub use render::render;
pub use schema::json_schema;
pub use size::Size;
pub use spec::{
    AllowFailure, Approval, Artifact, Cache, Capabilities, CatchUp, Cell, Channel, Checkout, Concurrency,
    Container, Cpu, Hosts, IdToken, Input, InputError, InputKind, InputValue, Job, MOST_CELLS, MatchReport,
    Matrix, MatrixKey, MatrixValue, Need, Notification, NotifyOn, Pipeline, Place, Pull, PullRequestChange,
    PullRequestTrigger, PushTrigger, Reports, Retention, Retry, RetryOn, Row, Schedule, SecretUse, Service,
    Shell, Ssh, Step, TestResult, TooManyCells, Triggers, Upstream, Volume, VolumeSource, WantedStatus,
    WhenFull, WorkerWish, shebang,
};
