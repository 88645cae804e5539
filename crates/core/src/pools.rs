//! The pools that runs can be sent to, as facts. Invariant: a job whose pool is not there, or cannot carry it out, is told so at
//! once; it never waits in a queue for a worker that cannot come.

use std::collections::BTreeMap;

use branchline_expression::Value;
use branchline_model::PoolName;

/// The pool of a job that names none.
pub const DEFAULT_POOL: &str = "default";

/// What the controller serves builds with, whatever their pipelines say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setting {
    /// The pools.
    pub pools: Pools,
    /// Environment variables of every step, below those of the pipeline.
    pub env: BTreeMap<String, String>,
}

/// Every pool there is.
#[derive(Clone, Debug, PartialEq)]
pub struct Pools(pub BTreeMap<PoolName, Pool>);

/// What a pool can carry out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pool {
    /// Steps straight on the worker's own machine.
    pub process: bool,
    /// Steps in containers.
    pub container: bool,
    /// Steps on these hosts, reached by SSH; `None` where it is no pool of hosts.
    pub hosts: Option<Vec<Host>>,
}

/// A machine that is reached by SSH.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Host {
    /// Its name, unique in its pool.
    pub name: String,
    /// Where it is.
    pub address: String,
    /// What may be asked of it.
    pub tags: Vec<String>,
    /// What its runs are told.
    pub vars: BTreeMap<String, String>,
}

impl Host {
    /// What expressions know as `host`.
    #[must_use]
    pub fn value(&self) -> Value {
        Value::map([
            ("name", Value::from(self.name.as_str())),
            ("address", Value::from(self.address.as_str())),
            ("tags", Value::from(self.tags.clone())),
            (
                "vars",
                Value::map(
                    self.vars.iter().map(|(name, value)| (name.as_str(), Value::from(value.as_str()))),
                ),
            ),
        ])
    }
}

impl Default for Pools {
    /// Without a control file: one pool, of process runs on the machine itself.
    fn default() -> Self {
        let default = Pool { process: true, ..Pool::default() };
        Self(BTreeMap::from([(PoolName::new(DEFAULT_POOL), default)]))
    }
}

impl Pools {
    /// A pool by its name; otherwise what is missing, and what there is.
    pub fn find(&self, name: &str) -> Result<&Pool, String> {
        self.0.get(&PoolName::new(name)).ok_or_else(|| {
            let known: Vec<String> = self.0.keys().map(|name| format!("`{name}`")).collect();
            format!("there is no pool `{name}`; there is {}", known.join(", "))
        })
    }
}
