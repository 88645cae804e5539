//! Where an expression stands: which names a pipeline declares there, and what is known of their values.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::Phase;

/// What is known of a value before it is there. Whatever it is, it may be null too.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Type {
    /// Nothing.
    #[default]
    Any,
    /// True or false.
    Boolean,
    /// A number.
    Number,
    /// A text.
    Text,
    /// One of these texts.
    OneOf(Vec<String>),
    /// A list.
    List,
    /// A map.
    Map,
}

/// The names that are declared in a place, and the phase in which it is evaluated.
///
/// What is the same in every pipeline (`event`, `commit`, `repository`, the functions) need not be declared.
#[derive(Clone, Debug)]
pub struct Scope {
    pub(crate) phase: Phase,
    // Shared, because every expression of a file is checked with a clone of its job's scope.
    pub(crate) inputs: Arc<BTreeMap<String, Declared>>,
    pub(crate) matrix: Arc<BTreeMap<String, Declared>>,
    /// Jobs that are needed, with their cells where they have a matrix whose cells are known.
    pub(crate) needs: BTreeMap<String, Option<Vec<String>>>,
    pub(crate) other_jobs: BTreeSet<String>,
    pub(crate) host: bool,
    /// Whether it belongs to a job, which may have a matrix, needs and a host.
    pub(crate) of_a_job: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) kind: Type,
    /// Whether it has a value wherever the expression is evaluated.
    pub(crate) always: bool,
}

impl Scope {
    /// A place that belongs to the whole pipeline.
    #[must_use]
    pub fn of_pipeline(phase: Phase) -> Scope {
        Scope {
            phase,
            inputs: Arc::default(),
            matrix: Arc::default(),
            needs: BTreeMap::new(),
            other_jobs: BTreeSet::new(),
            host: false,
            of_a_job: false,
        }
    }

    /// A place that belongs to a job. What is known when the needs have ended is [`Phase::Unblock`]; a step's `if`
    /// is [`Phase::Worker`].
    #[must_use]
    pub fn of_job(phase: Phase) -> Scope {
        Scope { of_a_job: true, ..Scope::of_pipeline(phase) }
    }

    /// The same place, looked at in another phase.
    #[must_use]
    pub fn in_phase(&self, phase: Phase) -> Scope {
        Scope { phase, ..self.clone() }
    }

    /// Declares an input; `always`, if it has a value however the build was started.
    #[must_use]
    pub fn input(mut self, name: impl Into<String>, kind: Type, always: bool) -> Scope {
        Arc::make_mut(&mut self.inputs).insert(name.into(), Declared { kind, always });
        self
    }

    /// Declares a key of the job's matrix; `always`, if every cell has it.
    #[must_use]
    pub fn matrix_key(mut self, name: impl Into<String>, kind: Type, always: bool) -> Scope {
        Arc::make_mut(&mut self.matrix).insert(name.into(), Declared { kind, always });
        self
    }

    /// Declares a job that this one needs, with the names of its cells if it has a matrix.
    #[must_use]
    pub fn need(mut self, job: impl Into<String>, cells: Option<Vec<String>>) -> Scope {
        self.needs.insert(job.into(), cells);
        self
    }

    /// Names a job of the pipeline that this one does not need, so that a message can say so.
    #[must_use]
    pub fn other_job(mut self, job: impl Into<String>) -> Scope {
        self.other_jobs.insert(job.into());
        self
    }

    /// The job runs on hosts of a pool.
    #[must_use]
    pub fn on_hosts(mut self) -> Scope {
        self.host = true;
        self
    }

    /// The phase in which the place is evaluated.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }
}
