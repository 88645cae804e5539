//! The outermost keys of a file.

use super::input::INPUT;
use super::job::JOB;
use super::trigger::ON_SHAPE;
use super::{Level, foreign, key};
use crate::shape::{BOOLEAN, COUNT, ENV, List, Names, Scalar, Shape, TEMPLATE, TEXT, TEXTS, TIME, Word};

pub(crate) const PIPELINE: Level = Level {
    place: "a pipeline",
    about: "What runs, and when.",
    keys: &[
        key("description", &TEXT, "What it is for; shown with each build.")
            .example("Build, test and ship the service"),
        key("on", &ON_SHAPE, "When a build is created.")
            .required("say when one is: `on: push`, `on: {tag: [\"v*\"]}`, `on: manual`…")
            .example("{push: {branches: [main]}, manual: true}"),
        key(
            "inputs",
            &INPUTS,
            "What may be said at its start: a form in the page, flags of the command, variables in the job.",
        )
        .example("{target: {type: choice, options: [staging, production], default: staging}}"),
        key("env", &ENV, "Environment variables of every step of every job.")
            .example("{RUST_BACKTRACE: \"1\"}"),
        key(
            "concurrency",
            &CONCURRENCY_SHAPE,
            "How many builds of its kind may run at once; default: any number.",
        )
        .example("{group: deploy, limit: 1}"),
        key(
            "priority",
            &Shape::scalar("a number from -1000 to 1000", Scalar::Number { least: -1_000, most: 1_000 }),
            "Its runs come before those of lower priority within a pool.",
        )
        .default("0")
        .example("10"),
        key(
            "timeout",
            &TIME,
            "How long a build may take, from its creation on; time held for an approval is not counted.",
        )
        .default("6h")
        .example("1h"),
        key("disabled", &BOOLEAN, "No event creates a build.").default("false").example("true"),
        key(
            "retention",
            &Shape::level("a mapping", &RETENTION),
            "How much of it is kept; artifacts and logs go with the build.",
        )
        .default("{builds: 100, days: 180}")
        .example("{builds: 50, days: 90}"),
        key(
            "notify",
            &Shape::list(
                "a list of notifications",
                List::of("a notification", &Shape::level("a mapping", &NOTIFICATION)).or_empty(),
            ),
            "Who is told of its builds.",
        )
        .example("[{on: [failed, fixed], email: [team@example.org]}]"),
        key("jobs", &JOBS, "What runs.")
            .required("give it at least one: `jobs: {build: {process: true, steps: [make]}}`")
            .example("{build: {container: \"rust:1.95\", steps: [cargo build]}}"),
    ],
    foreign: &[
        foreign("name", "description", "a pipeline is named by its file; `description` says what it is for"),
        foreign("run-name", "", "a build is named by its pipeline and number"),
        foreign("permissions", "", "there are none to give: take it away"),
        foreign("defaults", "", "give `shell` and `working_directory` in each step"),
        foreign("stages", "jobs", "the order of jobs follows from `needs` in each job"),
        foreign("variables", "env", "write `env`"),
        foreign("steps", "", "steps belong in a job: `jobs: {build: {process: true, steps: […]}}`"),
        foreign("triggers", "on", "write `on`"),
        foreign("params", "inputs", "write `inputs`"),
    ],
};

const INPUTS: Shape = Shape::names(
    "a mapping of names to inputs",
    Names {
        item: "the input",
        pattern: "^[A-Za-z_][A-Za-z0-9_]{0,62}$",
        shape: &Shape::level("a mapping such as `{type: string}`", &INPUT).or_nothing(),
        least: 0,
        most: 100,
    },
);

const JOBS: Shape = Shape::names(
    "a mapping of names to jobs",
    Names {
        item: "the job",
        pattern: "^[A-Za-z_][A-Za-z0-9_-]{0,62}$",
        shape: &Shape::level("a mapping", &JOB)
            .hint("a job says where it runs and what: `{process: true, steps: [make]}`"),
        least: 1,
        most: 1_024,
    },
)
.hint("a pipeline has at least one job: `jobs: {build: {process: true, steps: [make]}}`");

pub(crate) const RETENTION: Level = Level {
    place: "`retention`",
    about: "How much of a pipeline is kept: whichever is reached first.",
    keys: &[
        key("builds", &KEPT, "So many of its newest builds.").default("100").example("50"),
        key("days", &KEPT, "So many days after a build's end.").default("180").example("90"),
    ],
    foreign: &[],
};

