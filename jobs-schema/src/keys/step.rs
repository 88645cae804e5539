//! A step, and what a job leaves.

use super::{Level, foreign, key};
use crate::shape::{
    BOOLEAN, CONDITION, ENV, GLOBS, LONG_TIME, Names, Scalar, Shape, TEMPLATE, TEXT, TIME, Word,
};

pub(crate) const STEP: Level = Level {
    place: "a step",
    about: "One command of a job.",
    keys: &[
        key("name", &TEMPLATE, "What people see; default: the script's first line that is not blank.").example("Unit tests"),
        key("run", &Shape::scalar("a script", Scalar::Script).hint("write the command that it executes"),
            "The script. Values reach it as environment variables: `${{ … }}` is refused in it.")
            .required("say what it executes: `run: make`")
            .example("cargo nextest run"),
        key("if", &CONDITION, "It is executed only where this is true: `success()`, `failure()`, `always()`, `cancelled()`, `env`, and what was known before.")
            .default("success()")
            .example("failure()"),
        key("env", &ENV, "Environment variables of this step, over those of the job.").example("{LEVEL: \"2\"}"),
        key("shell", &TEXT, "What executes the script: a program and its arguments. A `#!` first line wins.")
            .default("sh -e")
            .example("bash"),
        key("working_directory", &TEXT, "A folder below the workspace; default: the workspace.").example("crates/core"),
        key("timeout", &TIME, "How long it may execute; default: as long as its job.").example("10m"),
        key("allow_failure", &BOOLEAN, "Its failure does not fail the job.").default("false").example("true"),
    ],
    foreign: &[
        foreign("uses", "run", "there are no actions to use: write the command as `run` (`checkout` is a key of the job)"),
        foreign("with", "", "there are no actions to use: write the command as `run`, its settings as `env`"),
        foreign("id", "", "a step is named by `name`"),
        foreign("script", "run", "write `run`"),
        foreign("continue-on-error", "allow_failure", "write `allow_failure: true`"),
        foreign("timeout-minutes", "timeout", "write `timeout: 20m`"),
        foreign("when", "if", "write `if`"),
    ],
};

pub(crate) const ARTIFACT: Level = Level {
    place: "an artifact",
    about: "Files that are kept, and handed to the jobs that need this one.",
    keys: &[
        key("name", &TEMPLATE, "Its name, unique in the job.")
            .required("write `name: binary`")
            .example("binary"),
        key(
            "path",
            &GLOBS,
            "Which files, as paths below the workspace; a folder stands for all that is in it.",
        )
        .required("write `path: target/release/app`")
        .example("\"target/release/app\""),
        key("if", &CONDITION, "It is kept only where this is true.").default("success()").example("always()"),
        key("keep", &LONG_TIME, "How long it is kept; default: as long as its build.").example("30d"),
    ],
    foreign: &[
        foreign("paths", "path", "write `path`, which takes a list too"),
        foreign("when", "if", "write `if`"),
        foreign("expire_in", "keep", "write `keep: 30d`"),
        foreign("retention-days", "keep", "write `keep: 30d`"),
    ],
};

const RESULTS: [Word; 3] = [
    Word { word: "passed", about: "It is as it should be." },
    Word { word: "failed", about: "It is not; the run fails." },
    Word { word: "skipped", about: "It was left out." },
];

pub(crate) const REPORTS: Level = Level {
    place: "`reports`",
    about: "What is read from a job's files and its log. A failed test fails the run.",
    keys: &[
        key("junit", &GLOBS, "Reports of tests in JUnit's form, as paths below the workspace.")
            .example("[\"target/nextest/**/junit.xml\"]"),
        key("match", &Shape::level("a mapping", &MATCH), "Tests that are told in the log.")
            .example("{test: \"^(?<name>\\\\S+) \", result: \"(?<result>ok|FAILED)$\", results: {ok: passed, FAILED: failed}}"),
        key("progress", &TEXT, "How far it is: a regular expression for lines of the log, with the groups `current` and `total`.")
            .example("\"\\\\[(?<current>\\\\d+)/(?<total>\\\\d+)\\\\]\""),
    ],
    foreign: &[],
};

pub(crate) const MATCH: Level = Level {
    place: "`match`",
    about: "Tests that are told in the log.",
    keys: &[
        key("test", &TEXT, "A regular expression for a line that tells of a test, with the group `name`.")
            .required("write `test: \"^test (?<name>\\\\S+)\"`")
            .example("\"^(?<name>\\\\S+) \\\\.\\\\.\\\\. \""),
        key("result", &TEXT, "A regular expression for how it ended, with the group `result`, in the same line or one after it.")
            .required("write `result: \"(?<result>ok|FAILED)$\"`")
            .example("\"(?<result>ok|FAILED)$\""),
        key("results", &Shape::names("a mapping of the log's words to `passed`, `failed` or `skipped`", Names {
            item: "the result",
            pattern: "",
            shape: &Shape::scalar("`passed`, `failed` or `skipped`", Scalar::Word(&RESULTS)),
            least: 1,
            most: 100,
        }), "What the texts of the group `result` mean.")
            .required("write `results: {ok: passed, FAILED: failed}`")
            .example("{ok: passed, FAILED: failed}"),
    ],
    foreign: &[],
};
