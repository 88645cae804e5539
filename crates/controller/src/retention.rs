//! Retention: builds that are too many or too old are retired with all that belongs to them. Invariant: readers see a build whole
//! or not at all. Its own row goes first, in a commit that holds only if it has ended; then nobody sees the rest, which goes
//! piece by piece; last goes what says that there is something to remove, so whatever is cut off is gone on with.

use branchline_core::retention::{self, Memory};
use branchline_model::{
    AttemptId, Build, BuildId, Event, EventKey, EventStatus, Expectation, KeptBuild, Key, PipelineName, Plan,
    RepositoryId, Row, RunId, Versioned, keys,
};
use branchline_ports::{Order, Page, Ring, StoreError};

use crate::commit::{MOST_TRIES, Outcome};
use crate::deadlines::Passed;
use crate::until::Until;
use crate::{Controller, ControllerError};

/// So many builds are retired before the pipeline's are looked through again.
const RETIRED_AT_ONCE: usize = 16;
/// So many runs of a build are removed at once.
const RUNS_AT_ONCE: usize = 32;
/// The event of a build that is retired, where it is there still; what keeps it from being read matters last.
type Cause = Result<Option<Versioned<Event>>, StoreError>;
/// No run has more rows than are read at once; where it has, the next look finds the rest.
const ROWS_OF_A_RUN: usize = 1_000;

impl Controller {
    /// A build has ended: lists it among its pipeline's, retires those that are too many, and sets when its own days are over.
    pub(crate) async fn keep_build(
        &self,
        kept: &KeptBuild,
        keep: u32,
        until: Until,
    ) -> Result<Passed, ControllerError> {
        let mut plan = Plan::default();
        plan.put(kept.clone(), Expectation::Any);
        self.commit(plan).await?;
        loop {
            let most = usize::try_from(keep).unwrap_or(usize::MAX).saturating_add(RETIRED_AT_ONCE);
            let newest_first = self.kept_builds(&kept.build.repository, &kept.pipeline, most).await?;
            let surplus = retention::surplus(&newest_first, keep, self.clock.now());
            for build in &surplus {
                if until.is_over(self) || !self.retire(build, until).await? {
                    return Ok(Passed::NotYet);
                }
                // The deadline of its days would find nothing any more, which is no harm where this is cut off.
                self.store.discard(&[keys::deadline(&retention::retire_at(build))]).await?;
            }
            if surplus.is_empty() || newest_first.len() < most {
                let is_it = |other: &&KeptBuild| other.build == kept.build;
                let is_kept = newest_first.iter().any(|other| is_it(&other)) && !surplus.iter().any(is_it);
                return Ok(if is_kept { Passed::Next(retention::retire_at(kept)) } else { Passed::Done });
            }
        }
    }

    /// A build's days are over: retires it, unless it is the newest of its pipeline. (That one is looked at again when the next has
    /// ended.)
    pub(crate) async fn retire_if_old(
        &self,
        kept: &KeptBuild,
        until: Until,
    ) -> Result<Passed, ControllerError> {
        let newest = self.kept_builds(&kept.build.repository, &kept.pipeline, 1).await?;
        let is_newest = newest.first().is_some_and(|newest| newest.build == kept.build);
        if is_newest || self.retire(kept, until).await? { Ok(Passed::Done) } else { Ok(Passed::NotYet) }
    }

    /// Forgets an event that made no build, or whose builds are gone.
    pub(crate) async fn forget_event(&self, key: &EventKey) -> Result<Passed, ControllerError> {
        if let Some(event) = self.row::<Event>(keys::event(key)).await?
            && !retention::is_pending(&event.value)
            && !self.has_builds(&event.value, None).await?
        {
            self.store.discard(&[keys::event(key)]).await?;
        }
        Ok(Passed::Done)
    }

    async fn kept_builds(
        &self,
        repository: &RepositoryId,
        pipeline: &PipelineName,
        limit: usize,
    ) -> Result<Vec<KeptBuild>, ControllerError> {
        let page =
            Page { order: Order::Descending, ..Page::of(keys::kept_builds(repository, pipeline), limit) };
        Ok(self.page::<KeptBuild>(&page).await?.into_iter().map(|row| row.value).collect())
    }

