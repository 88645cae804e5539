//! `branchline demo`: from nothing to builds and their page, in a temporary folder.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use branchline_checkout::Source;
use branchline_model::{BuildStatus, RepositoryId, RunState};
use branchline_ports::{Clock, Ring};
use branchline_worker::Drain;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::process::Command;
use tokio::time::timeout;

use crate::cli;
use crate::embedded::{Data, Embedded, EmbeddedConfig, Listening, Signals, SystemClock};
use crate::show::{Narrator, Paint, Table, words};

/// So long may it all take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The three pipelines: name, text, and how its build is to end.
const PIPELINES: [(&str, &str, BuildStatus); 3] = [
    ("graph", include_str!("demo/graph.yaml"), BuildStatus::Passed),
    ("failing", include_str!("demo/failing.yaml"), BuildStatus::Failed),
    ("invalid", include_str!("demo/invalid.yaml"), BuildStatus::Invalid),
];

/// Shows everything; succeeds when what was to happen happened.
pub async fn demo(arguments: &cli::Demo) -> anyhow::Result<ExitCode> {
    let folder = tempfile::Builder::new()
        .prefix("branchline-demo-")
        .tempdir()
        .context("no temporary folder can be made")?;
    let mut signals = Signals::listen()?;
    let (origin, work) = (folder.path().join("hello.git"), folder.path().join("hello"));
    make_repository(&origin, &work).await?;
    let embedded = Embedded::start(EmbeddedConfig {
        data: Data::at(Some(&folder.path().join("data")))?,
        listen: "127.0.0.1:0".to_owned(),
        hosts: Vec::new(),
        repositories: vec![Source::local(&origin)?],
        slots: usize::from(crate::processors()),
        poll: Duration::from_secs(60),
    })
    .await?;
    crate::say(&words::demo_serves(&origin, &embedded.login_url()));
    let mut listening = embedded.listen();
    push(&work).await?;
    crate::say(words::DEMO_PUSHED);
    let outcome = tokio::select! {
        watched = timeout(PATIENCE, watch(&mut listening)) => watched
            .unwrap_or_else(|_| bail!("the builds have not ended within {}", words::span(PATIENCE))),
        () = signals.next() => bail_out(),
    };
    let shown = match &outcome {
        Ok(repository) => show(&listening, repository).await,
        Err(_) => Ok(false),
    };
    if arguments.keep && outcome.is_ok() {
        crate::say(&words::demo_keeps(&embedded.login_url()));
        signals.next().await;
    }
    // Whatever happened, nothing of it stays.
    embedded.stop(Drain::Stop).await;
    outcome?;
    let as_expected = shown?;
    folder.close().context("the temporary folder cannot be removed")?;
    crate::say(if as_expected { words::DEMO_AS_EXPECTED } else { words::DEMO_NOT_AS_EXPECTED });
    Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn bail_out() -> anyhow::Result<RepositoryId> {
    bail!("interrupted")
}

async fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("git")
        .args(["-c", "user.name=Demo", "-c", "user.email=demo@example.org", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .stdin(Stdio::null())
        .output()
        .await
        .context("the demonstration makes a repository with `git`, which cannot be run")?;
    if !output.status.success() {
        bail!("git {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

async fn make_repository(origin: &Path, work: &Path) -> anyhow::Result<()> {
    for (path, text) in [("README.md", "# Hello\n"), (".gitignore", "target\n")] {
        write(&work.join(path), text)?;
    }
    for (name, text, _) in PIPELINES {
        write(&work.join(format!(".branchline/{name}.yaml")), text)?;
    }
    let parent = origin.parent().context("the temporary folder has no parent")?;
    let path = origin.to_str().context("the temporary folder's name is not UTF-8")?;
    git(parent, &["init", "--quiet", "--bare", "--initial-branch=main", path]).await?;
    git(work, &["init", "--quiet", "--initial-branch=main"]).await?;
    git(work, &["remote", "add", "origin", path]).await?;
    git(work, &["add", "."]).await?;
    git(work, &["commit", "--quiet", "--message=Say hello"]).await
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let parent = path.parent().context("a file has a folder")?;
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(path, text))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

async fn push(work: &Path) -> anyhow::Result<()> {
    git(work, &["push", "--quiet", "origin", "main"]).await
}

/// Tells what happens until every build that the push makes has ended.
async fn watch(listening: &mut Listening) -> anyhow::Result<RepositoryId> {
    let views = listening.controller.repositories().await?;
    let repository = views.into_iter().next().context("the repository is not served")?.repository.id;
    let mut narrator = Narrator::new(Paint::stderr(), true);
    let live = std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    });
    loop {
        let mut builds = listening.controller.builds(&repository, None, PIPELINES.len()).await?;
        builds.reverse();
        let mut running = Vec::new();
        for build in &builds {
            let mut lines = Vec::new();
            narrator.tell(&listening.controller, &build.id, SystemClock.now(), &mut lines).await?;
            for line in String::from_utf8_lossy(&lines).lines() {
                match &live {
                    Some(bar) => bar.println(line),
                    None => crate::say(line),
                }
            }
            if live.is_some()
                && let Some(view) = listening.controller.build(&build.id).await?
            {
                running.extend(
                    view.runs
                        .iter()
                        .filter(|run| matches!(run.state, RunState::Running { .. }))
                        .map(|run| format!("{}/{}", build.pipeline, run.label())),
                );
            }
        }
        if builds.len() == PIPELINES.len() && builds.iter().all(|build| build.state.has_ended()) {
            if let Some(bar) = live {
                bar.finish_and_clear();
            }
            return Ok(repository);
        }
        if let Some(bar) = &live {
            bar.set_message(running.join(", "));
        }
        // A ring makes it quick; without one it looks again all the same.
        drop(timeout(Duration::from_millis(200), next_change(listening)).await);
    }
}

async fn next_change(listening: &mut Listening) {
    while let Ok(ring) = listening.rings.recv().await {
        if matches!(ring, Ring::BuildChanged(_)) {
            return;
        }
    }
}

/// Prints the table of builds and runs; answers whether each build ended as it was to.
async fn show(listening: &Listening, repository: &RepositoryId) -> anyhow::Result<bool> {
    let paint = Paint::stdout();
    let expected: BTreeMap<&str, BuildStatus> =
        PIPELINES.into_iter().map(|(name, _, status)| (name, status)).collect();
    let mut table = Table::new(&words::DEMO_COLUMNS);
    let mut as_expected = true;
    let mut builds = listening.controller.builds(repository, None, PIPELINES.len()).await?;
    builds.reverse();
    for build in builds {
        let status = build.state.status();
        as_expected &= expected.get(build.pipeline.as_str()) == Some(&status);
        table.row(vec![
            build.id.number.to_string(),
            build.pipeline.to_string(),
            String::new(),
            paint.state(status.word()),
            words::build_now(&build),
        ]);
        let Some(view) = listening.controller.build(&build.id).await? else { continue };
        for run in &view.runs {
            table.row(vec![
                String::new(),
                String::new(),
                run.label(),
                paint.state(run.state.status().word()),
                words::run_now(run, SystemClock.now()),
            ]);
        }
        for problem in &view.definition.problems {
            table.row(vec![
                String::new(),
                String::new(),
                String::new(),
                String::new(),
                format!("{}:{}:{}: {}", problem.file, problem.line, problem.column, problem.message),
            ]);
        }
    }
    drop(std::io::Write::write_all(&mut std::io::stdout(), format!("\n{}\n", table.render()).as_bytes()));
    Ok(as_expected)
}
