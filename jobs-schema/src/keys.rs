//! The keys of the language, level by level. Invariant: every key of the language is named here, with whether it
//! is read yet; one that is not read is said to be so, and never passed over in silence.

use crate::findings::quoted;

/// The keys that may stand in one kind of mapping.
pub(crate) struct Level {
    /// The kind of mapping, for people: "a job".
    pub(crate) place: &'static str,
    /// The keys that are read.
    pub(crate) read: &'static [&'static str],
    /// The keys of the language that are not supported yet.
    pub(crate) later: &'static [Later],
    /// What users of other systems write instead.
    foreign: &'static [Foreign],
}

/// A key that is not supported yet, and what can be done until it is.
pub(crate) struct Later {
    pub(crate) key: &'static str,
    pub(crate) hint: Option<&'static str>,
}

struct Foreign {
    word: &'static str,
    /// The key that says it here; empty where there is none.
    key: &'static str,
    hint: &'static str,
}

const fn later(key: &'static str) -> Later {
    Later { key, hint: None }
}

const fn later_hint(key: &'static str, hint: &'static str) -> Later {
    Later { key, hint: Some(hint) }
}

const fn foreign(word: &'static str, key: &'static str, hint: &'static str) -> Foreign {
    Foreign { word, key, hint }
}

const ONLY_PROCESS: &str = "until then a job runs on the worker's own machine: `process: true`";

pub(crate) const PIPELINE: Level = Level {
    place: "a pipeline",
    read: &["description", "on", "env", "timeout", "retention", "jobs"],
    later: &[
        later("inputs"),
        later("concurrency"),
        later("priority"),
        later_hint("disabled", "until then take the file away to switch the pipeline off"),
        later("notify"),
    ],
    foreign: &[
        foreign("name", "description", "a pipeline is named by its file; `description` says what it is for"),
        foreign("run-name", "", "a build is named by its pipeline and number"),
        foreign("permissions", "", "there are none to give: take it away"),
        foreign("defaults", "", "give `shell` and `working_directory` in each step"),
        foreign("stages", "jobs", "the order of jobs follows from `needs` in each job"),
        foreign("variables", "env", "write `env`"),
        foreign("steps", "", "steps belong in a job: `jobs: {build: {process: true, steps: […]}}`"),
    ],
};

pub(crate) const ON: Level = Level {
    place: "`on`",
    read: &["push", "tag", "manual"],
    later: &[
        later_hint(
            "pull_request",
            "until then `push` builds every branch, those of requests in this repository too",
        ),
        later("schedule"),
        later("pipeline"),
        later("event"),
    ],
    foreign: &[
        foreign("workflow_dispatch", "manual", "write `manual: true`"),
        foreign("pull_request_target", "pull_request", "write `pull_request`, which is not supported yet"),
        foreign("merge_request", "pull_request", "write `pull_request`, which is not supported yet"),
        foreign("merge_group", "pull_request", "write `pull_request`, which is not supported yet"),
        foreign("workflow_run", "pipeline", "write `pipeline`, which is not supported yet"),
        foreign("workflow_call", "", "a pipeline cannot be called by another"),
        foreign("repository_dispatch", "event", "write `event`, which is not supported yet"),
        foreign("release", "tag", "write `tag: [\"v*\"]`"),
        foreign("create", "tag", "write `tag: [\"v*\"]`"),
        foreign("cron", "schedule", "write `schedule`, which is not supported yet"),
        foreign("branches", "push", "write `push: {branches: […]}`"),
    ],
};

pub(crate) const PUSH: Level = Level {
    place: "`push`",
    read: &["branches"],
    later: &[later("paths"), later("every_commit")],
    foreign: &[
        foreign("branches-ignore", "branches", "take branches away with `!`: `branches: [\"!wip/**\"]`"),
        foreign("paths-ignore", "paths", "write `paths`, which is not supported yet"),
        foreign("tags", "", "`tag` stands beside `push`: `on: {push: {}, tag: [\"v*\"]}`"),
        foreign("tags-ignore", "", "`tag` stands beside `push`, and takes tags away with `!`"),
    ],
};