    /// Removes a build and all that belongs to it; answers whether nothing is left, or the time was over before.
    async fn retire(&self, kept: &KeptBuild, until: Until) -> Result<bool, ControllerError> {
        let listed = keys::kept_build(&kept.build.repository, &kept.pipeline, kept.build.number);
        let Some(event) = self.hide(kept).await? else {
            self.store.discard(&[listed]).await?;
            return Ok(true);
        };
        loop {
            let page = Page {
                prefix: keys::RUN_PREFIX.to_owned(),
                ..Page::of(keys::build_parts(&kept.build), RUNS_AT_ONCE)
            };
            // Their keys are enough: what cannot be understood goes with the rest.
            let runs: Vec<Key> = self.store.page(&page).await?.iter().map(|row| row.value.key()).collect();
            let mut rows = Vec::new();
            for index in runs.iter().filter_map(|key| number(key, keys::RUN_PREFIX)) {
                rows.extend(self.remove_logs(&RunId { build: kept.build.clone(), index }).await?);
            }
            self.store.discard(&rows).await?;
            // What leads to the others goes after them.
            if runs.len() == RUNS_AT_ONCE {
                self.store.discard(&runs).await?;
                if until.is_over(self) {
                    return Ok(false);
                }
                continue;
            }
            let mut last = runs;
            last.extend([keys::build_definition(&kept.build), keys::build_progress(&kept.build)]);
            last.extend(self.forgotten(event?, &kept.build).await?);
            self.store.discard(&last).await?;
            self.store.discard(&[listed]).await?;
            tracing::info!(build = %kept.build, "retired");
            return Ok(true);
        }
    }

    /// Takes a build from everybody's sight; answers its event where the build may be removed: never one that has not ended.
    async fn hide(&self, kept: &KeptBuild) -> Result<Option<Cause>, ControllerError> {
        let id = &kept.build;
        for _ in 0..MOST_TRIES {
            let mut rows = self.together([keys::build(id), keys::event(&kept.cause)]).await?;
            let (build, event) = (rows.next::<Build>()?, rows.next());
            // Gone already: an earlier try was cut off.
            let Some(build) = build else { return Ok(Some(event)) };
            if !build.value.state.has_ended() {
                return Ok(None);
            }
            let mut plan = Plan::default();
            plan.delete(keys::build(id), Expectation::Unchanged(build.version));
            if let Outcome::Done = self.commit(plan).await? {
                self.bell.ring(Ring::BuildChanged(id.clone()));
                self.bell.ring(Ring::RepositoryChanged(id.repository.clone()));
                return Ok(Some(event));
            }
        }
        Err(ControllerError::Contended { what: format!("the build {id}") })
    }

    /// Removes a run's artifacts, and the logs of its attempts; answers the keys of the run's own rows.
    async fn remove_logs(&self, run: &RunId) -> Result<Vec<Key>, ControllerError> {
        let rows = self.store.page(&Page::of(keys::run_parts(run), ROWS_OF_A_RUN)).await?;
        for row in &rows {
            if let (Row::Artifact(artifact), Some(objects)) = (&row.value, self.artifacts.objects()) {
                objects.delete_object(&artifact.key).await.map_err(ControllerError::Object)?;
            }
        }
        let rows: Vec<Key> = rows.iter().map(|row| row.value.key()).collect();
        for number in rows.iter().filter_map(|key| number(key, keys::ATTEMPT_PREFIX)) {
            self.artifacts.delete_log(&AttemptId { run: run.clone(), number }).await?;
        }
        Ok(rows)
    }

    /// The event's own row, where it goes with the last of its builds; one that must be remembered gets its deadline.
    async fn forgotten(
        &self,
        event: Option<Versioned<Event>>,
        retired: &BuildId,
    ) -> Result<Option<Key>, ControllerError> {
        let Some(Versioned { value: event, .. }) = event else { return Ok(None) };
        // Looked for after this one was hidden: of those that go at once, the last sees none.
        if self.has_builds(&event, Some(retired)).await? {
            return Ok(None);
        }
        match retention::memory(&event, self.clock.now()) {
            Memory::Forget => Ok(Some(keys::event(&event.key))),
            Memory::Until(at) => {
                let mut plan = Plan::default();
                plan.put(retention::forget_at(&event.key, at), Expectation::Any);
                self.commit(plan).await?;
                Ok(None)
            }
        }
    }

    /// Whether any build of an event is there still, beside one that is known to be gone.
    async fn has_builds(&self, event: &Event, gone: Option<&BuildId>) -> Result<bool, ControllerError> {
        let EventStatus::Decided { builds, .. } = &event.status else { return Ok(false) };
        let keys: Vec<Key> = builds.iter().filter(|build| Some(*build) != gone).map(keys::build).collect();
        Ok(self.rows::<Build>(&keys).await?.iter().any(Option::is_some))
    }
}

/// The number that a sort key ends with, after its kind.
fn number(key: &Key, kind: &str) -> Option<u32> {
    key.sort.strip_prefix(kind)?.parse().ok()
}
