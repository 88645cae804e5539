//! `on` and what is in it.

use super::{Level, foreign, key};
use crate::shape::{BOOLEAN, GLOBS, List, Names, Scalar, Shape, TEXT, TEXTS, Word};

pub(crate) const NONE: &str =
    "say when a build is created: `on: push`, `on: {push: {branches: [main]}}`, `on: manual`…";

/// The events that need no more words.
const EVENTS: [Word; 4] = [
    Word { word: "push", about: "A branch is new, or has moved." },
    Word { word: "pull_request", about: "A pull request was opened, reopened, or its head has moved." },
    Word { word: "tag", about: "A tag is new, or has moved." },
    Word { word: "manual", about: "Somebody asks for it." },
];

pub(crate) const ON_SHAPE: Shape = Shape {
    expected: "events, or a mapping of events to what they must be like",
    hint: Some(NONE),
    if_empty: Some(NONE),
    scalar: Some(Scalar::Word(&EVENTS)),
    list: Some(List::of("an event", &Shape::scalar("the word for an event", Scalar::Word(&EVENTS)))),
    mapping: Some(crate::shape::Mapping::Level(&ON)),
    nothing: false,
};

pub(crate) const ON: Level = Level {
    place: "`on`",
    about: "When a build is created: at least one of these.",
    keys: &[
        key(
            "push",
            &Shape::level("a mapping", &PUSH)
                .or_nothing()
                .hint("write `push: {}` for every branch, `push: {branches: [main]}` for some"),
            "A branch is new, or has moved.",
        )
        .example("{branches: [main, \"release/**\"]}"),
        key(
            "pull_request",
            &Shape::level("a mapping", &PULL_REQUEST)
                .or_nothing()
                .hint("write `pull_request: {}` for every one"),
            "A pull request was opened, or changed. A merge queue's request counts as one.",
        )
        .example("{branches: [main]}"),
        key(
            "tag",
            &GLOBS_OR_NOTHING,
            "A tag is new, or has moved, and its name matches; nothing after it means every tag.",
        )
        .example("[\"v*\"]"),
        key(
            "schedule",
            &Shape::list(
                "a list of schedules",
                List::of("a schedule", &Shape::level("a mapping with `cron`", &SCHEDULE)).at_most(64),
            ),
            "A time has come. It counts only as it stands on the default branch.",
        )
        .example("[{cron: \"30 4 * * 1-5\", timezone: Europe/Berlin}]"),
        key(
            "pipeline",
            &Shape::list(
                "a list of pipelines",
                List::of(
                    "a pipeline",
                    &Shape::level("a pipeline's name, or a mapping with `name`", &UPSTREAM)
                        .or_scalar(Scalar::Text),
                ),
            )
            .or_scalar(Scalar::Text),
            "A build of another pipeline ended.",
        )
        .example("[{name: build, repository: github.com/acme/lib, status: passed}]"),
        key(
            "event",
            &TEXTS,
            "An event of one of these names was sent, through the API or by a forge's dispatch.",
        )
        .example("[deploy-requested]"),
        key(
            "manual",
            &Shape { nothing: true, ..BOOLEAN },
            "Somebody may start it by hand: from a page, the command line or the API.",
        )
        .default("false")
        .example("true"),
    ],
    foreign: &[
        foreign("workflow_dispatch", "manual", "write `manual: true`"),
        foreign("pull_request_target", "pull_request", "write `pull_request`"),
        foreign("merge_request", "pull_request", "write `pull_request`"),
        foreign("merge_group", "pull_request", "write `pull_request`: a merge queue's request counts as one"),
        foreign("workflow_run", "pipeline", "write `pipeline: [{name: build}]`"),
        foreign("workflow_call", "", "a pipeline cannot be called by another"),
        foreign("repository_dispatch", "event", "write `event: [name]`"),
        foreign("release", "tag", "write `tag: [\"v*\"]`"),
        foreign("create", "tag", "write `tag: [\"v*\"]`"),
        foreign("cron", "schedule", "write `schedule: [{cron: \"30 4 * * *\"}]`"),
        foreign("branches", "push", "write `push: {branches: […]}`"),
    ],
};

const GLOBS_OR_NOTHING: Shape = Shape { nothing: true, ..GLOBS };

pub(crate) const PUSH: Level = Level {
    place: "`push`",
    about: "Which pushes create a build.",
    keys: &[
        key("branches", &GLOBS, "Only of branches whose name matches; default: every branch.")
            .example("[main, \"release/**\"]"),
        key("paths", &GLOBS, "Only where a file that matches was changed.")
            .example("[\"src/**\", \"!**/*.md\"]"),
        key("every_commit", &BOOLEAN, "A build for each commit of a push, not only for its head.")
            .default("false")
            .example("true"),
    ],
    foreign: &[
        foreign("branches-ignore", "branches", "take branches away with `!`: `branches: [\"!wip/**\"]`"),
        foreign("paths-ignore", "paths", "take paths away with `!`: `paths: [\"!docs/**\"]`"),
        foreign("tags", "", "`tag` stands beside `push`: `on: {push: {}, tag: [\"v*\"]}`"),
        foreign("tags-ignore", "", "`tag` stands beside `push`, and takes tags away with `!`"),
    ],
};

