//! `--mutations`: puts every deliberate fault into a copy of the workspace, where one of them is chosen when the program is
//! started, builds the simulator there once, and has it look for each. The workspace itself is never touched, and what is
//! built of it knows of no fault.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::mutations::{FAULT, MUTATIONS, Mutation};

/// Says to the copy which fault it has.
const CHOICE: &str = "BRANCHLINE_MUTATION";
/// The program that is built, which is this one.
const PROGRAM: &str = env!("CARGO_PKG_NAME");
/// The table of what was found stands in this file, between the two marks.
const DOCUMENT: &str = "docs/reliability.md";
const BEGIN: &str = "<!-- deliberate faults: written by `cargo xtask simulate --mutations` -->\n";
const END: &str = "<!-- end of the deliberate faults -->\n";

/// What became of a mutation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// This seed broke a promise, so.
    By {
        /// The seed.
        seed: u64,
        /// Which promise.
        violation: String,
    },
    /// No seed did.
    Missed,
    /// It could not be tried: why.
    Unfit(String),
}

/// Tries the mutations whose names have `only` in them, each with so many seeds; `say` hears of each. Where all were tried
/// and found, the table of the documentation is written anew.
///
/// # Errors
/// The copy cannot be made or built, or the table cannot be written.
pub fn try_mutations(
    root: &Path,
    seeds: u64,
    only: &str,
    mut say: impl FnMut(&Mutation, &Found),
) -> io::Result<()> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    // Always the same place, so that only what changed is built anew. It is built in a folder of its own: in one that is shared
    // with the workspace, cargo takes the one's crates for the other's.
    let (copy, target) = (target.join("mutations/source"), target.join("mutations/target"));
    copy_workspace(root, &copy)?;
    build(&copy, &target)?;
    let program = target.join("debug").join(format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX));
    let mut rows = Vec::new();
    let mut all_found = true;
    for (number, mutation) in MUTATIONS.iter().enumerate().filter(|(_, one)| one.name.contains(only)) {
        let found = look_for(&program, number, seeds)?;
        match &found {
            Found::By { seed, violation } => rows.push(row(mutation.name, *seed, violation)),
            Found::Missed | Found::Unfit(_) => all_found = false,
        }
        say(mutation, &found);
    }
    if all_found && only.is_empty() {
        write_table(&root.join(DOCUMENT), &rows.concat())?;
    }
    Ok(())
}

fn look_for(program: &Path, number: usize, seeds: u64) -> io::Result<Found> {
    let output = Command::new(program)
        .args(["--seeds", &seeds.to_string(), "--violations", "1"])
        .env(CHOICE, number.to_string())
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.lines().find_map(|line| {
        let (seed, violation) = line.strip_prefix("seed ")?.split_once(": ")?;
        Some(Found::By { seed: seed.parse().ok()?, violation: violation.to_owned() })
    });
    Ok(match found {
        Some(found) => found,
        None if text.contains("0 violations") => Found::Missed,
        None => Found::Unfit(String::from_utf8_lossy(&output.stderr).into_owned()),
    })
}

/// Builds it as it is built for the tests, with the same features of everything.
fn build(copy: &Path, target: &Path) -> io::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["test", "--quiet", "--locked", "--workspace", "--test", "kills", "--no-run"])
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", target)
        .stdin(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other("the code with the mutations does not build"))
    }
}

/// An expression that is true where the mutation with this number was chosen.
fn chosen(number: usize) -> String {
    format!(
        "(|| {{ static CHOSEN: ::std::sync::OnceLock<bool> = ::std::sync::OnceLock::new(); *CHOSEN.get_or_init(|| \
         ::std::env::var_os(\"{CHOICE}\").is_some_and(|choice| choice == \"{number}\")) }})()"
    )
}

