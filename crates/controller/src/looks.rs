//! Looks: where do the refs of every repository point, and which moves has nobody told of? Invariant: a repository that cannot be
//! reached is asked less and less often, and delays no other. Who looks first needs no cursor: it turns with the time.

use std::collections::BTreeMap;

use branchline_core::refs;
use branchline_model::{Repository, RepositoryId, Row, Timestamp, Trouble, Versioned, keys};
use branchline_ports::{Page, StoreError};
use futures_util::StreamExt;

use crate::receive::ObserveError;
use crate::tick::{Failure, Part};
use crate::until::Until;
use crate::{Controller, ControllerError};

/// So many repositories are asked at once.
const LOOKS_AT_ONCE: usize = 16;
/// So many are read in one go.
const REPOSITORIES_A_PAGE: usize = 1_000;

impl Controller {
    /// Looks at the refs of every repository that is not left alone because of its trouble; answers how many moves became
    /// events. Where the time does not suffice for all, the next minute begins elsewhere.
    pub(crate) async fn look_until(
        &self,
        until: Until,
        failures: &mut Vec<Failure>,
    ) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let mut troubled: BTreeMap<RepositoryId, Versioned<Trouble>> = self
            .all::<Trouble>(keys::TROUBLES, |row| keys::trouble(&row.repository).sort)
            .await?
            .into_iter()
            .map(|trouble| (trouble.value.repository.clone(), trouble))
            .collect();
        let mut repositories =
            self.all::<Repository>(keys::REPOSITORIES, |row| keys::repository(&row.id).sort).await?;
        let first = first(now, repositories.len());
        repositories.rotate_left(first);
        let looks = repositories.into_iter().filter_map(|repository| {
            let repository = repository.value.id;
            let trouble = troubled.remove(&repository);
            if trouble.as_ref().is_some_and(|trouble| trouble.value.next_try > now) {
                return None;
            }
            let controller = self.clone();
            Some(async move {
                if until.is_over(&controller) {
                    return Ok(0);
                }
                controller.look_at_refs(&repository, trouble.as_ref()).await.map_err(|why| (repository, why))
            })
        });
        let looked: Vec<_> = futures_util::stream::iter(looks.collect::<Vec<_>>())
            .buffer_unordered(LOOKS_AT_ONCE)
            .collect()
            .await;
        let mut moves = 0;
        for look in looked {
            match look {
                Ok(events) => moves += events,
                Err((repository, why)) => {
                    tracing::warn!(%repository, error = %why, "what was seen of its refs could not be stored");
                    failures.push(Failure { part: Part::Refs, what: repository.to_string(), why });
                }
            }
        }
        Ok(moves)
    }

    /// Looks at the refs of one repository; what keeps it from being seen becomes its trouble, which people see.
    async fn look_at_refs(
        &self,
        id: &RepositoryId,
        trouble: Option<&Versioned<Trouble>>,
    ) -> Result<usize, ControllerError> {
        match self.observe(id, None).await {
            Ok(observed) => {
                if trouble.is_some() {
                    self.clear_trouble(id).await?;
                }
                Ok(observed.events)
            }
            Err(ObserveError::Checkout(error)) => {
                let failures = trouble.map_or(0, |trouble| trouble.value.failures).saturating_add(1);
                let next_try = self.clock.now().after(refs::backoff(failures));
                tracing::warn!(repository = %id, %error, %next_try, "cannot look at its refs");
                self.count_trouble(id, trouble, &error.to_string(), next_try).await?;
                Ok(0)
            }
            Err(ObserveError::Controller(error)) => Err(error),
            // Taken away since it was listed.
            Err(ObserveError::Unknown(_)) => Ok(0),
        }
    }

    /// All rows of a partition that holds one kind of row only, page by page.
    async fn all<T: TryFrom<Row, Error = Row>>(
        &self,
        partition: &str,
        sort: impl Fn(&T) -> String,
    ) -> Result<Vec<Versioned<T>>, StoreError> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let rows = self.page::<T>(&Page { after, ..Page::of(partition, REPOSITORIES_A_PAGE) }).await?;
            let more = rows.len() == REPOSITORIES_A_PAGE;
            after = rows.last().map(|row| sort(&row.value));
            all.extend(rows);
            if !more {
                return Ok(all);
            }
        }
    }
}

/// Which of so many is looked at first in this minute. Minutes that follow each other begin far apart (by the golden ratio), so
/// that all come to their turn soon, however few are reached in one.
fn first(now: Timestamp, count: usize) -> usize {
    let minute = u64::try_from(now.0 / 60_000).unwrap_or(0);
    // The fraction of minute × 0.618…, in 64 bits.
    let turn = minute.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from((u128::from(turn) * count as u128) >> 64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_a_few_minutes_every_repository_comes_first_or_soon_after() {
        let mut firsts: Vec<usize> =
            (0..40).map(|minute| first(Timestamp(1_800_000_000_000 + minute * 60_000), 1_000)).collect();
        firsts.sort_unstable();
        firsts.push(1_000);
        let longest = firsts.windows(2).map(|pair| pair[1] - pair[0]).max();
        assert!(longest < Some(70), "{firsts:?}");
    }

    #[test]
    fn where_there_is_none_nobody_is_first() {
        assert_eq!(first(Timestamp(1_800_000_000_000), 0), 0);
    }
}