pub(crate) const JOB: Level = Level {
    place: "a job",
    read: &["needs", "process", "steps", "env", "timeout", "allow_failure", "checkout", "retry"],
    later: &[
        later("if"),
        later_hint("matrix", "until then write a job for each of its cells"),
        later("fail_fast"),
        later("max_parallel"),
        later_hint("container", ONLY_PROCESS),
        later("services"),
        later("worker"),
        later("secrets"),
        later("id_token"),
        later("cache"),
        later("artifacts"),
        later("reports"),
        later("silence"),
        later("approval"),
        later_hint("ssh", ONLY_PROCESS),
        later("concurrency"),
    ],
    foreign: &[
        foreign("runs-on", "process", "write `process: true` to run on the worker's own machine"),
        foreign("image", "container", "write `container`, which is not supported yet"),
        foreign("script", "steps", "write `steps`, a list of commands"),
        foreign("before_script", "steps", "write them as the first of `steps`"),
        foreign("after_script", "steps", "write them as the last of `steps`"),
        foreign("run", "steps", "a command belongs in `steps`: `steps: [make]`"),
        foreign("stage", "needs", "the order of jobs follows from `needs`"),
        foreign("variables", "env", "write `env`"),
        foreign("strategy", "matrix", "write `matrix`, which is not supported yet"),
        foreign("continue-on-error", "allow_failure", "write `allow_failure: true`"),
        foreign("timeout-minutes", "timeout", "write `timeout: 20m`"),
        foreign("tags", "worker", "write `worker`, which is not supported yet"),
        foreign(
            "outputs",
            "",
            "a step writes `key=value` lines for the jobs that need its job; not supported yet",
        ),
        foreign("permissions", "", "there are none to give: take it away"),
        foreign("name", "", "a job is named by its key in `jobs`"),
        foreign("uses", "", "there are no actions to use: write the commands as `steps`"),
    ],
};

pub(crate) const STEP: Level = Level {
    place: "a step",
    read: &["name", "run", "env", "shell", "working_directory", "timeout", "allow_failure"],
    later: &[later("if")],
    foreign: &[
        foreign(
            "uses",
            "run",
            "there are no actions to use: write the command as `run` (`checkout` is a key of the job)",
        ),
        foreign("with", "", "there are no actions to use: write the command as `run`, its settings as `env`"),
        foreign("id", "", "a step is named by `name`"),
        foreign("script", "run", "write `run`"),
        foreign("continue-on-error", "allow_failure", "write `allow_failure: true`"),
        foreign("timeout-minutes", "timeout", "write `timeout: 20m`"),
    ],
};

pub(crate) const CHECKOUT: Level = Level {
    place: "`checkout`",
    read: &["depth", "submodules"],
    later: &[later("lfs"), later("repository"), later("ref"), later("path")],
    foreign: &[foreign("fetch-depth", "depth", "write `depth`")],
};

pub(crate) const RETENTION: Level =
    Level { place: "`retention`", read: &["builds", "days"], later: &[], foreign: &[] };

pub(crate) const NEED: Level = Level { place: "a need", read: &["job", "status"], later: &[], foreign: &[] };

pub(crate) const RETRY: Level = Level {
    place: "`retry`",
    read: &["attempts", "on", "backoff"],
    later: &[],
    foreign: &[
        foreign("max", "attempts", "write `attempts`, the first one included: `max: 2` is `attempts: 3`"),
        foreign("when", "on", "write `on`"),
        foreign("limit", "attempts", "write `attempts`, the first one included: `limit: 2` is `attempts: 3`"),
    ],
};

const LEVELS: [&Level; 9] = [&PIPELINE, &ON, &PUSH, &JOB, &STEP, &CHECKOUT, &RETENTION, &NEED, &RETRY];

/// What somebody who wrote an unknown key may have meant.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Suggestion {
    /// The key of this level, where there is one.
    pub(crate) key: Option<&'static str>,
    /// What to do.
    pub(crate) hint: Option<String>,
}

