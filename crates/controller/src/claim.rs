//! A worker claims runs. Invariant: what one look reads is bounded, whatever waits; each look that is in vain ends
//! because somebody else got on, because it cleared away what was empty, or because nothing waits.

use std::collections::BTreeMap;

use branchline_core::{claim, queue};
use branchline_model::{
    AttemptId, Demand, Lane, Plan, PoolName, QueueEntry, Run, RunDefinition, RunDefinitionRow, RunId,
    Versioned, keys,
};
use branchline_ports::{Assignment, Claimant, Lease, Page, ProtocolError, Ring, StoreError};

use crate::Controller;
use crate::commit::{MOST_TRIES, Outcome};
use crate::directory::{DemandWalk, Walk};
use crate::hints::InHand;
use crate::work::{contended, unavailable};

/// So many demands are looked at, and
const MOST_DEMANDS: usize = 256;
/// so many lanes looked into, before a look ends in vain, and the next goes on elsewhere.
const MOST_LANES: usize = 64;
/// Beyond what it wants, a claim reads so many places more at the most, to find some that nobody else is after.
const MOST_SKIPPED: usize = 1_000;

/// A place in a queue, and the run that stands there where it can be read.
type Waiting = (Versioned<QueueEntry>, Option<Versioned<Run>>);

/// What one look found.
struct Looked {
    entries: Vec<Versioned<QueueEntry>>,
    in_hand: InHand,
    /// What clears away that which was empty.
    tidy: Plan,
}

impl Looked {
    fn wants(&self, most: usize) -> usize {
        most.saturating_sub(self.entries.len())
    }
}

impl Controller {
    /// Takes at most so many runs of one pool.
    pub(crate) async fn claim_from(
        &self,
        claimant: &Claimant,
        pool: &PoolName,
        most: usize,
    ) -> Result<Vec<Assignment>, ProtocolError> {
        let (mut crossed, mut walk) = (0, None);
        for _ in 0..MOST_TRIES {
            let turn = self.hints.next_turn();
            let mut demands = walk.take().unwrap_or_else(|| DemandWalk::new(pool, &claimant.tags, turn));
            let looked = self
                .look(claimant, &mut demands, most, turn, skip(turn, crossed))
                .await
                .map_err(unavailable)?;
            // Somebody who changed it meanwhile has tidied, or uses it again: either is well.
            let (Outcome::Done | Outcome::Again) = self.commit(looked.tidy).await.map_err(unavailable)?;
            if looked.entries.is_empty() {
                if demands.is_over() {
                    return Ok(Vec::new());
                }
                walk = Some(demands);
                continue;
            }
            let (waiting, mut definitions) = self.with_definitions(looked.entries).await?;
            let (plan, taken) = claim::claim(&waiting, &claimant.worker, self.clock.now(), &self.leases)
                .map_err(unavailable)?;
            // Read before the claim is committed: what was claimed is always handed out.
            let assign = |attempt: &AttemptId| {
                let definition = definitions.remove(&attempt.run)?;
                let lease = Lease { attempt: attempt.clone(), worker: claimant.worker.clone() };
                Some(Assignment { lease, definition, stop: None, begun: false })
            };
            let assignments = taken.iter().filter_map(assign).collect();
            if let Outcome::Again = self.commit(plan).await.map_err(unavailable)? {
                crossed += 1;
                continue;
            }
            drop(looked.in_hand);
            if taken.is_empty() {
                // Only stale entries were there, and are removed now.
                continue;
            }
            for attempt in &taken {
                self.bell.ring(Ring::BuildChanged(attempt.run.build.clone()));
            }
            return Ok(assignments);
        }
        // Nothing was found in all that could be looked through now: the worker asks again.
        if crossed == 0 { Ok(Vec::new()) } else { Err(contended(&format!("the queue of {pool}"))) }
    }

