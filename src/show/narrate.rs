//! Tells what happens to builds and runs, a line for each change.

use std::collections::BTreeMap;
use std::io::{self, Write};

use branchline_controller::Controller;
use branchline_model::{Build, BuildId, BuildStatus, RunId, RunState, RunStatus, Timestamp};
use branchline_ports::StoreError;

use super::{Paint, words};

/// So many builds are remembered, so that none is told of twice.
const BUILDS_REMEMBERED: usize = 1_000;

/// Remembers what was told.
#[derive(Debug)]
pub struct Narrator {
    paint: Paint,
    builds: BTreeMap<BuildId, BuildStatus>,
    runs: BTreeMap<RunId, RunStatus>,
    with_runs: bool,
    with_repositories: bool,
}

impl Narrator {
    /// Tells of builds; `with_runs` of their runs too.
    #[must_use]
    pub fn new(paint: Paint, with_runs: bool) -> Self {
        Self { paint, builds: BTreeMap::new(), runs: BTreeMap::new(), with_runs, with_repositories: false }
    }

    /// Names each build's repository, where there are several.
    #[must_use]
    pub fn with_repositories(self, with_repositories: bool) -> Self {
        Self { with_repositories, ..self }
    }

    /// Tells what changed of this build since the last call.
    pub async fn tell(
        &mut self,
        controller: &Controller,
        id: &BuildId,
        now: Timestamp,
        output: &mut impl Write,
    ) -> Result<(), StoreError> {
        if !self.with_runs {
            if let Some(build) = controller.build_alone(id).await? {
                self.tell_build(&build, output).ok();
            }
            return Ok(());
        }
        if self
            .builds
            .get(id)
            .is_some_and(|told| !matches!(told, BuildStatus::Waiting | BuildStatus::Running))
        {
            // All was told when it ended.
            return Ok(());
        }
        let Some(view) = controller.build(id).await? else { return Ok(()) };
        let is_new = !self.builds.contains_key(id);
        if is_new {
            self.tell_build(&view.build, output).ok();
        }
        for run in &view.runs {
            let status = run.state.status();
            if self.runs.insert(run.id.clone(), status) == Some(status) {
                continue;
            }
            let is_again = matches!(run.state, RunState::Queued { after: Some(_), .. });
            if is_again || matches!(status, RunStatus::Running | RunStatus::Ended(_)) {
                let line = format!(
                    "{}  {} {}",
                    self.head(&view.build),
                    self.paint.state(status.word()),
                    self.paint.bold(&run.label())
                );
                self.line(&line, &words::run_now(run, now), output).ok();
            }
        }
        if !is_new {
            self.tell_build(&view.build, output).ok();
        }
        Ok(())
    }

    fn tell_build(&mut self, build: &Build, output: &mut impl Write) -> io::Result<()> {
        let status = build.state.status();
        let told = self.builds.insert(build.id.clone(), status);
        if told == Some(status) {
            return Ok(());
        }
        if build.state.has_ended() {
            self.forget_old(&build.id);
            let line = format!("{} {}", self.head(build), self.paint.state(status.word()));
            return self.line(&line, &words::build_now(build), output);
        }
        let line = format!("{} created", self.head(build));
        let what = format!(
            "{} of {} at {} {:?} by {}",
            build.event,
            words::ref_name(&build.ref_name),
            build.commit.short(),
            build.subject,
            build.author
        );
        self.line(&line, &what, output)
    }

    /// A build that is over is hardly told of again: only the last ones are remembered, and their runs not.
    fn forget_old(&mut self, id: &BuildId) {
        self.runs.retain(|run, _| run.build != *id);
        while self.builds.len() > BUILDS_REMEMBERED {
            self.builds.pop_first();
        }
    }

    fn head(&self, build: &Build) -> String {
        let id = if self.with_repositories { build.id.to_string() } else { build.id.number.to_string() };
        format!("{} {}", self.paint.bold(&format!("build {id}")), build.pipeline)
    }

    fn line(&self, line: &str, what: &str, output: &mut impl Write) -> io::Result<()> {
        writeln!(output, "{line}  {}", self.paint.dim(what))
    }
}
