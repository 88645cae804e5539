//! What people and programs look at. Invariant: reading changes nothing.

use std::collections::BTreeMap;

use branchline_model::{
    Artifact, Attempt, AttemptId, AttemptProgress, AttemptResults, Build, BuildDefinition, BuildId,
    BuildProgress, EndedRun, Event, EventKey, Repository, RepositoryId, Results, Retention, Run,
    RunDefinition, RunDefinitionRow, RunId, Timestamp, Trouble, UnreadableRow, keys,
};
use branchline_ports::{ArtifactError, LineStart, LogPart, Order, Page, Place, StoreError};

use crate::Controller;
use crate::controller::{Listed, missing};

/// A repository, and what is wrong with reaching it.
#[derive(Clone, Debug, PartialEq)]
pub struct RepositoryView {
    /// The repository.
    pub repository: Repository,
    /// What is wrong, while something is.
    pub trouble: Option<Trouble>,
    /// Its newest build.
    pub newest: Option<Build>,
}

/// A build with all that belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildView {
    /// The build.
    pub build: Build,
    /// What it does.
    pub definition: BuildDefinition,
    /// Its runs, by index.
    pub runs: Vec<Run>,
    /// The runs whose workers are silent, each with since when.
    pub silent: BTreeMap<RunId, Timestamp>,
    /// What belongs to it and cannot be understood, or is missing. A definition of that kind is empty here.
    pub unreadable: Vec<UnreadableRow>,
}

/// Some of a repository's builds, the newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildList {
    /// Those that can be read.
    pub builds: Vec<Build>,
    /// Those that cannot.
    pub unreadable: Vec<UnreadableRow>,
}

/// A run with all that belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunView {
    /// The run.
    pub run: Run,
    /// The build it is a part of.
    pub build: Build,
    /// What it does.
    pub definition: RunDefinition,
    /// Its attempts, the first first.
    pub attempts: Vec<AttemptView>,
    /// The artifacts of its attempts, by attempt and name.
    pub artifacts: Vec<Artifact>,
    /// Since when its worker is silent, where it is.
    pub silent_since: Option<Timestamp>,
}

/// An attempt, and how far its steps are.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptView {
    /// The attempt.
    pub attempt: Attempt,
    /// How far its steps are, where the worker has said so.
    pub progress: Option<AttemptProgress>,
    /// What it has to show, where it has anything.
    pub results: Option<Results>,
}

/// So many ended runs of a build are looked through for those that cannot be read.
const MOST_ENDED: usize = 256;

/// No run has more attempts than are looked at.
const MOST_ATTEMPTS: usize = 100;

impl Controller {
    /// All repositories, by id.
    pub async fn repositories(&self) -> Result<Vec<RepositoryView>, StoreError> {
        let rows = self.page::<Repository>(&Page::of(keys::REPOSITORIES, 10_000)).await?;
        let mut views = Vec::with_capacity(rows.len());
        for row in rows {
            views.push(self.repository_view(row.value).await?);
        }
        Ok(views)
    }

    /// One repository; `None` where it is not served.
    pub async fn repository(&self, id: &RepositoryId) -> Result<Option<RepositoryView>, StoreError> {
        match self.row::<Repository>(keys::repository(id)).await? {
            Some(row) => Ok(Some(self.repository_view(row.value).await?)),
            None => Ok(None),
        }
    }

    async fn repository_view(&self, repository: Repository) -> Result<RepositoryView, StoreError> {
        let trouble = self.rows::<Trouble>(&[keys::trouble(&repository.id)]).await?.pop().flatten();
        let trouble = trouble.map(|row| row.value);
        let newest = self.builds(&repository.id, None, 1).await?.pop();
        Ok(RepositoryView { repository, trouble, newest })
    }

