//! `branchline init`: a first pipeline that fits what a repository holds. Invariant: what it writes passes `branchline lint`, and
//! nothing that is there is written over.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli;
use crate::embedded::WorkingTree;
use crate::show::{print, words};

/// No file is looked at further than this: it is only looked at for hints.
const LOOKED_AT: u64 = 256 << 10;

/// Writes the pipeline, or prints it.
pub fn init(arguments: &cli::Init) -> anyhow::Result<ExitCode> {
    let here = std::env::current_dir().context("the current folder cannot be read")?;
    let tree = WorkingTree::around(&here)?;
    let text = pipeline(tree.root());
    if arguments.print {
        print(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    let known = tree.pipeline_files()?;
    if let Some(file) = known.first() {
        anyhow::bail!(
            "there is `{}` already: see what would be written with `branchline init --print`",
            file.path
        );
    }
    let folder = tree.root().join(".branchline");
    let path = folder.join("ci.yaml");
    let failed = || format!("`{}` cannot be written", path.display());
    fs::create_dir_all(&folder).with_context(failed)?;
    let mut file = File::create_new(&path).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)?;
    crate::say(&words::initialised(&path));
    Ok(ExitCode::SUCCESS)
}

/// A job of the pipeline that is written.
struct Job {
    name: &'static str,
    /// What stands above it.
    comment: String,
    needs: Vec<&'static str>,
    steps: Vec<String>,
}

/// What a repository's own files say of how it is built and tested.
struct Repository<'a> {
    root: &'a Path,
}

impl Repository<'_> {
    fn has(&self, name: &str) -> bool {
        self.root.join(name).is_file()
    }

    /// A file's text, where it is one.
    fn text(&self, name: &str) -> Option<String> {
        let file = File::open(self.root.join(name)).ok()?;
        let mut bytes = Vec::new();
        file.take(LOOKED_AT).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn rust(&self) -> Option<Job> {
        self.has("Cargo.toml").then(|| {
            let locked = if self.has("Cargo.lock") { " --locked" } else { "" };
            job(
                "rust",
                "Cargo.toml is here.",
                [
                    "cargo fmt --all --check".to_owned(),
                    format!("cargo clippy --all-targets{locked} -- -D warnings"),
                    format!("cargo test{locked}"),
                ],
            )
        })
    }

    fn node(&self) -> Option<Job> {
        let package: serde_json::Value = serde_json::from_str(&self.text("package.json")?).ok()?;
        let (tool, install) = [
            ("pnpm-lock.yaml", "pnpm", "pnpm install --frozen-lockfile"),
            ("yarn.lock", "yarn", "yarn install --frozen-lockfile"),
            ("bun.lock", "bun", "bun install --frozen-lockfile"),
            ("package-lock.json", "npm", "npm ci"),
        ]
        .into_iter()
        .find(|(lock, ..)| self.has(lock))
        .map_or(("npm", "npm install"), |(_, tool, install)| (tool, install));
        let script = |name: &str| package.pointer(&format!("/scripts/{name}"));
        // What npm writes where nothing was said can only fail.
        let has = |name: &&str| {
            script(name)
                .and_then(serde_json::Value::as_str)
                .is_some_and(|text| !text.contains("no test specified"))
        };
        let scripts = ["lint", "build", "test"].into_iter().filter(has);
        let steps = scripts.map(|script| format!("{tool} run {script}"));
        let steps = std::iter::once(install.to_owned()).chain(steps).collect::<Vec<_>>();
        Some(job("node", "package.json is here; these are its own scripts.", steps))
    }

    fn go(&self) -> Option<Job> {
        let steps = ["go vet ./...".to_owned(), "go test ./...".to_owned()];
        self.has("go.mod").then(|| job("go", "go.mod is here.", steps))
    }

    fn python(&self) -> Option<Job> {
        let text = self.text("pyproject.toml")?;
        let test = if text.contains("pytest") || self.root.join("tests").is_dir() {
            "python -m pytest"
        } else {
            "python -m unittest"
        };
        let steps = if self.has("uv.lock") {
            vec!["uv sync --locked".to_owned(), format!("uv run {test}")]
        } else if self.has("poetry.lock") {
            vec!["poetry install".to_owned(), format!("poetry run {test}")]
        } else {
            let comes = if test.ends_with("pytest") { " pytest" } else { "" };
            vec![
                "python3 -m venv .venv".to_owned(),
                format!(".venv/bin/python -m pip install --editable .{comes}"),
                format!(".venv/bin/{test}"),
            ]
        };
        Some(job("python", "pyproject.toml is here.", steps))
    }

    fn make(&self) -> Option<Job> {
        let text = self.text("Makefile")?;
        let has = |target: &&str| text.lines().flat_map(targets).any(|known| known == *target);
        let targets: Vec<&str> = ["lint", "build", "check", "test"].into_iter().filter(has).collect();
        let steps: Vec<String> = targets.into_iter().map(|target| format!("make {target}")).collect();
        let steps = if steps.is_empty() { vec!["make".to_owned()] } else { steps };
        Some(job("make", "Makefile is here; these are its own targets.", steps))
    }

    fn image(&self) -> Option<Job> {
        let steps = ["docker build --tag \"app:$BRANCHLINE_COMMIT\" .".to_owned()];
        self.has("Dockerfile")
            .then(|| job("image", "Dockerfile is here: the image is built once all else is well.", steps))
    }
}

/// The targets of a line of a Makefile that is a rule, and neither a recipe nor an assignment.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let is_rule = |rest: &&str| !rest.trim_start_matches(':').starts_with('=');
    let names = line.split_once(':').filter(|(names, rest)| {
        !names.starts_with(['\t', ' ', '#']) && !names.contains('=') && is_rule(rest)
    });
    names.map_or("", |(names, _)| names).split_whitespace()
}

