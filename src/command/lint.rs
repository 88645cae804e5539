//! `branchline lint`: whether pipeline files are well written, before anything is pushed. They are checked as the controller does.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use branchline_controller::check;
use branchline_core::intent::SpecFile;
use branchline_core::not_yet;
use serde_json::json;

use crate::cli;
use crate::embedded::{WorkingTree, files_in, read_file};
use crate::show::{print, words};

/// Checks the files; the exit code is 1 where one of them is wrong, and 2 where one of them is not there to be checked.
pub fn lint(arguments: &cli::Lint) -> anyhow::Result<ExitCode> {
    let files = match found(&arguments.paths) {
        Ok(files) => files,
        Err(error) => {
            crate::say(&format!("error: {error:#}"));
            return Ok(ExitCode::from(2));
        }
    };
    let errors: usize = files.iter().map(|file| file.spec.as_ref().map_or_else(Vec::len, |_| 0)).sum();
    if arguments.json {
        let files: Vec<_> = files.iter().map(value).collect();
        print(&format!("{:#}\n", json!({ "files": files, "errors": errors })))?;
    } else {
        print(&files.iter().map(text).collect::<String>())?;
        crate::say(&words::linted(files.len(), errors));
    }
    Ok(ExitCode::from(u8::from(errors > 0)))
}

/// The files at these paths, checked; those of the working tree where none is named. Files of one folder are checked together,
/// since two of them cannot give the same name.
fn found(paths: &[PathBuf]) -> anyhow::Result<Vec<SpecFile>> {
    if paths.is_empty() {
        let here = std::env::current_dir().context("the current folder cannot be read")?;
        let tree = WorkingTree::around(&here)?;
        let files = tree.pipeline_files()?;
        if files.is_empty() {
            let folder = tree.root().join(".branchline");
            anyhow::bail!(
                "there is no pipeline in `{}`: `branchline init` writes a first one",
                folder.display()
            );
        }
        return Ok(check(&files));
    }
    let mut found: Vec<SpecFile> = Vec::new();
    for path in paths {
        let metadata = path.metadata().with_context(|| format!("`{}` cannot be read", path.display()))?;
        let files = if metadata.is_dir() { in_folder(path)? } else { vec![read_file(path)] };
        found.extend(check(&files));
    }
    found.sort_by(|one, other| one.file.cmp(&other.file));
    found.dedup_by(|one, other| one.file == other.file);
    Ok(found)
}

/// The pipeline files of a repository, or of a folder of such files.
fn in_folder(folder: &Path) -> anyhow::Result<Vec<branchline_ports::PipelineFile>> {
    let own = folder.join(".branchline");
    let folder = if own.is_dir() { own.as_path() } else { folder };
    let files = files_in(folder, &folder.display().to_string())?;
    if files.is_empty() {
        anyhow::bail!("there is no `.yaml` or `.yml` file in `{}`", folder.display());
    }
    Ok(files)
}

/// What a good pipeline asks for that this version does not carry out, with the job that does.
fn notes(file: &SpecFile) -> Vec<(String, String)> {
    let Ok(pipeline) = &file.spec else { return Vec::new() };
    let jobs = pipeline.jobs.iter();
    jobs.filter_map(|job| Some((job.name.as_str().to_owned(), not_yet::reason(pipeline, job)?.to_string())))
        .collect()
}

fn text(file: &SpecFile) -> String {
    match &file.spec {
        Ok(_) => notes(file).into_iter().map(|(job, why)| words::lint_note(&file.file, &job, &why)).collect(),
        Err(problems) => problems.iter().map(|problem| format!("{}\n", problem.rendered)).collect(),
    }
}

fn value(file: &SpecFile) -> serde_json::Value {
    let errors: Vec<_> = file.spec.as_ref().err().into_iter().flatten().collect();
    let errors: Vec<_> = errors
        .into_iter()
        .map(|problem| {
            json!({
                "line": problem.line,
                "column": problem.column,
                "message": problem.message,
                "hint": problem.hint,
            })
        })
        .collect();
    let notes: Vec<_> =
        notes(file).into_iter().map(|(job, message)| json!({ "job": job, "message": message })).collect();
    json!({ "file": file.file, "pipeline": file.name.as_str(), "errors": errors, "notes": notes })
}
