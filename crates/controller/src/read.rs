//! What people and programs look at. Invariant: reading changes nothing.

use branchline_model::{
    Attempt, AttemptId, AttemptProgress, Build, BuildDefinition, BuildId, Event, EventKey, Repository,
    RepositoryId, Run, RunDefinition, RunDefinitionRow, RunId, Trouble, keys,
};
use branchline_ports::{ArtifactError, LogPart, Order, Page, StoreError};

use crate::Controller;

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
}

/// An attempt, and how far its steps are.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptView {
    /// The attempt.
    pub attempt: Attempt,
    /// How far its steps are, where the worker has said so.
    pub progress: Option<AttemptProgress>,
}

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
        let trouble = self.row::<Trouble>(keys::trouble(&repository.id)).await?.map(|row| row.value);
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
        let after =
            before.map(|number| keys::build(&BuildId { repository: repository.clone(), number }).sort);
        let page = Page { after, order: Order::Descending, ..Page::of(keys::builds(repository), limit) };
        Ok(self.page::<Build>(&page).await?.into_iter().map(|row| row.value).collect())
    }

    /// One build without its runs; `None` where there is none.
    pub async fn build_alone(&self, id: &BuildId) -> Result<Option<Build>, StoreError> {
        Ok(self.row::<Build>(keys::build(id)).await?.map(|row| row.value))
    }

    /// One build with its runs; `None` where there is none.
    pub async fn build(&self, id: &BuildId) -> Result<Option<BuildView>, StoreError> {
        let Some(build) = self.row::<Build>(keys::build(id)).await? else { return Ok(None) };
        let Some(definition) = self.row::<BuildDefinition>(keys::build_definition(id)).await? else {
            return Err(StoreError::Unreadable {
                key: keys::build_definition(id),
                why: "it is missing".to_owned(),
            });
        };
        let runs = self.runs_of(id).await?.into_iter().map(|row| row.value).collect();
        Ok(Some(BuildView { build: build.value, definition: definition.value, runs }))
    }

    /// One run with its attempts; `None` where there is none.
    pub async fn run(&self, id: &RunId) -> Result<Option<RunView>, StoreError> {
        let Some(run) = self.row::<Run>(keys::run(id)).await? else { return Ok(None) };
        let (Some(build), Some(definition)) = (
            self.row::<Build>(keys::build(&id.build)).await?,
            self.row::<RunDefinitionRow>(keys::run_definition(id)).await?,
        ) else {
            return Err(StoreError::Unreadable {
                key: keys::run_definition(id),
                why: "it, or its build, is missing".to_owned(),
            });
        };
        let first = run.value.attempts.saturating_sub(u32::try_from(MOST_ATTEMPTS).unwrap_or(u32::MAX)) + 1;
        let ids: Vec<AttemptId> =
            (first..=run.value.attempts).map(|number| AttemptId { run: id.clone(), number }).collect();
        let attempts = self.rows::<Attempt>(&ids.iter().map(keys::attempt).collect::<Vec<_>>()).await?;
        let progress =
            self.rows::<AttemptProgress>(&ids.iter().map(keys::attempt_progress).collect::<Vec<_>>()).await?;
        let attempts = attempts
            .into_iter()
            .zip(progress)
            .filter_map(|(attempt, progress)| {
                let progress = progress.map(|row| row.value);
                attempt.map(|row| AttemptView { attempt: row.value, progress })
            })
            .collect();
        Ok(Some(RunView { run: run.value, build: build.value, definition: definition.value.0, attempts }))
    }

    /// An event, as it was stored, with what became of it.
    pub async fn event(&self, key: &EventKey) -> Result<Option<Event>, StoreError> {
        Ok(self.row::<Event>(keys::event(key)).await?.map(|row| row.value))
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