const KEPT: Shape = Shape::scalar("a number from 1 to 10000", Scalar::Number { least: 1, most: 10_000 })
    .hint("the newest build of a pipeline is always kept, and what still runs");

const WHEN_FULL: [Word; 2] = [
    Word { word: "refuse", about: "It is refused." },
    Word { word: "replace", about: "It takes the place of the newest that waits." },
];

/// Of a pipeline. A text alone is the group.
const CONCURRENCY_SHAPE: Shape =
    Shape::level("a group, or a mapping", &CONCURRENCY).or_scalar(Scalar::Template);

const GROUP: super::Key =
    key("group", &TEMPLATE, "What they are counted by, within the repository; default: the pipeline's name, for a job with its own after it.")
        .example("\"deploy-${{ inputs.target }}\"");
const LIMIT: super::Key =
    key("limit", &COUNT, "How many of the group run at once.").default("1").example("2");
const QUEUE: super::Key = key(
    "queue",
    &Shape::scalar("a number from 0 to 10000", Scalar::Number { least: 0, most: 10_000 }),
    "How many may wait; `0` refuses while it is busy; default: any number.",
)
.example("10");
const FULL: super::Key = key(
    "when_full",
    &Shape::scalar("`refuse` or `replace`", Scalar::Word(&WHEN_FULL)),
    "What becomes of one more.",
)
.default("refuse")
.example("replace");
const PARTITION: super::Key =
    key("partition", &TEMPLATE, "`queue` and `when_full` count within it; `limit` counts all.")
        .example("\"${{ inputs.site }}\"");
const CANCEL: super::Key =
    key("cancel_running", &BOOLEAN, "A new one ends those that run.").default("false").example("true");

pub(crate) const CONCURRENCY: Level = Level {
    place: "`concurrency`",
    about: "How many may run at once.",
    keys: &[
        GROUP,
        LIMIT,
        QUEUE,
        FULL,
        PARTITION,
        CANCEL,
        key(
            "debounce",
            &TIME,
            "A build starts only when no newer one came for so long, at most ten times that.",
        )
        .example("10s"),
    ],
    foreign: CONCURRENCY_FOREIGN,
};

/// Of a job: its runs are not debounced.
pub(crate) const JOB_CONCURRENCY: Level = Level {
    place: "`concurrency` of a job",
    about: "How many of its kind may run at once.",
    keys: &[GROUP, LIMIT, QUEUE, FULL, PARTITION, CANCEL],
    foreign: &[
        foreign("cancel-in-progress", "cancel_running", "write `cancel_running`"),
        foreign("debounce", "", "builds are debounced, by `concurrency` of the pipeline"),
    ],
};

const CONCURRENCY_FOREIGN: &[super::Foreign] =
    &[foreign("cancel-in-progress", "cancel_running", "write `cancel_running`")];

const TOLD: [Word; 6] = [
    Word { word: "created", about: "A build was created." },
    Word { word: "held", about: "A build waits for somebody's approval." },
    Word { word: "passed", about: "A build passed." },
    Word { word: "failed", about: "A build failed, was errored or timed out, or its file is wrong." },
    Word { word: "fixed", about: "A build passed after one that failed." },
    Word { word: "cancelled", about: "A build was cancelled or superseded." },
];

pub(crate) const NOTIFICATION: Level = Level {
    place: "a notification",
    about: "Who is told of a build, and when: one of `email`, `webhook` and `slack`.",
    keys: &[
        key(
            "on",
            &Shape::list(
                "what it tells of",
                List::of("an occasion", &Shape::scalar("the word for an occasion", Scalar::Word(&TOLD))),
            )
            .or_scalar(Scalar::Word(&TOLD)),
            "When.",
        )
        .required("say when: `on: [failed, fixed]`")
        .example("[failed, fixed]"),
        key("email", &TEXTS, "To these addresses.").example("[team@example.org]"),
        key("webhook", &TEXT, "As a request to this URL.").example("https://example.org/hook"),
        key("secret", &TEXT, "The secret that the request is signed with.").example("HOOK_KEY"),
        key("slack", &TEXT, "To Slack: the secret that holds the incoming webhook's URL.")
            .example("SLACK_URL"),
    ],
    foreign: &[foreign("events", "on", "write `on`"), foreign("to", "email", "write `email`")],
};
