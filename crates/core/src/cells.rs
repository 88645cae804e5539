//! The runs of a job: one for each cell of its matrix, on each of its hosts. Invariant: they are in the order of the file, and a
//! build never has more than [`MOST_RUNS`].

use std::num::NonZeroU32;

use branchline_expression::{Template, Value, Values};
use branchline_jobs_schema::{self as schema, Hosts, Job, MatrixValue, Place};
use branchline_model::{CellValues, Context, EndReason, Outcome, PoolName};

use crate::context;
use crate::inputs::variable;
use crate::pools::{DEFAULT_POOL, Host, Pools};

/// So many runs a build may have.
pub const MOST_RUNS: usize = schema::MOST_CELLS;

/// One run that is to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlannedRun {
    /// Its cell, its host, or both; `None` where the job has one run by its nature.
    pub(crate) name: Option<String>,
    /// What its expressions know.
    pub(crate) values: CellValues,
    /// The `MATRIX_*` and `HOST_*` variables.
    pub(crate) variables: Vec<(String, String)>,
    /// Where it is sent; or why it cannot be.
    pub(crate) pool: Result<PoolName, EndReason>,
}

impl PlannedRun {
    /// How a run ends that can be sent nowhere.
    pub(crate) const OUTCOME: Outcome = Outcome::Errored;
}

/// The runs of a job, in order: never none.
pub(crate) fn of(
    job: &Job,
    context: &Context,
    pools: &Pools,
) -> Result<Vec<PlannedRun>, schema::TooManyCells> {
    let cells = job.matrix.as_ref().map(schema::Matrix::cells).transpose()?;
    let declared: Vec<String> = job
        .matrix
        .as_ref()
        .map(|matrix| matrix.declared().into_keys().map(|name| name.as_str().to_owned()).collect())
        .unwrap_or_default();
    let mut runs = Vec::new();
    for cell in cells.map_or_else(|| vec![None], |cells| cells.into_iter().map(Some).collect()) {
        // Names that only other cells have are null in this one.
        let nothing = declared.iter().map(|name| (name.as_str(), Value::Null));
        let said = cell.iter().flat_map(|cell| &cell.values);
        let matrix = Value::map(nothing.chain(said.map(|(name, value)| (name.as_str(), of_matrix(value)))));
        let variables = cell.iter().flat_map(|cell| &cell.values);
        let run = PlannedRun {
            name: cell.as_ref().map(schema::Cell::name),
            values: CellValues { matrix, host: Value::Null },
            variables: variables
                .map(|(name, value)| (variable("MATRIX", name.as_str()), value.to_string()))
                .collect(),
            pool: Ok(PoolName::new(DEFAULT_POOL)),
        };
        on_hosts(&mut runs, run, job, context, pools);
    }
    if runs.len() > MOST_RUNS { Err(schema::TooManyCells) } else { Ok(runs) }
}

fn of_matrix(value: &MatrixValue) -> Value {
    match value {
        MatrixValue::Boolean(value) => Value::from(*value),
        MatrixValue::Integer(number) => Value::from(*number),
        MatrixValue::Text(text) => Value::from(text.as_str()),
    }
}

/// Adds a cell's run; or one for each host that the job names.
fn on_hosts(runs: &mut Vec<PlannedRun>, cell: PlannedRun, job: &Job, context: &Context, pools: &Pools) {
    let values = context.values(&cell.values);
    let pool = place(job, &values, pools);
    let (Place::Ssh(ssh), Ok(name)) = (&job.place, &pool) else {
        runs.push(PlannedRun { pool, ..cell });
        return;
    };
    let hosts = pools.0.get(name).and_then(|pool| pool.hosts.as_deref()).unwrap_or_default();
    let on = |host: &Host, pool| {
        let named = cell.name.iter().map(String::as_str).chain([host.name.as_str()]).collect::<Vec<_>>();
        let vars = host.vars.iter().map(|(name, value)| (variable("HOST", name), value.clone()));
        let own = [("HOST_NAME", &host.name), ("HOST_ADDRESS", &host.address)];
        let own = own.map(|(name, value)| (name.to_owned(), value.clone()));
        PlannedRun {
            name: Some(named.join("-")),
            values: CellValues { host: host.value(), ..cell.values.clone() },
            variables: cell.variables.iter().cloned().chain(vars).chain(own).collect(),
            pool,
        }
    };
    match &ssh.hosts {
        Hosts::Any => runs.push(PlannedRun { pool, ..cell }),
        Hosts::All if hosts.is_empty() => {
            let why = format!("the pool `{name}` has no hosts: add one in the control file");
            runs.push(PlannedRun { pool: Err(EndReason::NoPlace { why }), ..cell });
        }
        Hosts::All => runs.extend(hosts.iter().map(|host| on(host, pool.clone()))),
        Hosts::Named(wanted) => {
            runs.extend(wanted.iter().map(|wanted| match hosts.iter().find(|host| host.name == *wanted) {
                Some(host) => on(host, pool.clone()),
                None => {
                    let known: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
                    let why =
                        format!("the pool `{name}` has no host `{wanted}`; it has {}", known.join(", "));
                    let host = Host { name: wanted.clone(), ..Host::default() };
                    on(&host, Err(EndReason::NoPlace { why }))
                }
            }));
        }
    }
}

/// The pool that a run is sent to, if it can carry the run out.
fn place(job: &Job, values: &Values<'_>, pools: &Pools) -> Result<PoolName, EndReason> {
    let (key, wanted) = match &job.place {
        Place::Ssh(ssh) => ("ssh.pool", Some(&ssh.pool)),
        Place::Process | Place::Container { .. } => ("worker.pool", job.worker.pool.as_ref()),
    };
    let name = wanted.map_or_else(|| Ok(DEFAULT_POOL.to_owned()), |pool| whole(key, pool, values))?;
    let pool = pools.find(&name).map_err(|why| EndReason::NoPlace { why })?;
    let (can, what, instead) = match &job.place {
        Place::Process => (pool.process, "run steps on its workers' own machines", "say `container`"),
        Place::Container { .. } => (pool.container, "run containers", "say `process: true`"),
        Place::Ssh(_) => (pool.hosts.is_some(), "reach hosts by SSH", "say `process: true`"),
    };
    if can {
        Ok(PoolName::new(name))
    } else {
        let why = format!("the pool `{name}` cannot {what}: name a pool that can, or {instead}");
        Err(EndReason::NoPlace { why })
    }
}

/// A text no part of which may be missing.
pub(crate) fn whole(key: &str, template: &Template, values: &Values<'_>) -> Result<String, EndReason> {
    match template.render_whole(values) {
        Ok(rendering) => Ok(rendering.text),
        Err(error) => Err(context::failed(key, template.text(), &error)),
    }
}

/// How many of a job's runs may be under way at once: what the job says, and what is said of its hosts.
pub(crate) fn max_parallel(job: &Job) -> Option<NonZeroU32> {
    let of_hosts = match &job.place {
        Place::Ssh(ssh) => ssh.max_parallel,
        Place::Process | Place::Container { .. } => None,
    };
    job.max_parallel.into_iter().chain(of_hosts).min()
}