impl Level {
    /// What is not supported yet of this key, where it is one of the language.
    pub(crate) fn not_yet(&self, key: &str) -> Option<&'static Later> {
        self.later.iter().find(|later| later.key == key)
    }

    /// What may have been meant by a key that is none of this level's.
    pub(crate) fn suggest(&self, unknown: &str) -> Suggestion {
        if let Some(foreign) = self.foreign.iter().find(|foreign| foreign.word == unknown) {
            return Suggestion {
                key: Some(foreign.key).filter(|key| !key.is_empty()),
                hint: Some(foreign.hint.to_owned()),
            };
        }
        let here = self.read.iter().copied().chain(self.later.iter().map(|later| later.key));
        if let Some(key) = nearest(unknown, here) {
            return Suggestion { key: Some(key), hint: Some(format!("did you mean `{key}`?")) };
        }
        let elsewhere: Vec<_> = LEVELS
            .iter()
            .filter(|level| level.read.contains(&unknown) || level.not_yet(unknown).is_some())
            .map(|level| level.place)
            .collect();
        let hint = match elsewhere.split_last() {
            None => format!("the keys of {} are {}", self.place, list(self.read)),
            Some((last, [])) => format!("{} is a key of {last}", quoted(unknown)),
            Some((last, others)) => {
                format!("{} is a key of {} and of {last}", quoted(unknown), others.join(", of "))
            }
        };
        Suggestion { key: None, hint: Some(hint) }
    }
}

/// The longest text for which likenesses are looked for.
const LONGEST: usize = 64;

/// The candidate most like a text, where one is so like it that it may well have been meant.
pub(crate) fn nearest<'c>(text: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if text.is_empty() || text.len() > LONGEST {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    let wanted = plain(text);
    let most = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(text.len()) <= most + 4)
        .map(|candidate| (strsim::osa_distance(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= most && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Words in a row, each between backticks, with "and" before the last.
pub(crate) fn list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [others @ .., last] => {
            let others: Vec<_> = others.iter().map(|word| format!("`{word}`")).collect();
            format!("{} and `{last}`", others.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_most_like_what_was_written_is_suggested() {
        let suggested = |level: &Level, key| level.suggest(key).key;
        assert_eq!(suggested(&JOB, "need"), Some("needs"));
        assert_eq!(suggested(&JOB, "Steps"), Some("steps"));
        assert_eq!(suggested(&STEP, "working-directory"), Some("working_directory"));
        assert_eq!(suggested(&STEP, "working_dir"), None);
        assert_eq!(suggested(&JOB, "matirx"), Some("matrix"));
        assert_eq!(suggested(&PIPELINE, "no"), Some("on"));
        assert_eq!(suggested(&PIPELINE, "zebra"), None);
        assert_eq!(suggested(&PIPELINE, &"j".repeat(100_000)), None);
    }

    #[test]
    fn a_key_of_another_level_is_said_to_be_one() {
        assert_eq!(JOB.suggest("branches").hint.unwrap(), "`branches` is a key of `push`");
        assert_eq!(STEP.suggest("needs").hint.unwrap(), "`needs` is a key of a job");
        assert_eq!(
            PUSH.suggest("timeout").hint.unwrap(),
            "`timeout` is a key of a pipeline, of a job and of a step"
        );
    }

    #[test]
    fn no_key_is_both_read_and_not_supported_and_no_foreign_word_is_a_key() {
        for level in LEVELS {
            for later in level.later {
                assert!(!level.read.contains(&later.key), "{} {}", level.place, later.key);
            }
            for foreign in level.foreign {
                assert!(!level.read.contains(&foreign.word), "{} {}", level.place, foreign.word);
                assert!(level.not_yet(foreign.word).is_none(), "{} {}", level.place, foreign.word);
                let known = level.read.contains(&foreign.key) || level.not_yet(foreign.key).is_some();
                assert!(foreign.key.is_empty() || known, "{} {}", level.place, foreign.key);
            }
        }
    }
}
