//! What a step finds in its environment. Invariant: of the supervisor's own environment only the names in [`KEPT`] reach
//! a step, so no token of the controller does; what only the worker knows cannot be overridden by a pipeline.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use branchline_model::{RunDefinition, StepDefinition};

use crate::directory::AttemptDirectory;

/// What a step gets of the environment that the supervisor was started with.
const KEPT: &[&str] = &["PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR"];

/// Where PATH says nothing: the usual one.
const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The variable that every process of an attempt has, so that it is found when its supervisor is dead: its value is the
/// attempt directory's path.
pub const MARKER: &str = "BRANCHLINE_ATTEMPT_DIRECTORY";

/// What is looked for in `/proc/PID/environ`: the marker and the directory.
pub(crate) fn mark(directory: &AttemptDirectory) -> OsString {
    let mut mark = OsString::from(MARKER);
    mark.push("=");
    mark.push(directory.path());
    mark
}

/// The whole environment of a step.
///
/// # Errors
/// A sentence about a name or value that no process can have.
pub(crate) fn of_step(
    directory: &AttemptDirectory,
    definition: &RunDefinition,
    step: &StepDefinition,
    workspace: &OsStr,
) -> Result<BTreeMap<OsString, OsString>, String> {
    let mut all: BTreeMap<OsString, OsString> = BTreeMap::new();
    all.insert("PATH".into(), USUAL_PATH.into());
    all.extend(KEPT.iter().filter_map(|name| Some(((*name).into(), std::env::var_os(name)?))));
    all.insert("CI".into(), "true".into());
    all.insert("BRANCHLINE".into(), "true".into());
    for (name, value) in definition.env.iter().chain(&step.env) {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(format!(
                "{name:?} cannot be a variable's name: it is empty, or holds `=` or a NUL byte"
            ));
        }
        if value.contains('\0') {
            return Err(format!("the variable {name} holds a NUL byte, which no environment can: remove it"));
        }
        all.insert(name.into(), value.into());
    }
    all.insert("BRANCHLINE_WORKSPACE".into(), workspace.to_owned());
    all.insert("BRANCHLINE_ATTEMPT".into(), directory.attempt().number.to_string().into());
    all.insert("BRANCHLINE_OUTPUT".into(), directory.output().into());
    all.insert("BRANCHLINE_SUMMARY".into(), directory.summary().into());
    all.insert("BRANCHLINE_ARTIFACTS".into(), directory.artifacts().into());
    all.insert(MARKER.into(), directory.path().into());
    Ok(all)
}
