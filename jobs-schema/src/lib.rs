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

mod checkout;
mod diagnostic;
mod duration;
mod environment;
mod file;
mod findings;
mod globs;
mod job;
mod keys;
mod name;
mod needs;
mod pipeline;
mod read;
mod render;
mod retention;
mod retry;
mod spec;
mod step;
mod trigger;
mod yaml;

pub use diagnostic::{Diagnostic, Diagnostics};
pub use file::{MAX_FILE_BYTES, is_pipeline_path, parse_pipeline, parse_pipelines};
pub use globs::{GlobError, Globs};
pub use name::{JobName, NameError, PipelineName};
pub use render::render;
pub use spec::{
    Checkout, Job, Pipeline, Place, PushTrigger, Retention, Retry, RetryOn, Shell, Step, Triggers, shebang,
};
