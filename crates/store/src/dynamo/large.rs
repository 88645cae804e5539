//! Where bodies are kept that are too large for the table. Invariant: a name is put once and never changed. Which row names it,
//! and what becomes of those that none names, is known to `tidy`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use branchline_model::{Content, ObjectKey};
use branchline_ports::{ObjectError, Objects};

/// What all names begin with.
const LARGE_BODIES: &str = "rows/";

/// No body is larger, compressed: who says that one is, is not believed.
const LARGEST: u64 = 64 << 20;

/// The keeper gave no answer; the same may work later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodiesUnavailable {
    /// What failed, and where.
    pub why: String,
}

impl fmt::Display for BodiesUnavailable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.why)
    }
}

impl std::error::Error for BodiesUnavailable {}

/// A keeper of large bodies.
#[async_trait]
pub trait LargeBodies: Send + Sync {
    /// Keeps these bytes under a name. A name is only ever put with the same bytes, so twice is once.
    async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), BodiesUnavailable>;

    /// The bytes under a name, as soon as it was put; `None` where nothing is, or not what was put.
    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, BodiesUnavailable>;

    /// Removes a name; one that is not there, too.
    async fn delete(&self, name: &str) -> Result<(), BodiesUnavailable>;
}

/// The name of a body: the commit that writes its row, and the row's number in it. It is a key that an object may have.
pub(super) fn name_of(commit: &str, number: usize) -> String {
    format!("{LARGE_BODIES}{commit}/{number}")
}

/// Large bodies as objects: a bucket's, or a folder's.
pub struct ObjectBodies {
    objects: Arc<dyn Objects>,
}

impl ObjectBodies {
    /// Keeps bodies with these objects, under keys that begin with `rows/`.
    #[must_use]
    pub fn new(objects: Arc<dyn Objects>) -> Self {
        Self { objects }
    }
}

fn key(name: &str) -> Result<ObjectKey, BodiesUnavailable> {
    name.parse().map_err(|error: branchline_model::IdError| BodiesUnavailable { why: error.to_string() })
}

fn unavailable(error: &ObjectError) -> BodiesUnavailable {
    BodiesUnavailable { why: error.to_string() }
}

#[async_trait]
impl LargeBodies for ObjectBodies {
    async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), BodiesUnavailable> {
        let put = self.objects.put_object(&key(name)?, &Content::of(bytes), &mut Some(bytes.to_vec())).await;
        match put {
            // Put before, by a call whose answer was lost.
            Ok(()) | Err(ObjectError::AlreadyThere { .. }) => Ok(()),
            Err(error) => Err(unavailable(&error)),
        }
    }

    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, BodiesUnavailable> {
        let key = key(name)?;
        let mut bytes = Vec::new();
        loop {
            let most = usize::try_from(LARGEST).unwrap_or(usize::MAX);
            match self.objects.get_object(&key, bytes.len() as u64, most).await {
                Ok(part) if part.length > LARGEST => return Ok(None),
                Ok(part) => {
                    let is_over = part.bytes.is_empty();
                    bytes.extend(part.bytes);
                    if is_over || bytes.len() as u64 >= part.length {
                        return Ok(Some(bytes));
                    }
                }
                Err(ObjectError::NotFound { .. } | ObjectError::Different { .. }) => return Ok(None),
                Err(error) => return Err(unavailable(&error)),
            }
        }
    }

    async fn delete(&self, name: &str) -> Result<(), BodiesUnavailable> {
        self.objects.delete_object(&key(name)?).await.map_err(|error| unavailable(&error))
    }
}

/// Large bodies in memory: for tests and the simulator.
#[derive(Debug, Default)]
pub struct MemoryBodies {
    bodies: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl MemoryBodies {
    /// All names.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.bodies().keys().cloned().collect()
    }

    fn bodies(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl LargeBodies for MemoryBodies {
    async fn put(&self, name: &str, bytes: &[u8]) -> Result<(), BodiesUnavailable> {
        self.bodies().insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, BodiesUnavailable> {
        Ok(self.bodies().get(name).cloned())
    }

    async fn delete(&self, name: &str) -> Result<(), BodiesUnavailable> {
        self.bodies().remove(name);
        Ok(())
    }
}
