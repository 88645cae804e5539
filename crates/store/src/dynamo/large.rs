//! Where bodies are kept that are too large for the table. Invariant: a name is put once and never changed, and says
//! which row and which commit it is of, so that what no row names any more can be found and removed. Whether a row
//! names it is not known here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use branchline_model::Key;

/// What all names begin with.
pub const LARGE_BODIES: &str = "rows/";

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

    /// The bytes under a name, as soon as it was put; `None` where nothing is.
    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, BodiesUnavailable>;

    /// Removes a name; one that is not there, too.
    async fn delete(&self, name: &str) -> Result<(), BodiesUnavailable>;
}

/// The name for the body of a row that a commit writes. Every byte of the key that is not a letter, a digit, `.`, `-`
/// or `_` is written `%` and two hexadecimal digits, so that the slashes divide: `rows/<partition>/<sort>/<commit>`.
#[must_use]
pub fn name_of(key: &Key, commit: &str) -> String {
    format!("{LARGE_BODIES}{}/{}/{commit}", escaped(&key.partition), escaped(&key.sort))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02x}"));
        }
    }
    escaped
}

/// The row and the commit that a name is of; `None` where it is no such name.
#[must_use]
pub fn named(name: &str) -> Option<(Key, &str)> {
    let mut parts = name.strip_prefix(LARGE_BODIES)?.split('/');
    let (partition, sort, commit) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    Some((Key::new(unescaped(partition)?, unescaped(sort)?), commit))
}

fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_which_row_and_which_commit_it_is_of() {
        let key = Key::new("run/example.org%app/1", "définition\0");
        let name = name_of(&key, "01J");
        assert_eq!(name, "rows/run%2fexample.org%25app%2f1/d%c3%a9finition%00/01J");
        assert_eq!(named(&name), Some((key, "01J")));
    }

    #[test]
    fn other_names_are_of_no_row() {
        for name in ["logs/a/b/c", "rows/a/b", "rows/a/b/c/d", "rows/%/b/c", "rows/%ff/b/c"] {
            assert_eq!(named(name), None, "{name}");
        }
    }
}
