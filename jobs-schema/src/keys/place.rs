//! Where a job runs: containers, services and hosts.

use super::{Level, foreign, key};
use crate::shape::{BOOLEAN, COUNT, ENV, List, Names, SIZE, Scalar, Shape, TEMPLATE, TEXT, TEXTS, Word};

const PULL: [Word; 3] = [
    Word { word: "always", about: "Each time." },
    Word { word: "missing", about: "Where the worker does not have it." },
    Word { word: "never", about: "Never: the worker must have it." },
];

const IMAGE: super::Key = key("image", &TEMPLATE, "What it is made of.")
    .required("write `image: debian:12`")
    .example("\"rust:${{ matrix.rust }}\"");
const PULLED: super::Key = key(
    "pull",
    &Shape::scalar("`always`, `missing` or `never`", Scalar::Word(&PULL)),
    "When the image is fetched.",
)
.default("missing")
.example("always");
const USER: super::Key =
    key("user", &TEXT, "The account, and after a `:` the group; default: the image's own.")
        .example("\"1000\"");
const CPU: super::Key = key(
    "cpu",
    &Shape::scalar("a number such as `2` or `0.5`", Scalar::Decimal),
    "How much of a processor; default: all there is.",
)
.example("2");
const MEMORY: super::Key = key("memory", &SIZE, "How much memory; default: all there is.").example("4GiB");
const VOLUMES: super::Key =
    key("volumes", &Shape::list("a list of volumes", List::of("a volume", &TEXT).or_empty()),
        "What is mounted, as `name:/path`, kept by the worker, or `/path/of/the/machine:/path` where the pool's policy allows it; `:ro` after it cannot be written to.")
        .example("[\"cargo-registry:/usr/local/cargo/registry\"]");
const PRIVILEGED: super::Key =
    key("privileged", &BOOLEAN, "With the rights of the machine; only where the pool's policy allows it.")
        .default("false")
        .example("true");
const CREDENTIALS: super::Key =
    key("credentials", &TEXT, "The secret that opens the registry: `user:token`.").example("REGISTRY_LOGIN");
const ENTRYPOINT: super::Key =
    key("entrypoint", &TEXTS, "What is started; default: the image's own is set aside.")
        .example("[/bin/sh, -c]");
const CAPABILITIES: super::Key = key(
    "capabilities",
    &Shape::level("a mapping", &CAPABILITY),
    "Rights of Linux beyond or below the usual.",
)
.example("{drop: [ALL]}");

pub(crate) const CONTAINER: Level = Level {
    place: "`container`",
    about: "The container that a job runs in.",
    keys: &[IMAGE, PULLED, USER, CPU, MEMORY, VOLUMES, PRIVILEGED, CREDENTIALS, ENTRYPOINT, CAPABILITIES],
    foreign: CONTAINER_FOREIGN,
};

const CONTAINER_FOREIGN: &[super::Foreign] = &[
    foreign("env", "", "give `env` to the job"),
    foreign("ports", "", "a service is reached by its name, on every port"),
    foreign("options", "", "there are keys of their own: `user`, `cpu`, `memory`, `capabilities`"),
    foreign("name", "image", "write `image`"),
];

pub(crate) const CONTAINER_SHAPE: Shape =
    Shape::level("an image, or a mapping with `image`", &CONTAINER).or_scalar(Scalar::Template);

pub(crate) const CAPABILITY: Level = Level {
    place: "`capabilities`",
    about: "Rights of Linux, by their names without `CAP_`.",
    keys: &[
        key("add", &TEXTS, "More than usual; only where the pool's policy allows it.").example("[NET_ADMIN]"),
        key("drop", &TEXTS, "Fewer.").example("[ALL]"),
    ],
    foreign: &[],
};

pub(crate) const SERVICE: Level = Level {
    place: "a service",
    about: "A container beside the job's, reached by its name.",
    keys: &[
        IMAGE,
        key("env", &ENV, "Environment variables of it.").example("{POSTGRES_PASSWORD: x}"),
        key("ready", &TEXT, "A command in it that succeeds once it can be used.").example("pg_isready"),
        PULLED,
        USER,
        CPU,
        MEMORY,
        VOLUMES,
        PRIVILEGED,
        CREDENTIALS,
        ENTRYPOINT,
        CAPABILITIES,
    ],
    foreign: &[
        foreign("ports", "", "a service is reached by its name, on every port"),
        foreign("alias", "", "a service is named by its key in `services`"),
        foreign("healthcheck", "ready", "write `ready`, a command that succeeds once it can be used"),
        foreign("options", "", "there are keys of their own: `user`, `cpu`, `memory`, `ready`"),
    ],
};

pub(crate) const SERVICES: Shape = Shape::names(
    "a mapping of names to services",
    Names {
        item: "the service",
        pattern: "^[A-Za-z_][A-Za-z0-9_-]{0,62}$",
        shape: &Shape::level("an image, or a mapping with `image`", &SERVICE).or_scalar(Scalar::Template),
        least: 0,
        most: 32,
    },
);

const HOSTS: [Word; 2] = [
    Word { word: "all", about: "A run on each, at once unless `max_parallel` says otherwise." },
    Word { word: "any", about: "One run, on whichever is free." },
];

pub(crate) const SSH: Level = Level {
    place: "`ssh`",
    about: "Hosts of an SSH pool; nothing of Branchline's need be there.",
    keys: &[
        key("pool", &TEMPLATE, "The pool.").required("write `pool: web`").example("web"),
        key(
            "hosts",
            &Shape::list("`all`, `any`, or a list of hosts", List::of("a host", &TEXT))
                .or_scalar(Scalar::Word(&HOSTS)),
            "Which of its hosts.",
        )
        .default("all")
        .example("[web-1, web-2]"),
        key("max_parallel", &COUNT, "On how many of them at once; default: all.").example("1"),
    ],
    foreign: &[
        foreign("host", "hosts", "write `hosts: [name]`; hosts are told of in the control file"),
        foreign("user", "", "how a host is reached is told in the control file"),
        foreign("key", "", "how a host is reached is told in the control file"),
    ],
};

pub(crate) const SSH_SHAPE: Shape =
    Shape::level("a pool, or a mapping with `pool`", &SSH).or_scalar(Scalar::Template);
