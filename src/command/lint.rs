//! `branchline lint`: whether pipeline files are well written, before anything is pushed. They are checked as the controller does.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use branchline_controller::check;
use branchline_core::intent::SpecFile;
use branchline_core::not_yet;
use branchline_ports::PipelineFile;
use serde_json::json;

use crate::cli;
use crate::embedded::{WorkingTree, files_in, read_file};
use crate::show::{print, words};

/// Checks the files; the exit code is 1 where one of them is wrong, and 2 where one of them is not there to be checked.
pub fn lint(arguments: &cli::Lint) -> anyhow::Result<ExitCode> {
    let Found { files, missing } = found(&arguments.paths);
    let errors: usize = files.iter().map(|file| file.spec.as_ref().map_or_else(Vec::len, |_| 0)).sum();
    if arguments.json {
        let files: Vec<_> = files.iter().map(value).collect();
        print(&format!("{:#}\n", json!({ "files": files, "errors": errors, "missing": missing })))?;
    } else {
        print(&files.iter().map(text).collect::<String>())?;
        if !files.is_empty() {
            crate::say(&words::linted(files.len(), errors));
        }
    }
    for missing in &missing {
        crate::say(&format!("error: {missing}"));
    }
    Ok(ExitCode::from(if missing.is_empty() { u8::from(errors > 0) } else { 2 }))
}

/// What was found.
#[derive(Default)]
struct Found {
    files: Vec<SpecFile>,
    /// What was not there, or cannot be read, each in a sentence.
    missing: Vec<String>,
}

impl Found {
    fn add(&mut self, files: anyhow::Result<Vec<PipelineFile>>) {
        match files {
            Ok(files) => self.files.extend(check(&files)),
            Err(error) => self.missing.push(format!("{error:#}")),
        }
    }
}

/// The files at these paths, checked; those of the working tree where none is named. Files of one folder are checked together,
/// since two of them cannot give the same name.
fn found(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    if paths.is_empty() {
        found.add(of_working_tree());
    }
    for path in paths {
        found.add(at(path));
    }
    found.files.sort_by(|one, other| one.file.cmp(&other.file));
    found.files.dedup_by(|one, other| one.file == other.file);
    found
}

fn of_working_tree() -> anyhow::Result<Vec<PipelineFile>> {
    let here = std::env::current_dir().context("the current folder cannot be read")?;
    let tree = WorkingTree::around(&here)?;
    let files = tree.pipeline_files()?;
    if files.is_empty() {
        let folder = tree.root().join(".branchline");
        anyhow::bail!("there is no pipeline in `{}`: `branchline init` writes a first one", folder.display());
    }
    Ok(files)
}

fn at(path: &Path) -> anyhow::Result<Vec<PipelineFile>> {
    let failed = || format!("`{}` cannot be read", path.display());
    if path.metadata().with_context(failed)?.is_dir() {
        return in_folder(path);
    }
    std::fs::File::open(path).with_context(failed)?;
    Ok(vec![read_file(path)])
}

/// The pipeline files of a repository, or of a folder of such files.
fn in_folder(folder: &Path) -> anyhow::Result<Vec<PipelineFile>> {
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
