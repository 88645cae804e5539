//! A job, and what is in it but its place and its steps.

use super::pipeline::JOB_CONCURRENCY;
use super::place::{CONTAINER_SHAPE, SERVICES, SSH_SHAPE};
use super::step::{ARTIFACT, REPORTS, STEP};
use super::trigger::STATUS_SHAPE;
use super::{Level, foreign, key};
use crate::shape::{
    BOOLEAN, CONDITION, COUNT, ENV, List, Mapping, Names, Scalar, Shape, TEMPLATE, TEXT, TEXTS, TIME, Word,
};

pub(crate) const JOB: Level = Level {
    place: "a job",
    about: "A named part of a pipeline. It runs in exactly one place: `container`, `ssh` or `process`.",
    keys: &[
        key("needs", &NEEDS, "The jobs that must have ended before this one starts.").example("[lint, {job: test, status: any}]"),
        key("if", &CONDITION, "It runs only where this is true; otherwise it is skipped.")
            .default("success()")
            .example("event.kind != \"schedule\" && changed(\"src/**\")"),
        key("matrix", &MATRIX_SHAPE, "One run for each combination of these values.")
            .example("{rust: [\"1.94\", \"1.95\"], os: [bookworm, alpine]}"),
        key("fail_fast", &BOOLEAN, "The failure of one of its runs cancels the others.").default("true").example("false"),
        key("max_parallel", &COUNT, "How many of its runs at once; default: as many as there are.").example("4"),
        key("allow_failure", &Shape::scalar("`true`, `false` or a condition", Scalar::BooleanOrExpression), "Its failure does not fail the build.")
            .default("false")
            .example("\"${{ matrix.experimental == true }}\""),
        key("container", &CONTAINER_SHAPE, "It runs in a container: an image, or more about it.")
            .example("rust:1.95-slim"),
        key("services", &SERVICES, "Containers beside it, each reached by its name.")
            .example("{db: {image: \"postgres:16\", env: {POSTGRES_PASSWORD: x}, ready: pg_isready}}"),
        key("ssh", &SSH_SHAPE, "It runs on hosts of an SSH pool.")
            .example("{pool: web, hosts: all}"),
        key("process", &BOOLEAN, "It runs straight on the worker's own machine; only where the pool's policy allows it.")
            .example("true"),
        key("worker", &Shape::level("a pool, or a mapping", &WORKER).or_scalar(Scalar::Template), "Which workers may have it.")
            .default("{pool: default}")
            .example("{pool: linux, tags: [arm64, \"gpu*\"]}"),
        key("env", &ENV, "Environment variables of its steps, over those of the pipeline.").example("{DATABASE: test}"),
        key("secrets", &Shape::list("a list of secrets", List::of("a secret", &Shape::level("a secret's name, or a mapping with `name`", &SECRET).or_scalar(Scalar::Text)).or_empty()),
            "Secrets that it is given, each in the environment variable of its name.")
            .example("[NPM_TOKEN, {name: DEPLOY_KEY, file: true}]"),
        key("id_token", &Shape::level("a mapping with `audience`", &ID_TOKEN), "A signed identity of this run (OpenID Connect), in the file that `BRANCHLINE_ID_TOKEN_FILE` names.")
            .example("{audience: sts.amazonaws.com}"),
        key("cache", &Shape::list("a list of caches", List::of("a cache", &Shape::level("a mapping with `key` and `paths`", &CACHE)).or_empty()),
            "Folders that are kept from one run to the next.")
            .example("[{key: \"cargo-${{ hash('Cargo.lock') }}\", restore: [cargo-], paths: [target]}]"),
        key("steps", &STEPS, "What it executes, one after another.")
            .required("give it at least one command: `steps: [make]`")
            .example("[cargo fmt --check, {name: Tests, run: cargo test}]"),
        key("artifacts", &Shape::list("a list of artifacts", List::of("an artifact", &Shape::level("a mapping with `name` and `path`", &ARTIFACT)).or_empty()),
            "Files of it that are kept.")
            .example("[{name: binary, path: target/release/app}]"),
        key("reports", &Shape::level("a mapping", &REPORTS), "What is read from its files and its log.")
            .example("{junit: [\"target/**/junit.xml\"]}"),
        key("timeout", &TIME, "How long its steps may take together; waiting and checkout are not counted.").default("1h").example("30m"),
        key("silence", &TIME, "No output for so long ends it; default: it may be silent.")
            .example("10m"),
        key("retry", &Shape::level("a mapping", &RETRY).hint("`{attempts: 2, on: [worker_lost, \"exit:75\"]}` tries once more after these ends"), "When it is tried again; default: three attempts where a worker is lost.")
            .example("{attempts: 2, on: [worker_lost, \"exit:75\"], backoff: 30s}"),
        key("checkout", &CHECKOUT_SHAPE, "What is written into its workspace; `false`: nothing.")
            .default("{depth: 1}")
            .example("{depth: 50, submodules: true}"),
        key("approval", &Shape::level("a mapping", &APPROVAL), "It is held until somebody agrees.")
            .example("{roles: [release], message: Ship it?, expires: 7d}"),
        key("concurrency", &Shape::level("a group, or a mapping", &JOB_CONCURRENCY).or_scalar(Scalar::Template), "How many of its kind may run at once; default: any number.")
            .example("{group: database, limit: 1}"),
    ],
    foreign: &[
        foreign("runs-on", "worker", "write where it runs, `container: image` or `process: true`, and `worker: {pool: …, tags: […]}`"),
        foreign("image", "container", "write `container`"),
        foreign("script", "steps", "write `steps`, a list of commands"),
        foreign("before_script", "steps", "write them as the first of `steps`"),
        foreign("after_script", "steps", "write them as the last of `steps`, with `if: always()`"),
        foreign("run", "steps", "a command belongs in `steps`: `steps: [make]`"),
        foreign("stage", "needs", "the order of jobs follows from `needs`"),
        foreign("variables", "env", "write `env`"),
        foreign("strategy", "matrix", "write `matrix`, `fail_fast` and `max_parallel` in the job itself"),
        foreign("parallel", "matrix", "write `matrix`"),
        foreign("continue-on-error", "allow_failure", "write `allow_failure: true`"),
        foreign("timeout-minutes", "timeout", "write `timeout: 20m`"),
        foreign("tags", "worker", "write `worker: {tags: […]}`"),
        foreign("environment", "approval", "who must agree is told by `approval`, what is deployed where by `env`"),
        foreign("dependencies", "needs", "write `needs`"),
        foreign("when", "if", "write `if`"),
        foreign("outputs", "", "a step writes `key=value` lines into the file that `BRANCHLINE_OUTPUT` names"),
        foreign("permissions", "", "there are none to give: take it away"),
        foreign("name", "", "a job is named by its key in `jobs`"),
        foreign("uses", "", "there are no actions to use: write the commands as `steps`"),
    ],
};

