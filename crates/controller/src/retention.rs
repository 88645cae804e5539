//! Retention: builds that are too many or too old are retired with all that belongs to them. Invariant: readers see a build whole
//! or not at all. Its own row goes first, in a commit that holds only if it has ended; then nobody sees the rest, which goes
//! piece by piece; last goes what says that there is something to remove, so whatever is cut off is gone on with. A build or an
//! event whose row cannot be understood goes like any other when its time has come, and keeps no other from going: that it is
//! to go is written beside it.

use std::collections::BTreeSet;

use branchline_core::retention::{self, Memory};
use branchline_model::{
    AttemptId, Build, BuildId, Deadline, DeadlineKind, Event, EventKey, EventStatus, Expectation, KeptBuild,
    Key, PipelineName, Plan, RepositoryId, Row, RunId, Versioned, keys,
};
use branchline_ports::{Order, Page, Ring, StoreError};

use crate::commit::{MOST_TRIES, Outcome};
use crate::controller::typed;
use crate::deadlines::{PUT_OFF, Passed};
use crate::tick::{Failure, Part};
use crate::until::Until;
use crate::{Controller, ControllerError};

/// So many builds are retired before the pipeline's are looked through again.
const RETIRED_AT_ONCE: usize = 16;
/// So many runs of a build are removed at once.
const RUNS_AT_ONCE: usize = 32;
/// So many rows of a run are read in one go.
const ROWS_AT_ONCE: usize = 1_000;

/// The event of a build that is retired, where it is there still; what keeps it from being read matters last.
type Cause = Result<Option<Versioned<Event>>, StoreError>;

