//! The house's floors: which crate may depend on which, asserted from the manifests.
//!
//! Dependencies point down only; the rules and their reasons are in docs/architecture.md, "Floors". What is read is
//! `cargo metadata --no-deps`: the arrows each crate declares itself. It needs no network and holds for every
//! platform. Two versions of one crate are deliberately not looked for here: deny.toml does that.

use std::process::Command;

use serde_json::Value;

/// Where a failure sends its reader.
const RULES: &str = "docs/architecture.md, \"Floors\"";

/// A crate of the workspace, its floor, and the crates of the house that it may use.
struct Room {
    name: &'static str,
    floor: u8,
    may_use: &'static [&'static str],
}

const WORDS: &[&str] = &["branchline-model", "branchline-expression", "branchline-jobs-schema"];
const ADAPTER: &[&str] = &[
    "branchline-model",
    "branchline-expression",
    "branchline-jobs-schema",
    "branchline-core",
    "branchline-ports",
];

/// Every room, from the ground up. A crate that is not listed fails the test: it has to be given its floor.
const ROOMS: &[Room] = &[
    Room { name: "branchline-model", floor: 1, may_use: &["branchline-expression"] },
    Room { name: "branchline-expression", floor: 0, may_use: &[] },
    Room { name: "branchline-jobs-schema", floor: 1, may_use: &["branchline-expression"] },
    Room { name: "branchline-core", floor: 2, may_use: WORDS },
    Room { name: "branchline-ports", floor: 2, may_use: WORDS },
    Room { name: "branchline-archive", floor: 2, may_use: WORDS },
    Room { name: "branchline-reports", floor: 2, may_use: WORDS },
    Room { name: "branchline-store", floor: 3, may_use: ADAPTER },
    Room { name: "branchline-artifacts", floor: 3, may_use: ADAPTER },
    Room { name: "branchline-checkout", floor: 3, may_use: ADAPTER },
    Room { name: "branchline-supervisor", floor: 3, may_use: ADAPTER },
    Room { name: "branchline-controller", floor: 3, may_use: ADAPTER },
    Room {
        name: "branchline-web",
        floor: 4,
        may_use: &[
            "branchline-model",
            "branchline-expression",
            "branchline-jobs-schema",
            "branchline-core",
            "branchline-ports",
            "branchline-controller",
        ],
    },
    Room {
        name: "branchline-worker",
        floor: 4,
        may_use: &[
            "branchline-model",
            "branchline-expression",
            "branchline-jobs-schema",
            "branchline-core",
            "branchline-ports",
            "branchline-archive",
            "branchline-reports",
            "branchline-supervisor",
            "branchline-checkout",
        ],
    },
    Room { name: TESTKIT, floor: 5, may_use: BELOW_THE_ROOF },
    Room { name: SIMULATOR, floor: 5, may_use: BELOW_THE_ROOF },
    Room { name: "branchline", floor: 6, may_use: BELOW_THE_ROOF },
    // Not part of the house: it must stand before anything else is compiled.
    Room { name: "xtask", floor: 0, may_use: &[] },
];

const TESTKIT: &str = "branchline-testkit";

const SIMULATOR: &str = "branchline-simulator";

const BELOW_THE_ROOF: &[&str] = &[
    "branchline-model",
    "branchline-expression",
    "branchline-jobs-schema",
    "branchline-core",
    "branchline-ports",
    "branchline-archive",
    "branchline-reports",
    "branchline-store",
    "branchline-artifacts",
    "branchline-checkout",
    "branchline-supervisor",
    "branchline-controller",
    "branchline-web",
    "branchline-worker",
];

/// Crates of the registry that belong to few rooms, by name or by how the name starts (`…*`). A room named here need
/// not exist yet.
const AT_HOME: &[(&str, &[&str])] = &[
    ("gix*", &["branchline-checkout"]),
    ("octocrab", &["branchline-forge"]),
    ("rusqlite", &["branchline-store"]),
    ("aws-*", &["branchline-store", "branchline-artifacts", "branchline-launch", "branchline-cloud"]),
];

/// What the core must not use: whatever waits, draws, asks the time, does I/O or logs.
const NOT_IN_CORE: &[&str] = &[
    "async-*",
    "crossbeam*",
    "dirs",
    "fastrand",
    "futures*",
    "getrandom",
    "libc",
    "log",
    "mio",
    "nix",
    "notify",
    "rand*",
    "reqwest",
    "rustix",
    "smol",
    "tempfile",
    "time",
    "tokio*",
    "tracing*",
    "ulid",
    "uuid",
];

/// A dependency that a crate's manifest declares.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Arrow {
    from: String,
    to: String,
    /// Only its tests, examples and benches use it.
    only_in_tests: bool,
    features: Vec<String>,
}