    /// The runs that wait with what is to be done. A run that does not say it can never be carried out: it is ended.
    async fn with_definitions(
        &self,
        entries: Vec<Versioned<QueueEntry>>,
    ) -> Result<(Vec<Waiting>, BTreeMap<RunId, RunDefinition>), ProtocolError> {
        let runs = entries.iter().map(|entry| &entry.value.run);
        let keys: Vec<_> = runs.clone().map(keys::run).chain(runs.map(keys::run_definition)).collect();
        let mut runs = self.store.read(&keys).await.map_err(unavailable)?;
        let definitions = runs.split_off(entries.len());
        let (run_keys, definition_keys) = keys.split_at(entries.len());
        let runs = run_keys.iter().zip(runs).map(|(key, row)| self.understood(key, row));
        let definitions = definition_keys.iter().zip(definitions).map(|(key, row)| self.understood(key, row));
        let (mut with, mut found) = (Vec::with_capacity(entries.len()), BTreeMap::new());
        for ((entry, run), definition) in entries.into_iter().zip(runs).zip(definitions) {
            let (run, definition): (Option<Versioned<Run>>, Option<Versioned<RunDefinitionRow>>) =
                (run, definition);
            match &run {
                Some(run) if definition.is_none() && claim::waits_at(run, &entry) => {
                    let plan = claim::end_without_definition(run, self.clock.now());
                    self.commit(plan.map_err(unavailable)?).await.map_err(unavailable)?;
                    self.bell.ring(Ring::EndedRuns);
                    self.bell.ring(Ring::BuildChanged(run.value.id.build.clone()));
                }
                _ => {
                    found.extend(definition.map(|row| (entry.value.run.clone(), row.value.0)));
                    with.push((entry, run));
                }
            }
        }
        Ok((with, found))
    }

    /// Looks through the lanes that this worker may take from, in the order of their turn, until it has enough, or has looked
    /// at so many that the next look is to go on.
    async fn look(
        &self,
        claimant: &Claimant,
        demands: &mut DemandWalk,
        most: usize,
        turn: u64,
        skip: usize,
    ) -> Result<Looked, StoreError> {
        let mut looked =
            Looked { entries: Vec::new(), in_hand: InHand::nothing(&self.hints), tidy: Plan::default() };
        let mut lanes_seen = 0;
        for _ in 0..MOST_DEMANDS {
            let Some(demand) = demands.next(self).await? else { return Ok(looked) };
            let Demand { pool, wants, .. } = &demand.value;
            if !queue::serves(wants, &claimant.tags) {
                continue;
            }
            let mut walk = Walk::lanes(self, pool, wants, turn, most);
            let mut without_lanes = true;
            loop {
                let lanes = walk.next::<Lane>(self).await?;
                if lanes.is_empty() {
                    break;
                }
                without_lanes = false;
                lanes_seen += lanes.len();
                let before = looked.entries.len();
                self.look_into(&lanes, most, skip, &mut looked).await?;
                if looked.entries.len() > before {
                    demands.served(self, &demand.value);
                }
                if looked.wants(most) == 0 {
                    return Ok(looked);
                }
                if lanes_seen >= MOST_LANES {
                    demands.cut(self, turn);
                    return Ok(looked);
                }
            }
            if without_lanes {
                queue::retire_demand(&mut looked.tidy, &demand, self.clock.now());
            }
        }
        demands.cut(self, turn);
        Ok(looked)
    }

    /// Takes from each of these lanes its share of what is wanted, and what is still wanted then from where there is more.
    async fn look_into(
        &self,
        lanes: &[Versioned<Lane>],
        most: usize,
        skip: usize,
        looked: &mut Looked,
    ) -> Result<(), StoreError> {
        let share = looked.wants(most).div_ceil(lanes.len().min(looked.wants(most)).max(1));
        let mut longer = Vec::new();
        for lane in lanes {
            let wanted = share.min(looked.wants(most));
            if wanted == 0 {
                return Ok(());
            }
            let queue = keys::queue(&lane.value.id);
            let spare = (self.hints.count(&queue) + skip).min(MOST_SKIPPED);
            let page = Page::of(queue, wanted + spare);
            let entries = self.page::<QueueEntry>(&page).await?;
            let key = keys::lane(&lane.value.id);
            self.hints.served(&key.partition, &key.sort);
            if entries.is_empty() {
                queue::retire_lane(&mut looked.tidy, lane, self.clock.now());
                continue;
            }
            let may_have_more = entries.len() == page.limit;
            looked.entries.extend(looked.in_hand.take(&page.partition, entries, wanted, skip));
            if may_have_more {
                longer.push(page);
            }
        }
        for page in longer {
            let wanted = looked.wants(most);
            if wanted == 0 {
                return Ok(());
            }
            // What was taken from it already is in hand, and is passed over.
            let page = Page { limit: page.limit + wanted, ..page };
            let entries = self.page::<QueueEntry>(&page).await?;
            looked.entries.extend(looked.in_hand.take(&page.partition, entries, wanted, skip));
        }
        Ok(())
    }
}

/// After a claim that somebody else crossed, how many places to pass over: among more and more, so that many who claim
/// at once come apart.
fn skip(turn: u64, crossed: usize) -> usize {
    if crossed == 0 {
        return 0;
    }
    let among = 4 << crossed.min(4);
    let spread = turn.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    usize::try_from(spread).unwrap_or_default() % among
}
