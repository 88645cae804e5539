//! Where a job runs.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use branchline_expression::Template;
use serde::{Deserialize, Serialize};

use crate::{Identifier, JobName, Size};

/// Where a job runs. There is exactly one place for each job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Straight on the worker's own machine.
    Process,
    /// In a container, beside its services.
    Container {
        /// The container.
        #[serde(flatten)]
        container: Box<Container>,
        /// What runs beside it, each reached by its name.
        services: Vec<Service>,
    },
    /// On hosts of an SSH pool.
    Ssh(Ssh),
}

/// A container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// What it is made of.
    pub image: Template,
    /// When the image is fetched.
    pub pull: Pull,
    /// The account, and the group after a `:`; `None`: the image's own.
    pub user: Option<String>,
    /// How much of a processor; `None`: as much as there is.
    pub cpu: Option<Cpu>,
    /// How much memory; `None`: as much as there is.
    pub memory: Option<Size>,
    /// What is mounted, each at a path of its own.
    pub volumes: Vec<Volume>,
    /// With the rights of the machine. Only where the pool's policy allows it.
    pub privileged: bool,
    /// The secret that opens the registry, `user:token`.
    pub credentials: Option<Identifier>,
    /// What is started instead of the steps' shell; `None`: the image's own is set aside.
    pub entrypoint: Option<Vec<String>>,
    /// Rights of Linux beyond or below the usual.
    pub capabilities: Capabilities,
}

/// When an image is fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pull {
    /// Each time.
    Always,
    /// Where the worker does not have it.
    #[default]
    Missing,
    /// Never: the worker must have it.
    Never,
}

/// A part of a processor, in thousandths: never none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cpu {
    /// `1500` is one and a half.
    pub thousandths: NonZeroU32,
}

/// Something that is mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// What.
    pub source: VolumeSource,
    /// Where: an absolute path.
    pub path: String,
    /// It cannot be written to.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeSource {
    /// A volume that the worker keeps, by its name.
    Named(String),
    /// A path of the worker's machine. Only where the pool's policy allows it.
    Host(String),
}

/// Rights of Linux, by their names without `CAP_`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// More than usual. Only where the pool's policy allows it.
    pub add: Vec<String>,
    /// Fewer.
    pub drop: Vec<String>,
}

/// A container beside the job's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Its name, by which the job's container reaches it.
    pub name: JobName,
    /// The container.
    #[serde(flatten)]
    pub container: Container,
    /// Environment variables of it.
    pub env: BTreeMap<String, Template>,
    /// A command in it that succeeds once it can be used; `None`: as soon as it runs.
    pub ready: Option<String>,
}

/// Hosts of an SSH pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ssh {
    /// The pool.
    pub pool: Template,
    /// Which of its hosts.
    pub hosts: Hosts,
    /// On how many of them at once; `None`: on all.
    pub max_parallel: Option<NonZeroU32>,
}

/// Which hosts of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hosts {
    /// A run on each.
    #[default]
    All,
    /// One run, on whichever is free.
    Any,
    /// A run on each of these, by their names; at least one, each once.
    Named(Vec<String>),
}