fn job(name: &'static str, comment: &str, steps: impl IntoIterator<Item = String>) -> Job {
    Job { name, comment: comment.to_owned(), needs: Vec::new(), steps: steps.into_iter().collect() }
}

/// The pipeline that fits a repository.
fn pipeline(root: &Path) -> String {
    let repository = Repository { root };
    let mut jobs: Vec<Job> = [repository.rust(), repository.node(), repository.go(), repository.python()]
        .into_iter()
        .flatten()
        .collect();
    if jobs.is_empty() {
        // A Makefile beside these mostly calls them.
        jobs.extend(repository.make());
    }
    let names: Vec<&str> = jobs.iter().map(|job| job.name).collect();
    jobs.extend(repository.image().map(|job| Job { needs: names, ..job }));
    if jobs.is_empty() {
        let steps = ["echo \"This is commit $BRANCHLINE_COMMIT\"".to_owned(), "ls".to_owned()];
        jobs.push(job(
            "hello",
            "Nothing here says how this is built or tested: say it in these steps.",
            steps,
        ));
    }
    written(&jobs)
}

fn written(jobs: &[Job]) -> String {
    let mut text = String::from(
        "# A pipeline: what Branchline runs, and when. `branchline run ci` runs it here and now; `branchline lint` checks it.\n\
         on:\n  \
         # Each commit that is pushed to a branch; `branches: [main]` below it would take that one alone.\n  \
         push: {}\n  \
         # `branchline start` and the button on the page.\n  \
         manual: true\n\
         # All of it may take so long.\n\
         timeout: 1h\n\
         jobs:\n",
    );
    for Job { name, comment, needs, steps } in jobs {
        // A text takes whatever is written into it.
        let _ = write!(text, "  # {comment}\n  {name}:\n");
        if !needs.is_empty() {
            let _ = writeln!(text, "    needs: [{}]", needs.join(", "));
        }
        text.push_str("    # Straight on the machine of the worker, with the tools that are there.\n    process: true\n    steps:\n");
        for step in steps {
            let _ = writeln!(text, "      - run: {}", quoted(step));
        }
    }
    text
}

/// A command as a YAML text.
fn quoted(step: &str) -> String {
    let is_plain = !step.contains(": ")
        && !step.contains(" #")
        && step.starts_with(|first: char| first.is_alphanumeric() || first == '.');
    if is_plain { step.to_owned() } else { format!("'{}'", step.replace('\'', "''")) }
}

#[cfg(test)]
mod tests {
    use branchline_controller::check;
    use branchline_ports::PipelineFile;

    use super::*;

    /// The steps of each job of the pipeline that fits a repository of these files, which passes all checks.
    fn steps(files: &[(&str, &str)]) -> Vec<(String, Vec<String>)> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let text = pipeline(folder.path());
        let file =
            PipelineFile { path: ".branchline/ci.yaml".to_owned(), content: Ok(text.clone().into_bytes()) };
        let checked = check(&[file]).remove(0).spec;
        let pipeline = checked.unwrap_or_else(|wrong| panic!("{wrong:?}\n{text}"));
        let jobs = pipeline.jobs.iter();
        jobs.map(|job| {
            let steps = job.steps.iter().map(|step| step.run.clone()).collect();
            (job.name.as_str().to_owned(), steps)
        })
        .collect()
    }

    #[test]
    fn what_a_repository_holds_says_how_it_is_tested() {
        let steps = |files: &[(&str, &str)]| {
            let jobs = steps(files).into_iter().map(|(name, steps)| format!("{name}: {}", steps.join("; ")));
            jobs.collect::<Vec<_>>().join(" | ")
        };
        assert_eq!(
            steps(&[("Cargo.toml", ""), ("Cargo.lock", "")]),
            "rust: cargo fmt --all --check; cargo clippy --all-targets --locked -- -D warnings; cargo test --locked"
        );
        assert_eq!(
            steps(&[
                ("package.json", r#"{"scripts": {"test": "x", "lint": "y", "start": "z"}}"#),
                ("yarn.lock", "")
            ]),
            "node: yarn install --frozen-lockfile; yarn run lint; yarn run test"
        );
        assert_eq!(steps(&[("package.json", "{}")]), "node: npm install");
        let placeholder = r#"{"scripts": {"test": "echo \"Error: no test specified\" && exit 1"}}"#;
        assert_eq!(steps(&[("package.json", placeholder)]), "node: npm install");
        assert_eq!(steps(&[("go.mod", "")]), "go: go vet ./...; go test ./...");
        assert_eq!(
            steps(&[("pyproject.toml", "[tool.pytest.ini_options]"), ("uv.lock", "")]),
            "python: uv sync --locked; uv run python -m pytest"
        );
        assert_eq!(
            steps(&[("pyproject.toml", "")]),
            "python: python3 -m venv .venv; .venv/bin/python -m pip install --editable .; .venv/bin/python -m unittest"
        );
        assert_eq!(
            steps(&[
                ("Makefile", "test := 1\nlint ::= 2\ndocs check: all\n\techo\nbuild : x\n"),
                ("Dockerfile", "")
            ]),
            "make: make build; make check | image: docker build --tag \"app:$BRANCHLINE_COMMIT\" ."
        );
        assert_eq!(steps(&[("Makefile", "all:\n")]), "make: make");
        assert_eq!(steps(&[]), "hello: echo \"This is commit $BRANCHLINE_COMMIT\"; ls");
    }

    #[test]
    fn a_file_that_is_garbled_is_passed_over() {
        assert_eq!(steps(&[("package.json", "{")]).first().map(|(name, _)| name.as_str()), Some("hello"));
    }
}