const NEED_SHAPE: Shape =
    Shape::level("a job's name, or a mapping with `job`", &NEED).or_scalar(Scalar::Text);

const NEEDS: Shape = Shape {
    mapping: Some(Mapping::Level(&NEED)),
    ..Shape::list("the names of jobs", List::of("a need", &NEED_SHAPE).or_empty().at_most(1_024))
        .or_scalar(Scalar::Text)
};

const STEPS: Shape = Shape::list(
    "a list",
    List::of(
        "a step",
        &Shape::level("a command, or a mapping with `run`", &STEP)
            .or_scalar(Scalar::Script)
            .hint("write the command that it executes"),
    )
    .at_most(1_024),
)
.hint("begin each step with `- ` on a line of its own")
.if_empty("give the job at least one command: `steps: [make]`");

pub(crate) const NEED: Level = Level {
    place: "a need",
    about: "A job that must have ended before.",
    keys: &[
        key("job", &TEXT, "Its name.").required("write its name, or `{job: name}`").example("lint"),
        key("status", &STATUS_SHAPE, "How it must have ended.").default("passed").example("any"),
    ],
    foreign: &[foreign("name", "job", "write `job`"), foreign("result", "status", "write `status`")],
};

const VALUE: Shape = Shape::scalar("a text, a number or a boolean", Scalar::Text);