/// The files that mutations change, with all of them put in.
fn mutated(root: &Path) -> io::Result<BTreeMap<PathBuf, String>> {
    let mut files: BTreeMap<PathBuf, Vec<(usize, usize, String)>> = BTreeMap::new();
    let mut texts: BTreeMap<PathBuf, String> = BTreeMap::new();
    for (number, mutation) in MUTATIONS.iter().enumerate() {
        for edit in mutation.edits {
            let file = PathBuf::from(edit.file);
            let text = match texts.get(&file) {
                Some(text) => text,
                None => texts.entry(file.clone()).or_insert(fs::read_to_string(root.join(&file))?),
            };
            let mut places = text.match_indices(edit.from);
            let (Some((at, _)), None) = (places.next(), places.next()) else {
                let times = text.matches(edit.from).count();
                let why = format!("{}: `{}` is {times} times in {}", mutation.name, edit.from, edit.file);
                return Err(io::Error::other(why));
            };
            let to = edit.to.replace(FAULT, &chosen(number));
            files.entry(file).or_default().push((at, at + edit.from.len(), to));
        }
    }
    let mut all = BTreeMap::new();
    for (file, mut places) in files {
        let Some(text) = texts.get(&file) else { continue };
        places.sort_by_key(|(from, ..)| *from);
        let (mut whole, mut done) = (String::new(), 0);
        for (from, to, new) in places {
            let Some(before) = text.get(done..from) else {
                return Err(io::Error::other(format!("two mutations of {} overlap", file.display())));
            };
            whole.push_str(before);
            whole.push_str(&new);
            done = to;
        }
        whole.push_str(text.get(done..).unwrap_or_default());
        all.insert(file, whole);
    }
    Ok(all)
}

/// Makes the copy what the workspace is, with all mutations put in; what is so already is left alone.
fn copy_workspace(root: &Path, copy: &Path) -> io::Result<()> {
    let mutated = mutated(root)?;
    let mut there = BTreeSet::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        fs::create_dir_all(copy.join(&folder))?;
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() && !is_built(&path) {
                folders.push(path);
            } else if kind.is_file() {
                let content = match mutated.get(&path) {
                    Some(text) => text.clone().into_bytes(),
                    None => fs::read(entry.path())?,
                };
                if fs::read(copy.join(&path)).ok().as_ref() != Some(&content) {
                    fs::write(copy.join(&path), content)?;
                }
                there.insert(path);
            }
        }
    }
    remove_others(copy, &there)
}

fn is_built(path: &Path) -> bool {
    ["target", ".git"].iter().any(|name| path == Path::new(name))
}

/// Removes what the workspace does not have any more.
fn remove_others(copy: &Path, there: &BTreeSet<PathBuf>) -> io::Result<()> {
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(copy.join(&folder))? {
            let entry = entry?;
            let path = folder.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if !there.contains(&path) {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

fn row(name: &str, seed: u64, violation: &str) -> String {
    format!("| {name} | {seed} | {} |\n", violation.replace('|', "\\|"))
}

fn write_table(document: &Path, rows: &str) -> io::Result<()> {
    let text = fs::read_to_string(document)?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = parts else {
        return Err(io::Error::other(format!("{} has no place for the table", document.display())));
    };
    let head = "| deliberate fault | seed | what it breaks |\n| --- | --- | --- |\n";
    fs::write(document, format!("{before}{BEGIN}{head}{rows}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    #[test]
    fn every_mutation_fits_the_code() {
        let files = mutated(&root()).unwrap();
        for (number, mutation) in MUTATIONS.iter().enumerate() {
            let is_in = |text: &String| text.contains(&chosen(number));
            assert!(files.values().any(is_in), "{} is put in nowhere", mutation.name);
        }
    }

    #[test]
    fn the_documentation_says_which_seed_found_each_mutation() {
        let text = fs::read_to_string(root().join(DOCUMENT)).unwrap();
        let table = text.split_once(BEGIN).unwrap().1.split_once(END).unwrap().0;
        let told: Vec<&str> = table
            .lines()
            .skip(2)
            .filter_map(|line| Some(line.strip_prefix("| ")?.split_once(" | ")?.0))
            .collect();
        let names: Vec<&str> = MUTATIONS.iter().map(|mutation| mutation.name).collect();
        assert_eq!(told, names, "run `cargo xtask simulate --mutations`, which writes the table");
    }
}