impl Controller {
    /// A build has ended: lists it among its pipeline's, retires those that are too many, and sets when its own days are over.
    pub(crate) async fn keep_build(
        &self,
        kept: &KeptBuild,
        keep: u32,
        until: Until,
        failures: &mut Vec<Failure>,
    ) -> Result<Passed, ControllerError> {
        let mut plan = Plan::default();
        plan.put(kept.clone(), Expectation::Any);
        self.commit(plan).await?;
        // Those that could not be retired now keep no other from it. They stay listed, and are tried again soon.
        let mut left = BTreeSet::new();
        loop {
            let most = usize::try_from(keep).unwrap_or(usize::MAX).saturating_add(RETIRED_AT_ONCE);
            let most = most.saturating_add(left.len());
            let newest_first = self.kept_builds(&kept.build.repository, &kept.pipeline, most).await?;
            let mut surplus = retention::surplus(&newest_first, keep, self.clock.now());
            surplus.retain(|build| !left.contains(&build.build));
            for build in &surplus {
                if until.is_over(self) {
                    return Ok(Passed::NotYet);
                }
                match self.retire(build, until).await {
                    Ok(true) => {}
                    Ok(false) => return Ok(Passed::NotYet),
                    Err(why) => {
                        let what = build.build.to_string();
                        tracing::warn!(build = what, error = %why, "a build could not be retired; it will be tried again");
                        failures.push(Failure { part: Part::Retention, what, why });
                        left.insert(build.build.clone());
                        continue;
                    }
                }
                // The deadline of its days would find nothing any more, which is no harm where this is cut off.
                self.store.discard(&[keys::deadline(&retention::retire_at(build))]).await?;
            }
            if surplus.is_empty() || newest_first.len() < most {
                if !left.is_empty() {
                    let of = DeadlineKind::BuildEnded { build: kept.clone(), keep };
                    return Ok(Passed::Next(Deadline { at: self.clock.now().after(PUT_OFF), of }));
                }
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
        let key = keys::event(key);
        let Some(row) = self.store.read(std::slice::from_ref(&key)).await?.pop().flatten() else {
            return Ok(Passed::Done);
        };
        let version = row.version;
        match typed::<Event>(&key, row) {
            Ok(event)
                if retention::is_pending(&event.value) || self.has_builds(&event.value, None).await? => {}
            Ok(_) => self.store.discard(&[key]).await?,
            Err(unreadable) => {
                // It was decided, or nobody would have set this time; and no longer time is needed by anything it may have made.
                self.complain(&unreadable);
                let mut plan = Plan::default();
                plan.delete(key, Expectation::Unchanged(version));
                // Somebody who changes it now has made it readable.
                let (Outcome::Done | Outcome::Again) = self.commit(plan).await?;
            }
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
            last.extend(self.forgotten(&kept.cause, event, &kept.build).await?);
            self.store.discard(&last).await?;
            self.store.discard(&[listed]).await?;
            tracing::info!(build = %kept.build, "retired");
            return Ok(true);
        }
    }

    /// Takes a build from everybody's sight; answers its event where the build may be removed: never one that has not ended.
    async fn hide(&self, kept: &KeptBuild) -> Result<Option<Cause>, ControllerError> {
        let id = &kept.build;
        let wanted = [keys::build(id), keys::event(&kept.cause)];
        for _ in 0..MOST_TRIES {
            let mut rows = self.store.read(&wanted).await?;
            let event = self.needed(&wanted[1], rows.pop().flatten());
            let build = rows.pop().flatten();
            // Gone already: an earlier try was cut off.
            let Some(row) = build else { return Ok(Some(event)) };
            let version = row.version;
            match typed::<Build>(&wanted[0], row) {
                Ok(build) if !build.value.state.has_ended() => return Ok(None),
                Ok(_) => {}
                // It has ended, or it would not be listed; and an end is final.
                Err(unreadable) => self.complain(&unreadable),
            }
            let mut plan = Plan::default();
            plan.delete(wanted[0].clone(), Expectation::Unchanged(version));
            if let Outcome::Done = self.commit(plan).await? {
                self.bell.ring(Ring::BuildChanged(id.clone()));
                self.bell.ring(Ring::RepositoryChanged(id.repository.clone()));
                return Ok(Some(event));
            }
        }
        Err(ControllerError::Contended { what: format!("the build {id}") })
    }

    /// Removes a run's artifacts, and the logs of its attempts; answers the keys of the run's own rows. An upload that no commit
    /// named stays: its own deadline removes the object, which may still be written, and then the row.
    async fn remove_logs(&self, run: &RunId) -> Result<Vec<Key>, ControllerError> {
        let mut page = Page::of(keys::run_parts(run), ROWS_AT_ONCE);
        let mut found = Vec::new();
        loop {
            let rows = self.store.page(&page).await?;
            let more = rows.len() == ROWS_AT_ONCE;
            page.after = rows.last().map(|row| row.value.key().sort);
            for row in rows {
                if let (Row::Artifact(artifact), Some(objects)) = (&row.value, self.artifacts.objects()) {
                    objects.delete_object(&artifact.key).await.map_err(ControllerError::Object)?;
                }
                let key = row.value.key();
                if let Some(number) = number(&key, keys::ATTEMPT_PREFIX) {
                    self.artifacts.delete_log(&AttemptId { run: run.clone(), number }).await?;
                }
                if !key.sort.starts_with(keys::UPLOAD_PREFIX) {
                    found.push(key);
                }
            }
            if !more {
                return Ok(found);
            }
        }
    }

    /// The event's own row, where it goes with the last of its builds; one that must be remembered gets its deadline.
    async fn forgotten(
        &self,
        key: &EventKey,
        event: Cause,
        retired: &BuildId,
    ) -> Result<Option<Key>, ControllerError> {
        let now = self.clock.now();
        let memory = match event {
            // Looked for after this one was hidden: of those that go at once, the last sees none.
            Ok(Some(event)) if !self.has_builds(&event.value, Some(retired)).await? => {
                retention::memory(&event.value, now)
            }
            Ok(_) => return Ok(None),
            Err(StoreError::Unreadable { .. }) => retention::memory_of_unreadable(now),
            Err(error) => return Err(error.into()),
        };
        match memory {
            Memory::Forget => Ok(Some(keys::event(key))),
            Memory::Until(at) => {
                let mut plan = Plan::default();
                plan.put(retention::forget_at(key, at), Expectation::Any);
                self.commit(plan).await?;
                Ok(None)
            }
        }
    }

    /// Whether any build of an event is there still, beside one that is known to be gone.
    async fn has_builds(&self, event: &Event, gone: Option<&BuildId>) -> Result<bool, ControllerError> {
        let EventStatus::Decided { builds, .. } = &event.status else { return Ok(false) };
        let keys: Vec<Key> = builds.iter().filter(|build| Some(*build) != gone).map(keys::build).collect();
        // One that cannot be read is there all the same, and can be made anew only from its event.
        Ok(self.store.read(&keys).await?.iter().any(Option::is_some))
    }
}

/// The number that a sort key ends with, after its kind.
fn number(key: &Key, kind: &str) -> Option<u32> {
    key.sort.strip_prefix(kind)?.parse().ok()
}