const ROWS: Shape = Shape::list(
    "a list of rows",
    List::of(
        "a row",
        &Shape::names(
            "a mapping of keys to values",
            Names { item: "the key", pattern: NAME, shape: &VALUE, least: 1, most: 64 },
        ),
    )
    .or_empty()
    .at_most(1_024),
);

const NAME: &str = "^[A-Za-z_][A-Za-z0-9_]{0,62}$";

/// Beside them stand the author's own keys.
pub(crate) const MATRIX: Level = Level {
    place: "`matrix`",
    about: "Keys with their values, and which combinations come or go.",
    keys: &[
        key("exclude", &ROWS, "Combinations that have all of a row's values are left out.")
            .example("[{rust: \"1.94\", os: alpine}]"),
        key("include", &ROWS, "A row extends every combination that has all of its values, and is one of its own where there is none.")
            .example("[{rust: nightly, os: bookworm, experimental: true}]"),
    ],
    foreign: &[],
};

pub(crate) const VALUES: Shape = Shape::list("a list of values", List::of("a value", &VALUE).at_most(1_024))
    .hint("write `key: [one, another]`");

const MATRIX_SHAPE: Shape = Shape {
    mapping: Some(Mapping::Both(
        &MATRIX,
        Names { item: "the key", pattern: NAME, shape: &VALUES, least: 1, most: 64 },
    )),
    ..Shape::level("a mapping of keys to lists of values", &MATRIX)
};

pub(crate) const WORKER: Level = Level {
    place: "`worker`",
    about: "Which workers may have a job.",
    keys: &[
        key("pool", &TEMPLATE, "Those of this pool.").default("default").example("linux"),
        key(
            "tags",
            &Shape::list("a tag or a list of tags", List::of("a tag", &TEMPLATE).or_empty().at_most(32))
                .or_scalar(Scalar::Template),
            "Those that have all of these tags; each may be a pattern.",
        )
        .example("[arm64, \"gpu*\"]"),
    ],
    foreign: &[foreign("labels", "tags", "write `tags`"), foreign("group", "pool", "write `pool`")],
};

pub(crate) const SECRET: Level = Level {
    place: "a secret",
    about: "A secret that a job is given.",
    keys: &[
        key("name", &TEXT, "Its name, and that of the environment variable.")
            .required("write `name: DEPLOY_KEY`")
            .example("DEPLOY_KEY"),
        key("file", &BOOLEAN, "The variable holds the path of a file with the secret in it.")
            .default("false")
            .example("true"),
    ],
    foreign: &[],
};

pub(crate) const ID_TOKEN: Level = Level {
    place: "`id_token`",
    about: "A signed identity of a run (OpenID Connect).",
    keys: &[key("audience", &TEXT, "Whom it is for.")
        .required("write `audience: sts.amazonaws.com`")
        .example("sts.amazonaws.com")],
    foreign: &[foreign("aud", "audience", "write `audience`")],
};

pub(crate) const CACHE: Level = Level {
    place: "a cache",
    about: "Folders that are kept from one run to the next.",
    keys: &[
        key("key", &TEMPLATE, "What they are kept under.")
            .required("write `key: \"cargo-${{ hash('Cargo.lock') }}\"`")
            .example("\"cargo-${{ hash('Cargo.lock') }}\""),
        key(
            "restore",
            &Shape::list("a text or a list of texts", List::of("a beginning of a key", &TEMPLATE).or_empty())
                .or_scalar(Scalar::Template),
            "Beginnings of keys that will do where there is nothing under the key, the best first.",
        )
        .example("[cargo-]"),
        key("paths", &TEXTS, "The folders: below the workspace, absolute, or below `~/`.")
            .required("write `paths: [target]`")
            .example("[target]"),
    ],
    foreign: &[
        foreign("path", "paths", "write `paths`"),
        foreign("restore-keys", "restore", "write `restore`"),
    ],
};