pub(crate) const CHANGES: [Word; 6] = [
    Word { word: "opened", about: "It is new." },
    Word { word: "synchronize", about: "Its head has moved." },
    Word { word: "reopened", about: "It was closed, and is open again." },
    Word { word: "labeled", about: "It was given a label." },
    Word { word: "ready_for_review", about: "It is no draft any more." },
    Word { word: "closed", about: "It was merged or given up." },
];

pub(crate) const PULL_REQUEST: Level = Level {
    place: "`pull_request`",
    about: "Which pull requests create a build.",
    keys: &[
        key("branches", &GLOBS, "Only those into branches whose name matches; default: into every branch.")
            .example("[main]"),
        key(
            "types",
            &Shape::list(
                "a list of changes",
                List::of("a change", &Shape::scalar("the word for a change", Scalar::Word(&CHANGES))),
            )
            .or_scalar(Scalar::Word(&CHANGES)),
            "After which of its changes.",
        )
        .default("[opened, synchronize, reopened]")
        .example("[opened, synchronize, labeled]"),
        key("labels", &TEXTS, "Only with one of these labels.").example("[ok-to-test]"),
        key("paths", &GLOBS, "Only where it changes a file that matches.").example("[\"src/**\"]"),
    ],
    foreign: &[
        foreign("branches-ignore", "branches", "take branches away with `!`: `branches: [\"!wip/**\"]`"),
        foreign("paths-ignore", "paths", "take paths away with `!`: `paths: [\"!docs/**\"]`"),
    ],
};

pub(crate) const CATCH_UP: [Word; 3] = [
    Word { word: "skip", about: "They are left out." },
    Word { word: "one", about: "One build, for the last of them." },
    Word { word: "all", about: "A build for each." },
];

pub(crate) const SCHEDULE: Level = Level {
    place: "a schedule",
    about: "A time at which a build is created, again and again.",
    keys: &[
        key("cron", &TEXT, "Minute, hour, day of month, month, day of week, as crontab(5) writes them; or `@daily` and its like.")
            .required("write `cron: \"30 4 * * 1-5\"`")
            .example("\"30 4 * * 1-5\""),
        key("timezone", &TEXT, "Where the clock hangs: a name of the IANA database.").default("UTC").example("Europe/Berlin"),
        key("branch", &TEXT, "The branch that is built; default: the default branch.").example("main"),
        key("catch_up", &Shape::scalar("`skip`, `one` or `all`", Scalar::Word(&CATCH_UP)),
            "What becomes of times that passed while nobody looked.")
            .default("one")
            .example("skip"),
        key("inputs", &INPUT_VALUES, "What the pipeline's inputs are.").example("{target: staging}"),
    ],
    foreign: &[foreign("timezones", "timezone", "write a schedule for each time zone")],
};

const INPUT_VALUES: Shape = Shape::names(
    "a mapping of inputs to values",
    Names {
        item: "the input",
        pattern: "^[A-Za-z_][A-Za-z0-9_]{0,62}$",
        shape: &Shape::list("a value, or a list of texts", List::of("a text", &TEXT).or_empty())
            .or_scalar(Scalar::Text),
        least: 0,
        most: 100,
    },
);

pub(crate) const STATUS: [Word; 3] = [
    Word { word: "passed", about: "It passed, or was allowed to fail." },
    Word { word: "failed", about: "It failed, was errored or timed out." },
    Word { word: "any", about: "Whatever way, skipped and cancelled too." },
];

pub(crate) const STATUS_SHAPE: Shape = Shape::scalar("`passed`, `failed` or `any`", Scalar::Word(&STATUS));

pub(crate) const UPSTREAM: Level = Level {
    place: "`pipeline` of `on`",
    about: "Another pipeline, whose builds create one of this.",
    keys: &[
        key("name", &TEXT, "The pipeline's name.").required("write `name: build`").example("build"),
        key("repository", &TEXT, "The name of its repository; default: this one.")
            .example("github.com/acme/lib"),
        key("branches", &GLOBS, "Only its builds of branches whose name matches.").example("[main]"),
        key("status", &STATUS_SHAPE, "How it must have ended.").default("passed").example("any"),
    ],
    foreign: &[foreign("workflows", "name", "write `name`"), foreign("pipeline", "name", "write `name`")],
};