/// Reads the crates of the workspace and their arrows. `None` where the JSON is not what cargo documents.
fn read(metadata: &Value) -> Option<(Vec<String>, Vec<Arrow>)> {
    let (mut crates, mut arrows) = (Vec::new(), Vec::new());
    for package in metadata["packages"].as_array()? {
        let from = package["name"].as_str()?;
        crates.push(from.to_owned());
        for dependency in package["dependencies"].as_array()? {
            let mut features: Vec<String> = dependency["features"]
                .as_array()?
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect();
            if dependency["uses_default_features"].as_bool()? {
                features.push("default".to_owned());
            }
            arrows.push(Arrow {
                from: from.to_owned(),
                to: dependency["name"].as_str()?.to_owned(),
                only_in_tests: dependency["kind"].as_str() == Some("dev"),
                features,
            });
        }
    }
    Some((crates, arrows))
}

/// Every rule that is broken, each in a sentence that names the arrow, the rule and where it is written.
fn broken(crates: &[String], arrows: &[Arrow]) -> Vec<String> {
    let unknown = crates.iter().filter(|name| room(name).is_none()).map(|name| {
        format!("{name} has no floor: give it one in ROOMS of tests/floors.rs, by the rules of {RULES}")
    });
    let wrong = arrows.iter().filter_map(|arrow| {
        let why = objection(arrow, crates)?;
        Some(format!("{} → {}: {why} ({RULES})", arrow.from, arrow.to))
    });
    unknown.chain(wrong).collect()
}

fn room(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.name == name)
}

fn objection(arrow: &Arrow, crates: &[String]) -> Option<String> {
    if let Some((_, homes)) = AT_HOME.iter().find(|(pattern, _)| matches(pattern, &arrow.to))
        && !homes.contains(&arrow.from.as_str())
    {
        return Some(format!("only {} may use it directly", homes.join(", ")));
    }
    // Tests may join rooms as the binary does, and use the testkit.
    if arrow.only_in_tests {
        return None;
    }
    if crates.contains(&arrow.to) {
        return objection_within_the_house(arrow);
    }
    if arrow.from != "branchline-core" {
        return None;
    }
    if NOT_IN_CORE.iter().any(|pattern| matches(pattern, &arrow.to)) {
        return Some("the core is pure: it does not wait, draw, ask the time, do I/O or log".to_owned());
    }
    let clock = arrow.features.iter().any(|feature| matches!(feature.as_str(), "default" | "clock" | "now"));
    (arrow.to == "chrono" && clock)
        .then(|| "the core reads no clock: chrono without `default`, `clock`, `now`".to_owned())
}

