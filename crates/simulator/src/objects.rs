//! Objects in memory, kept to the port's promise to the letter, with faults: those of the place of logs, which they share.
//! Invariant: an object is there whole or not at all, and is never written twice.

use std::collections::BTreeMap;

use async_trait::async_trait;
use branchline_model::{Content, ObjectKey};
use branchline_ports::{ListedObject, ObjectError, ObjectPart, Objects, Pieces};

use crate::fault::Fault;
use crate::logs::WorstLogs;
use crate::turn::{self, Call};

/// Every object.
pub(crate) type All = BTreeMap<ObjectKey, Vec<u8>>;

impl WorstLogs {
    async fn call_object<T>(
        &self,
        what: &'static str,
        key: &ObjectKey,
        answer: impl FnOnce(&mut All) -> Result<T, ObjectError>,
    ) -> Result<T, ObjectError> {
        let world = &self.world;
        let call = Call { what: world.words(|| format!("{what} {key}")), ..Call::default() };
        let away = || ObjectError::Unavailable { key: key.to_string(), why: "slow down".to_owned() };
        turn::before(world, &call).await;
        if world.strikes(Fault::LogsUnavailable, Some(&call)) {
            return Err(away());
        }
        let answer = answer(&mut world.state().objects);
        turn::after(world, &call).await;
        if world.strikes(Fault::LogsAnswerLost, Some(&call)) {
            return Err(away());
        }
        answer
    }
}

fn found<'a>(all: &'a All, key: &ObjectKey) -> Result<&'a Vec<u8>, ObjectError> {
    all.get(key).ok_or_else(|| ObjectError::NotFound { key: key.to_string() })
}

fn holds(bytes: &[u8], key: &ObjectKey, content: &Content) -> Result<(), ObjectError> {
    if Content::of(bytes) == *content {
        return Ok(());
    }
    Err(ObjectError::Different { key: key.to_string(), why: "it holds something else".to_owned() })
}

#[async_trait]
impl Objects for WorstLogs {
    async fn put_object(
        &self,
        key: &ObjectKey,
        content: &Content,
        pieces: &mut dyn Pieces,
    ) -> Result<(), ObjectError> {
        let mut bytes = Vec::new();
        let broken =
            |error: std::io::Error| ObjectError::Unavailable { key: key.to_string(), why: error.to_string() };
        while let Some(piece) = pieces.next().await.map_err(broken)? {
            bytes.extend_from_slice(&piece);
            // Others act while an upload is under way.
            turn::breathe(&self.world).await;
        }
        self.call_object("put", key, |all| {
            holds(&bytes, key, content)?;
            if all.contains_key(key) {
                return Err(ObjectError::AlreadyThere { key: key.to_string() });
            }
            all.insert(key.clone(), bytes);
            Ok(())
        })
        .await
    }

    async fn check_object(&self, key: &ObjectKey, content: &Content) -> Result<(), ObjectError> {
        self.call_object("check", key, |all| holds(found(all, key)?, key, content)).await
    }

    async fn get_object(&self, key: &ObjectKey, offset: u64, most: usize) -> Result<ObjectPart, ObjectError> {
        self.call_object("get", key, |all| {
            let bytes = found(all, key)?;
            let from = usize::try_from(offset).unwrap_or(usize::MAX);
            let part = bytes.get(from..).unwrap_or_default();
            let part = part.get(..most.min(part.len())).unwrap_or_default();
            Ok(ObjectPart { bytes: part.to_vec(), length: bytes.len() as u64 })
        })
        .await
    }

    async fn delete_object(&self, key: &ObjectKey) -> Result<(), ObjectError> {
        self.call_object("remove", key, |all| {
            all.remove(key);
            Ok(())
        })
        .await
    }

    async fn list_objects(
        &self,
        prefix: &str,
        after: Option<&ObjectKey>,
        most: usize,
    ) -> Result<Vec<ListedObject>, ObjectError> {
        let state = self.world.state();
        let listed = state
            .objects
            .iter()
            .filter(|(key, _)| key.as_str().starts_with(prefix) && after.is_none_or(|after| *key > after));
        Ok(listed
            .take(most)
            .map(|(key, bytes)| ListedObject { key: key.clone(), bytes: bytes.len() as u64 })
            .collect())
    }
}