    /// A repository's builds, the newest first; only those with a number below `before`, where it is given.
    pub async fn builds(
        &self,
        repository: &RepositoryId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Build>, StoreError> {
        Ok(self.build_list(repository, before, limit).await?.builds)
    }

    /// The same, with those that cannot be read.
    pub async fn build_list(
        &self,
        repository: &RepositoryId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<BuildList, StoreError> {
        let after =
            before.map(|number| keys::build(&BuildId { repository: repository.clone(), number }).sort);
        let page = Page { after, order: Order::Descending, ..Page::of(keys::builds(repository), limit) };
        let Listed { rows, unreadable } = self.listed::<Build>(&page).await?;
        Ok(BuildList { builds: rows.into_iter().map(|row| row.value).collect(), unreadable })
    }

    /// One build without its runs; `None` where there is none.
    pub async fn build_alone(&self, id: &BuildId) -> Result<Option<Build>, StoreError> {
        Ok(self.row::<Build>(keys::build(id)).await?.map(|row| row.value))
    }

    /// One build with its runs; `None` where there is none.
    pub async fn build(&self, id: &BuildId) -> Result<Option<BuildView>, StoreError> {
        let Some(build) = self.row::<Build>(keys::build(id)).await? else { return Ok(None) };
        let definition_key = keys::build_definition(id);
        let definition = self.row::<BuildDefinition>(definition_key.clone()).await;
        let definition = definition.and_then(|row| row.ok_or_else(|| missing(definition_key)));
        let progress = self.row::<BuildProgress>(keys::build_progress(id)).await;
        let runs = self.listed::<Run>(&Self::all_runs_of(id)).await?;
        let ended = Page { prefix: keys::ended_prefix(id), ..Page::of(keys::ENDED_RUNS, MOST_ENDED) };
        let ended = self.listed::<EndedRun>(&ended).await?;
        let found = runs.rows.len() + runs.unreadable.len();
        let is_whole = definition.is_ok() && usize::try_from(build.value.runs).is_ok_and(|all| found >= all);
        if !is_whole && self.row::<Build>(keys::build(id)).await?.is_none() {
            // It was retired while it was read: it is not shown in parts.
            return Ok(None);
        }
        let mut unreadable = Vec::new();
        let mut readable = |error| match error {
            StoreError::Unreadable { key, why } => {
                unreadable.push(UnreadableRow { key, why });
                Ok(())
            }
            error => Err(error),
        };
        let definition = match definition {
            Ok(row) => row.value,
            Err(error) => {
                readable(error)?;
                let (build, file) = (id.clone(), String::new());
                let retention = Retention::default();
                BuildDefinition {
                    build,
                    description: None,
                    file,
                    jobs: Vec::new(),
                    problems: Vec::new(),
                    context: None,
                    retention,
                }
            }
        };
        progress.map(drop).or_else(&mut readable)?;
        unreadable.extend(runs.unreadable.into_iter().chain(ended.unreadable));
        let runs: Vec<Run> = runs.rows.into_iter().map(|row| row.value).collect();
        let silent = self.silent(&runs).await?;
        Ok(Some(BuildView { build: build.value, definition, runs, silent, unreadable }))
    }

    /// One run with its attempts; `None` where there is none.
    pub async fn run(&self, id: &RunId) -> Result<Option<RunView>, StoreError> {
        let Some(run) = self.row::<Run>(keys::run(id)).await? else { return Ok(None) };
        let definition = self.row::<RunDefinitionRow>(keys::run_definition(id)).await?;
        let first = run.value.attempts.saturating_sub(u32::try_from(MOST_ATTEMPTS).unwrap_or(u32::MAX)) + 1;
        let ids: Vec<AttemptId> =
            (first..=run.value.attempts).map(|number| AttemptId { run: id.clone(), number }).collect();
        let attempts = self.rows::<Attempt>(&ids.iter().map(keys::attempt).collect::<Vec<_>>()).await?;
        let progress =
            self.rows::<AttemptProgress>(&ids.iter().map(keys::attempt_progress).collect::<Vec<_>>()).await?;
        let results =
            self.rows::<AttemptResults>(&ids.iter().map(keys::attempt_results).collect::<Vec<_>>()).await?;
        let attempts = attempts
            .into_iter()
            .zip(progress.into_iter().zip(results))
            .filter_map(|(attempt, (progress, results))| {
                let progress = progress.map(|row| row.value);
                let results = results.map(|row| row.value.results);
                attempt.map(|row| AttemptView { attempt: row.value, progress, results })
            })
            .collect();
        let artifacts = self.artifacts(id).await?;
        // Read after what belongs to it: without it, it is being retired, and not shown in parts.
        let Some(build) = self.row::<Build>(keys::build(&id.build)).await? else { return Ok(None) };
        let Some(definition) = definition else {
            return Err(missing(keys::run_definition(id)));
        };
        let silent_since = self.silent(std::slice::from_ref(&run.value)).await?.remove(id);
        let definition = definition.value.0;
        Ok(Some(RunView {
            run: run.value,
            build: build.value,
            definition,
            attempts,
            artifacts,
            silent_since,
        }))
    }

    /// An event, as it was stored, with what became of it.
    pub async fn event(&self, key: &EventKey) -> Result<Option<Event>, StoreError> {
        Ok(self.row::<Event>(keys::event(key)).await?.map(|row| row.value))
    }

    /// Where a line of an attempt's log begins; beyond its end, the last one.
    pub async fn find_line(&self, attempt: &AttemptId, number: u64) -> Result<LineStart, ArtifactError> {
        self.artifacts.find_line(attempt, Place::Line(number)).await
    }

    /// A part of an attempt's log.
    pub async fn read_log(
        &self,
        attempt: &AttemptId,
        offset: u64,
        most: usize,
    ) -> Result<LogPart, ArtifactError> {
        self.artifacts.read_log(attempt, offset, most).await
    }
}
