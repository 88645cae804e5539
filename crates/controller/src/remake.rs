//! Makes rows anew that only lead to others and cannot be understood (`core::remake` says how). Invariant: nobody who looks for
//! what is due stops at such a row; what cannot be made anew is passed over, and left for `branchline doctor`.

use branchline_core::remake::{self, Source};
use branchline_model::{Build, Event, Key, Row, Run, Versioned, keys};
use branchline_ports::{Lease, Page, ProtocolError, StoreError};

use crate::Controller;
use crate::controller::Known;
use crate::work::unavailable;

impl Controller {
    /// A part of a partition whose rows only lead to others.
    pub(crate) async fn leads<T: TryFrom<Row, Error = Row>>(
        &self,
        page: &Page,
    ) -> Result<Vec<Versioned<T>>, StoreError> {
        let listed = self.listed(page).await?;
        let mut remade = false;
        for unreadable in &listed.unreadable {
            remade |= self.remake(&unreadable.key).await?;
        }
        if remade { self.page(page).await } else { Ok(listed.rows) }
    }

    /// Makes a row anew that cannot be understood; answers whether that was done.
    pub(crate) async fn remake(&self, key: &Key) -> Result<bool, StoreError> {
        let plan = match remake::source(key) {
            None => return Ok(false),
            Some(Source::Key(plan)) => plan,
            Some(Source::Run(id)) => match self.led_to::<Run>(keys::run(&id)).await? {
                Known::There(run) => remake::of_run(key, &run.value, self.clock.now(), &self.leases),
                Known::Gone => remake::in_vain(key),
                Known::Unreadable => return Ok(false),
            },
            Some(Source::Event(id)) => match self.led_to::<Event>(keys::event(&id)).await? {
                Known::There(event) => remake::of_event(key, &event.value),
                Known::Gone => remake::in_vain(key),
                Known::Unreadable => return Ok(false),
            },
            Some(Source::First(partition)) => match self.first_of(&partition).await? {
                Some(first) => remake::of_first(key, first, self.clock.now()),
                None => return Ok(false),
            },
        };
        if plan.is_empty() {
            return Ok(false);
        }
        tracing::warn!(%key, "a row that could not be read is made anew, or leads nowhere and is removed");
        // Nothing is expected of what is there, and whoever follows it finds out if it is there in vain.
        self.commit(plan).await?;
        Ok(true)
    }

    /// The first row of a partition, which may have to be made anew itself.
    async fn first_of(&self, partition: &str) -> Result<Option<Row>, StoreError> {
        let page = Page::of(partition, 1);
        let first = self.store.page(&page).await?.pop().map(|row| row.value);
        match first {
            Some(Row::Unreadable(row)) if Box::pin(self.remake(&row.key)).await? => {
                Ok(self.store.page(&page).await?.pop().map(|row| row.value))
            }
            first => Ok(first),
        }
    }

    /// What a worker is told whose word cannot be judged: to say it again, by when what could not be read may have been made anew.
    /// Where it is the run's own row, the build's end is the attempt's.
    pub(crate) async fn cannot_judge(&self, lease: &Lease, error: StoreError) -> ProtocolError {
        let StoreError::Unreadable { key, .. } = &error else { return unavailable(error) };
        let Lease { attempt, .. } = lease;
        if *key != keys::run(&attempt.run) {
            return self.remake(key).await.map_or_else(unavailable, |_| unavailable(error));
        }
        match self.led_to::<Build>(keys::build(&attempt.run.build)).await {
            Ok(Known::There(build)) if !build.value.state.has_ended() => unavailable(error),
            Ok(Known::Unreadable) => unavailable(error),
            Ok(Known::There(_) | Known::Gone) => ProtocolError::Fenced {
                attempt: attempt.clone(),
                why: "its run cannot be read, and its build has ended".to_owned(),
            },
            Err(error) => unavailable(error),
        }
    }
}
