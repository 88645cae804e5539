//! A table in memory, with DynamoDB's limits, its prices, and, where they are asked for, its faults. Invariant: one
//! lock makes each write and each transaction one moment; each item of a read is read by itself, and where a fault
//! hook is set, it may act between any two of them. Nothing survives the table.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use branchline_model::Key;
use branchline_ports::Order;

use super::item::Item;
use super::table::{
    Cause, Got, LARGEST_ITEM, MOST_BYTES, MOST_KEYS, MOST_REMOVED, MOST_WRITES, QUERY_BYTES, Queried, Query,
    Table, TableError, Write,
};
use super::units::{self, Usage};

/// A call, before or after it was done.
#[derive(Clone, Copy, Debug)]
pub enum Call<'c> {
    /// Of [`Table::get`].
    Get(&'c [Key]),
    /// Of [`Table::query`].
    Query(&'c Query),
    /// Of [`Table::write`].
    Write(&'c Write),
    /// Of [`Table::remove`].
    Remove(&'c [Key]),
    /// Of [`Table::transact`].
    Transact(&'c [Write]),
}

/// What goes wrong, decided for each call. Whatever waits in a hook holds the call up there.
#[async_trait]
pub trait Faults: Send + Sync {
    /// Asked before a call is done; with an error it is not done, and this is the answer.
    async fn before(&self, call: Call<'_>) -> Option<TableError>;

    /// Asked when a call was done, and would be answered so; with an error this is the answer instead.
    async fn after(&self, call: Call<'_>, done: Result<(), &TableError>) -> Option<TableError>;

    /// Asked between two items of a read that sees several: here others may write.
    async fn between_items(&self) {}

    /// Of so many keys that a call names, how many are looked at; at least one.
    fn looked_at(&self, keys: usize) -> usize {
        keys
    }
}

/// A table that forgets everything when it is dropped: for tests and the simulator.
#[derive(Default)]
pub struct MemoryTable {
    inner: Mutex<Inner>,
    faults: Option<Arc<dyn Faults>>,
}

#[derive(Default)]
struct Inner {
    partitions: BTreeMap<String, BTreeMap<String, Item>>,
    usage: Usage,
}

impl MemoryTable {
    /// A table without items, where nothing goes wrong.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A table without items, where this goes wrong.
    #[must_use]
    pub fn with_faults(faults: Arc<dyn Faults>) -> Self {
        Self { faults: Some(faults), ..Self::default() }
    }

    /// What all calls have used until now, those that a fault kept from being done left out.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.inner().usage
    }

    /// Every item, in the order of the keys; costs nothing.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        self.inner().partitions.values().flat_map(BTreeMap::values).cloned().collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Everything that can fail comes before the first write, so what a panicking thread left is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn before(&self, call: Call<'_>) -> Result<(), TableError> {
        match &self.faults {
            Some(faults) => faults.before(call).await.map_or(Ok(()), Err),
            None => Ok(()),
        }
    }

    async fn after<A>(&self, call: Call<'_>, answer: Result<A, TableError>) -> Result<A, TableError> {
        let Some(faults) = &self.faults else { return answer };
        match faults.after(call, answer.as_ref().map(|_| ())).await {
            Some(error) => Err(error),
            None => answer,
        }
    }

    async fn between_items(&self) {
        if let Some(faults) = &self.faults {
            faults.between_items().await;
        }
    }

    fn looked_at<'k>(&self, keys: &'k [Key]) -> (&'k [Key], &'k [Key]) {
        let looked_at = self.faults.as_ref().map_or(keys.len(), |faults| faults.looked_at(keys.len()));
        keys.split_at(looked_at.clamp(1, keys.len()))
    }

    fn remove_each(&self, keys: &[Key]) -> Result<Vec<Key>, TableError> {
        if keys.is_empty()
            || keys.len() > MOST_REMOVED
            || keys.iter().collect::<HashSet<_>>().len() < keys.len()
        {
            return Err(invalid(&format!("a removal of {} keys, or of one twice", keys.len())));
        }
        let (looked_at, left) = self.looked_at(keys);
        let mut inner = self.inner();
        let mut units = 0;
        for key in looked_at {
            units += units::write_units(inner.get(key).map_or(0, Item::size));
            inner.remove(key);
        }
        inner.usage += Usage::of_write(units);
        Ok(left.to_vec())
    }

    async fn get_each(&self, keys: &[Key]) -> Result<Got, TableError> {
        if keys.is_empty() || keys.len() > MOST_KEYS || keys.iter().collect::<HashSet<_>>().len() < keys.len()
        {
            return Err(invalid(&format!("a read of {} keys, or of one twice", keys.len())));
        }
        let (looked_at, left) = self.looked_at(keys);
        let mut items = Vec::new();
        let mut units = 0;
        for (index, key) in looked_at.iter().enumerate() {
            if index > 0 {
                self.between_items().await;
            }
            let found = self.inner().get(key).cloned();
            units += units::read_units(found.as_ref().map_or(0, Item::size));
            items.extend(found);
        }
        self.inner().usage += Usage::of_read(units);
        Ok(Got { items, left: left.to_vec() })
    }

    async fn query_each(&self, query: &Query) -> Result<Queried, TableError> {
        if query.limit == 0 {
            return Err(invalid("a query of no items"));
        }
        let (mut from, mut to) = (query.from.clone(), query.to.clone());
        let mut items: Vec<Item> = Vec::new();
        let mut size = 0;
        let mut ended = false;
        while items.len() < query.limit && size <= QUERY_BYTES {
            if !items.is_empty() {
                self.between_items().await;
            }
            let Some(next) = self.inner().next(&query.partition, &from, &to, query.order) else {
                ended = true;
                break;
            };
            size += next.size();
            match query.order {
                Order::Ascending => from = Bound::Excluded(next.key.sort.clone()),
                Order::Descending => to = Bound::Excluded(next.key.sort.clone()),
            }
            items.push(next);
        }
        self.inner().usage += Usage::of_read(units::read_units(size));
        let more_after = items.last().filter(|_| !ended).map(|item| item.key.sort.clone());
        Ok(Queried { items, more_after })
    }
}

impl Inner {
    fn get(&self, key: &Key) -> Option<&Item> {
        self.partitions.get(&key.partition)?.get(&key.sort)
    }

    fn next(&self, partition: &str, from: &Bound<String>, to: &Bound<String>, order: Order) -> Option<Item> {
        let (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) =
            (from, to)
        else {
            return self.first(partition, from, to, order);
        };
        // A range that was read to its end is upside down, which the map refuses.
        let both_included = matches!((from, to), (Bound::Included(_), Bound::Included(_)));
        if low > high || (low == high && !both_included) {
            return None;
        }
        self.first(partition, from, to, order)
    }

    fn first(&self, partition: &str, from: &Bound<String>, to: &Bound<String>, order: Order) -> Option<Item> {
        let mut range = self.partitions.get(partition)?.range::<String, _>((from.as_ref(), to.as_ref()));
        let next = match order {
            Order::Ascending => range.next(),
            Order::Descending => range.next_back(),
        };
        next.map(|(_, item)| item.clone())
    }

    fn remove(&mut self, key: &Key) {
        if let Some(partition) = self.partitions.get_mut(&key.partition) {
            partition.remove(&key.sort);
        }
    }

    /// Writes all or nothing; each item costs its units so many times.
    fn write(&mut self, writes: &[Write], times: u64) -> Result<(), TableError> {
        let mut units = 0;
        let mut causes = Vec::with_capacity(writes.len());
        for write in writes {
            let found = self.get(write.key());
            let before = found.map_or(0, Item::size);
            let after = if let Write::Put(item, _) = write { item.size() } else { 0 };
            units += times * units::write_units(before.max(after));
            let holds = write.condition().holds(found);
            causes.push((!holds).then(|| Cause::Condition { found: found.cloned().map(Box::new) }));
        }
        // A write whose condition does not hold is paid for all the same.
        self.usage += Usage::of_write(units);
        if causes.iter().any(Option::is_some) {
            return Err(TableError::Cancelled { causes });
        }
        for write in writes {
            match write {
                Write::Put(item, _) => {
                    let partition = self.partitions.entry(item.key.partition.clone()).or_default();
                    partition.insert(item.key.sort.clone(), item.clone());
                }
                Write::Delete(key, _) => self.remove(key),
                Write::Check(..) => {}
            }
        }
        Ok(())
    }
}

/// What DynamoDB answers with a validation error: a defect of whoever asks.
fn invalid(why: &str) -> TableError {
    TableError::Unavailable { why: format!("the table refuses {why}") }
}

fn check_sizes(writes: &[Write]) -> Result<(), TableError> {
    let mut total = 0;
    for write in writes {
        let size = if let Write::Put(item, _) = write { item.size() } else { 0 };
        let Key { partition, sort } = write.key();
        if size > LARGEST_ITEM || partition.is_empty() || partition.len() > 2048 || sort.len() > 1024 {
            return Err(invalid(&format!("the item `{}` of {size} bytes", write.key())));
        }
        total += size;
    }
    if total > MOST_BYTES { Err(invalid(&format!("a transaction of {total} bytes"))) } else { Ok(()) }
}

#[async_trait]
impl Table for MemoryTable {
    async fn get(&self, keys: &[Key]) -> Result<Got, TableError> {
        self.before(Call::Get(keys)).await?;
        let answer = self.get_each(keys).await;
        self.after(Call::Get(keys), answer).await
    }

    async fn query(&self, query: &Query) -> Result<Queried, TableError> {
        self.before(Call::Query(query)).await?;
        let answer = self.query_each(query).await;
        self.after(Call::Query(query), answer).await
    }

    async fn write(&self, write: &Write) -> Result<(), TableError> {
        self.before(Call::Write(write)).await?;
        let writes = std::slice::from_ref(write);
        let answer = if matches!(write, Write::Check(..)) {
            Err(invalid("a condition alone"))
        } else {
            check_sizes(writes).and_then(|()| self.inner().write(writes, 1))
        };
        self.after(Call::Write(write), answer).await
    }

    async fn remove(&self, keys: &[Key]) -> Result<Vec<Key>, TableError> {
        self.before(Call::Remove(keys)).await?;
        let answer = self.remove_each(keys);
        self.after(Call::Remove(keys), answer).await
    }

    async fn transact(&self, token: &str, writes: &[Write]) -> Result<(), TableError> {
        self.before(Call::Transact(writes)).await?;
        let different: HashSet<_> = writes.iter().map(Write::key).collect();
        let well_made = (1..=MOST_WRITES).contains(&writes.len())
            && different.len() == writes.len()
            && (1..=36).contains(&token.len());
        let answer = if well_made {
            check_sizes(writes).and_then(|()| self.inner().write(writes, 2))
        } else {
            Err(invalid(&format!("a transaction of {} writes under the token `{token}`", writes.len())))
        };
        self.after(Call::Transact(writes), answer).await
    }
}
