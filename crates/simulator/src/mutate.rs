//! `--mutations`: puts each deliberate fault into a copy of the workspace, builds the simulator there, and has it look
//! for the fault. The workspace itself is never touched.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::mutations::{MUTATIONS, Mutation};

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
    /// The mutation does not fit the code any more, or does not compile: why.
    Unfit(String),
}

/// Copies the workspace and tries the mutations whose names have `only` in them, each with so many seeds; `say` hears of each.
///
/// # Errors
/// The copy cannot be made, or cargo cannot be run.
pub fn try_mutations(
    root: &Path,
    seeds: u64,
    only: &str,
    mut say: impl FnMut(&Mutation, &Found),
) -> io::Result<()> {
    let copy = tempfile::tempdir()?;
    copy_sources(root, copy.path())?;
    // A folder of its own: what is built of a mutant must never pass for what is built of the workspace.
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = target.join("mutations");
    for mutation in MUTATIONS.iter().filter(|mutation| mutation.name.contains(only)) {
        let file = copy.path().join(mutation.file);
        let sound = fs::read_to_string(&file)?;
        let found = match mutated(&sound, mutation) {
            Ok(text) => {
                fs::write(&file, text)?;
                look_for(copy.path(), &target, seeds)?
            }
            Err(why) => Found::Unfit(why),
        };
        fs::write(&file, sound)?;
        say(mutation, &found);
    }
    Ok(())
}

fn mutated(sound: &str, mutation: &Mutation) -> Result<String, String> {
    let mut text = sound.to_owned();
    for (from, to) in mutation.edits {
        let times = text.matches(from).count();
        if times != 1 {
            return Err(format!("`{from}` is {times} times in {}", mutation.file));
        }
        text = text.replacen(from, to, 1);
    }
    Ok(text)
}

fn look_for(copy: &Path, target: &Path, seeds: u64) -> io::Result<Found> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["run", "--quiet", "--locked", "--package", "branchline-simulator", "--"])
        .args(["--seeds", &seeds.to_string(), "--violations", "1"])
        .current_dir(copy)
        .env("CARGO_TARGET_DIR", target)
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
        None => {
            let errors = String::from_utf8_lossy(&output.stderr);
            Found::Unfit(
                errors.lines().filter(|line| line.starts_with("error")).collect::<Vec<_>>().join("; "),
            )
        }
    })
}

/// Copies what cargo needs, and nothing that was built.
fn copy_sources(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == "target" || name == ".git" {
            continue;
        }
        let (source, copy) = (entry.path(), to.join(&name));
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&copy)?;
            copy_sources(&source, &copy)?;
        } else if entry.file_type()?.is_file() {
            fs::copy(&source, &copy)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutation_fits_the_code() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for mutation in MUTATIONS {
            let sound = fs::read_to_string(root.join(mutation.file)).unwrap_or_default();
            assert_eq!(mutated(&sound, mutation).err(), None, "{}", mutation.name);
        }
    }
}