fn objection_within_the_house(arrow: &Arrow) -> Option<String> {
    if arrow.to == SIMULATOR {
        return Some("the simulator is a tool for developers: nothing may use it".to_owned());
    }
    if arrow.to == TESTKIT && arrow.from == SIMULATOR {
        return None;
    }
    if arrow.to == TESTKIT {
        return Some("the testkit is for tests: it may only be a dev-dependency".to_owned());
    }
    let (from, to) = (room(&arrow.from)?, room(&arrow.to)?);
    if from.may_use.contains(&to.name) {
        return None;
    }
    Some(format!(
        "{} (floor {}) may use {}, and not a crate of floor {} such as this",
        from.name,
        from.floor,
        if from.may_use.is_empty() { "no crate of the house".to_owned() } else { from.may_use.join(", ") },
        to.floor
    ))
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

#[test]
fn the_house_as_it_is_built_has_no_wrong_arrow() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata = serde_json::from_slice(&output.stdout).unwrap();
    let (crates, arrows) = read(&metadata).expect("cargo metadata has the documented shape");
    assert!(crates.len() >= ROOMS.len(), "cargo names only {crates:?}");
    let broken = broken(&crates, &arrows);
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn every_room_stands_above_what_it_may_use() {
    for room in ROOMS {
        for used in room.may_use {
            let below = self::room(used).unwrap_or_else(|| panic!("{used} is no room"));
            assert!(below.floor < room.floor, "{} may use {used}, which is not below it", room.name);
        }
    }
}

/// The objection to one arrow, as it would stand in the manifests.
fn objection_to(
    from: &str,
    to: &str,
    kind: Option<&str>,
    features: &[&str],
    default_features: bool,
) -> Option<String> {
    let mut packages: Vec<Value> =
        ROOMS.iter().map(|room| serde_json::json!({"name": room.name, "dependencies": []})).collect();
    let dependency = serde_json::json!({"name": to, "kind": kind, "features": features, "uses_default_features": default_features});
    let package = serde_json::json!({"name": from, "dependencies": [dependency]});
    packages.retain(|package| package["name"] != from);
    packages.push(package);
    let (crates, arrows) = read(&serde_json::json!({"packages": packages}))?;
    let mut broken = broken(&crates, &arrows);
    assert!(broken.len() <= 1, "one arrow, several objections: {broken:?}");
    broken.pop()
}

fn objection_to_use(from: &str, to: &str) -> Option<String> {
    objection_to(from, to, None, &[], false)
}

#[test]
fn arrows_that_point_down_are_left_alone() {
    for (from, to) in [
        ("branchline-jobs-schema", "branchline-expression"),
        ("branchline-core", "branchline-model"),
        ("branchline-store", "branchline-ports"),
        ("branchline-worker", "branchline-supervisor"),
        ("branchline-web", "branchline-controller"),
        ("branchline", "branchline-store"),
        ("branchline-store", "rusqlite"),
        ("branchline-checkout", "gix"),
        ("branchline-core", "serde"),
        ("branchline-web", "tokio"),
    ] {
        assert_eq!(objection_to_use(from, to), None, "{from} → {to}");
    }
}

#[test]
fn a_wrong_arrow_is_named_with_the_rule_and_where_it_is_written() {
    assert_eq!(
        objection_to_use("branchline-controller", "branchline-store").as_deref(),
        Some(
            "branchline-controller → branchline-store: branchline-controller (floor 3) may use branchline-model, \
             branchline-expression, branchline-jobs-schema, branchline-core, branchline-ports, and not a crate of \
             floor 3 such as this (docs/architecture.md, \"Floors\")"
        )
    );
}

#[test]
fn arrows_up_and_sideways_are_wrong() {
    for (from, to) in [
        ("branchline-model", "branchline-jobs-schema"),
        ("branchline-expression", "branchline-jobs-schema"),
        ("branchline-jobs-schema", "branchline-model"),
        ("branchline-core", "branchline-ports"),
        ("branchline-store", "branchline-artifacts"),
        ("branchline-supervisor", "branchline-checkout"),
        ("branchline-checkout", "branchline-controller"),
        ("branchline-web", "branchline-store"),
        ("branchline-worker", "branchline-controller"),
        ("branchline-worker", "branchline-store"),
        ("branchline-web", "branchline-worker"),
        ("xtask", "branchline-model"),
    ] {
        assert!(objection_to_use(from, to).is_some(), "{from} → {to} was let through");
        let in_build_script = objection_to(from, to, Some("build"), &[], false);
        assert!(in_build_script.is_some(), "{from} → {to} was let through in a build script");
        assert_eq!(
            objection_to(from, to, Some("dev"), &[], false),
            None,
            "tests may join rooms: {from} → {to}"
        );
    }
}

#[test]
fn the_testkit_is_only_ever_used_by_tests() {
    for from in ["branchline", "branchline-web"] {
        assert_eq!(objection_to(from, TESTKIT, Some("dev"), &[], false), None);
        let objection = objection_to_use(from, TESTKIT).unwrap();
        assert!(objection.contains("only be a dev-dependency"), "{objection}");
    }
}

#[test]
fn a_technology_that_has_a_home_is_not_used_elsewhere_not_even_by_tests() {
    for (from, to) in [
        ("branchline-worker", "gix"),
        ("branchline", "gix-hash"),
        ("branchline-controller", "rusqlite"),
        ("branchline-checkout", "octocrab"),
        ("branchline-web", "aws-sdk-s3"),
        ("branchline-worker", "aws-config"),
    ] {
        for kind in [None, Some("dev")] {
            let objection = objection_to(from, to, kind, &[], false);
            assert!(
                objection.is_some_and(|text| text.contains("may use it directly")),
                "{from} → {to} was let through"
            );
        }
    }
}

#[test]
fn the_core_stays_pure() {
    for to in
        ["tokio", "tokio-stream", "async-trait", "rand", "getrandom", "ulid", "tracing", "nix", "tempfile"]
    {
        let objection = objection_to_use("branchline-core", to);
        assert!(objection.is_some_and(|text| text.contains("the core is pure")), "{to} was let through");
    }
    assert_eq!(objection_to("branchline-core", "chrono", None, &["std"], false), None);
    for (features, default_features) in [(vec!["clock"], false), (vec!["now"], false), (vec![], true)] {
        let objection = objection_to("branchline-core", "chrono", None, &features, default_features);
        assert!(objection.is_some(), "chrono with {features:?}, default {default_features}, was let through");
    }
}

#[test]
fn a_crate_without_a_floor_is_told_to_take_one() {
    let metadata = serde_json::json!({"packages": [{"name": "branchline-attic", "dependencies": []}]});
    let (crates, arrows) = read(&metadata).unwrap();
    let broken = broken(&crates, &arrows);
    assert_eq!(broken.len(), 1);
    assert!(broken[0].starts_with("branchline-attic has no floor: "), "{}", broken[0]);
}
