//! What is remembered of a commit: the events that were about it. Invariant: it is bounded; nothing looks through all that ever
//! happened.

use std::collections::BTreeSet;

use branchline_core::refs;
use branchline_model::{Event, EventKey, Ref, RepositoryId, keys};
use branchline_ports::{Page, StoreError};

use crate::Controller;

/// So many of a repository's newest builds are looked through.
const BUILDS: usize = 500;
/// So many refs are.
const REFS: usize = 500;
/// So many of the last moves of each ref are.
const MOVES: u64 = 10;

impl Controller {
    /// The events about a commit whose id begins so, the earliest first: of the newest builds, and of the last moves of refs.
    pub async fn events_at(&self, repository: &RepositoryId, commit: &str) -> Result<Vec<Event>, StoreError> {
        let commit = commit.to_ascii_lowercase();
        let builds = self.builds(repository, None, BUILDS).await?;
        let mut wanted: BTreeSet<EventKey> = builds
            .into_iter()
            .filter(|build| build.commit.as_str().starts_with(&commit))
            .map(|build| build.cause)
            .collect();
        let refs = self.page::<Ref>(&Page::of(keys::references(repository), REFS)).await?;
        for Ref { name, generation, .. } in refs.into_iter().map(|row| row.value) {
            let first = generation.saturating_sub(MOVES - 1).max(1);
            wanted.extend((first..=generation).map(|number| refs::event_key(repository, &name, number)));
        }
        let keys: Vec<_> = wanted.iter().map(keys::event).collect();
        let mut events: Vec<Event> =
            self.rows::<Event>(&keys).await?.into_iter().flatten().map(|row| row.value).collect();
        events.retain(|event| event.kind.commit().as_str().starts_with(&commit));
        events.sort_by_key(|event| event.accepted_at);
        Ok(events)
    }
}