pub(crate) const APPROVAL: Level = Level {
    place: "`approval`",
    about: "Who must agree before a job starts.",
    keys: &[
        key("roles", &TEXTS, "Somebody of one of these roles; default: whoever may approve.")
            .example("[release]"),
        key("message", &TEMPLATE, "What they are asked.").example("\"Ship ${{ inputs.version }}?\""),
        key("expires", &TIME, "How long they may take; default: as long as they like.").example("7d"),
    ],
    foreign: &[foreign("reviewers", "roles", "write `roles`; who has one is told in the control file")],
};

pub(crate) const CHECKOUT: Level = Level {
    place: "`checkout`",
    about: "What is written into the workspace before the first step.",
    keys: &[
        key("repository", &TEXT, "Another repository's name; default: the pipeline's own, at the commit that is built.").example("github.com/acme/db"),
        key("ref", &TEMPLATE, "A branch, a tag or a commit, resolved when the build is planned; default: of another repository its default branch.").example("main"),
        key("path", &TEXT, "A folder below the workspace; default: the workspace.").example("db"),
        key("depth", &Shape::scalar("a number of commits", Scalar::Number { least: 0, most: 4_294_967_295 }).hint("`1` is the commit alone, `0` the whole history"),
            "How many commits of history; `0` is all of them.")
            .default("1")
            .example("50"),
        key("submodules", &BOOLEAN, "Submodules are written too.").default("false").example("true"),
        key("lfs", &BOOLEAN, "Files of Git LFS are fetched.").default("false").example("true"),
    ],
    foreign: &[foreign("fetch-depth", "depth", "write `depth`"), foreign("branch", "ref", "write `ref`")],
};

const CHECKOUT_SHAPE: Shape = Shape {
    scalar: Some(Scalar::Boolean),
    list: Some(List::of("a checkout", &Shape::level("a mapping", &CHECKOUT)).at_most(32)),
    ..Shape::level("`false`, a mapping such as `{depth: 1}`, or a list of those", &CHECKOUT)
};

/// The most attempts there may be.
pub(crate) const MOST_ATTEMPTS: i64 = 10;

/// The words for ends, `exit:N` aside.
pub(crate) const ENDS: [Word; 7] = [
    Word { word: "worker_lost", about: "Nothing was heard of its worker for too long." },
    Word {
        word: "supervisor_lost",
        about: "What watches over its steps was killed, or the machine was restarted.",
    },
    Word { word: "start_failed", about: "It could not be started." },
    Word { word: "log_incomplete", about: "The end of its log could not be stored." },
    Word { word: "timeout", about: "The time of the job, or of a step, ran out." },
    Word { word: "step_failed", about: "A step exited with a code other than 0." },
    Word { word: "step_signalled", about: "A step was ended by a signal." },
];

const END: Scalar = Scalar::WordOr(&ENDS, "^exit:[0-9]+$");

pub(crate) const RETRY: Level = Level {
    place: "`retry`",
    about: "When a job that did not pass is tried again.",
    keys: &[
        key(
            "attempts",
            &Shape::scalar("a number from 1 to 10", Scalar::Number { least: 1, most: MOST_ATTEMPTS })
                .hint("the first attempt is counted: `1` is never again, `2` is once more"),
            "How many attempts there are at the most, the first included.",
        )
        .required("add `attempts: 2` to try once more; the first attempt is counted")
        .example("2"),
        key(
            "on",
            &Shape::list(
                "the ends after which it is tried again",
                List::of("an end", &Shape::scalar("the word for an end", END)).or_empty(),
            )
            .or_scalar(END),
            "After which ends; `exit:N` is a step's exit code.",
        )
        .example("[worker_lost, \"exit:75\"]"),
        key(
            "backoff",
            &TIME,
            "How long the second attempt waits; each later one twice as long as the one before.",
        )
        .default("5s")
        .example("30s"),
    ],
    foreign: &[
        foreign("max", "attempts", "write `attempts`, the first one included: `max: 2` is `attempts: 3`"),
        foreign("when", "on", "write `on`"),
        foreign("limit", "attempts", "write `attempts`, the first one included: `limit: 2` is `attempts: 3`"),
    ],
};
