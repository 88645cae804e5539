//! Which files differ between two commits, and the ids of files at a commit: by comparing trees, so no file is read or
//! fetched. Invariant: the answer is bounded; where it would be longer, or there is nothing to compare with, it says that
//! everything counts as changed, and why.

use std::collections::BTreeSet;

use branchline_model::{Against, Changed, CommitId, ObjectIds, RefName};
use gix::bstr::{BString, ByteSlice};
use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use crate::cache::Cache;
use crate::error::CheckoutError;
use crate::files::{self, Lack, find};
use crate::repository;
use crate::source::Source;

/// So many changed files are told apart; of more than these, everything counts as changed.
pub const MOST_CHANGES: usize = 20_000;

impl Cache {
    /// The files that differ between a commit and what it is compared with: made, removed, or given another content or
    /// mode. What only one side has is fetched without any file's content.
    ///
    /// # Errors
    /// The commit is not there, or the repository cannot be read.
    pub fn changed_at(
        &self,
        source: &Source,
        commit: &CommitId,
        against: &Against,
        ref_name: Option<&RefName>,
    ) -> Result<Changed, CheckoutError> {
        let (tree, parent) = self.read(source, commit, ref_name, None, |repository, id| {
            Ok((files::tree_of(repository, id)?, first_parent(repository, id)?))
        })?;
        let before = match (against, parent) {
            (Against::Commit(before), _) => before.clone(),
            (Against::FirstParent, Some(parent)) => parent,
            (Against::FirstParent, None) => {
                return Ok(Changed::Everything { why: format!("{} is a first commit", commit.short()) });
            }
        };
        let compared = self.read(source, &before, ref_name, None, |repository, id| {
            let old = files::tree_of(repository, id)?;
            // The newer side was there a moment ago: where it is not now, the cache was lost in between.
            compare(repository, old, tree).map_err(|lack| match lack {
                Lack::Commit => Lack::Damaged(format!("a folder of {} is missing", commit.short())),
                lack => lack,
            })
        });
        match compared {
            Ok(Some(paths)) => Ok(Changed::Paths { paths }),
            Ok(None) => Ok(Changed::Everything {
                why: format!("more than {MOST_CHANGES} files differ from {}", before.short()),
            }),
            Err(CheckoutError::NoSuchCommit { .. }) => Ok(Changed::Everything {
                why: format!("{}, which it would be compared with, is not there any more", before.short()),
            }),
            Err(error) => Err(error),
        }
    }

    /// The ids of the files and folders at these paths of a commit.
    ///
    /// # Errors
    /// The commit is not there, or the repository cannot be read.
    pub fn objects_at(
        &self,
        source: &Source,
        commit: &CommitId,
        paths: &[String],
        ref_name: Option<&RefName>,
    ) -> Result<ObjectIds, CheckoutError> {
        self.read(source, commit, ref_name, None, |repository, id| {
            let tree = files::tree_of(repository, id)?;
            let at = |path: &String| Ok((path.clone(), object_at(repository, tree, path)?));
            paths.iter().map(at).collect()
        })
    }
}

/// The id that git gives a file with this content.
#[must_use]
pub fn file_id(content: &[u8]) -> Option<String> {
    gix::objs::compute_hash(gix::hash::Kind::Sha1, Kind::Blob, content).ok().map(|id| id.to_string())
}

fn first_parent(repository: &gix::Repository, commit: gix::ObjectId) -> Result<Option<CommitId>, Lack> {
    let commit = find(repository, commit, Kind::Commit)?.into_commit();
    Ok(commit.parent_ids().next().and_then(|id| repository::commit_id(&id)))
}

fn object_at(repository: &gix::Repository, root: gix::ObjectId, path: &str) -> Result<Option<String>, Lack> {
    let mut found = (EntryKind::Tree, root);
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if found.0 != EntryKind::Tree {
            return Ok(None);
        }
        let entries = entries(repository, Some(found.1))?;
        let Some(entry) = entries.into_iter().find(|entry| entry.name == part) else { return Ok(None) };
        found = (entry.kind, entry.id);
    }
    Ok(Some(found.1.to_string()))
}

/// One entry of a tree.
#[derive(Clone, PartialEq, Eq)]
struct Entry {
    name: BString,
    kind: EntryKind,
    id: gix::ObjectId,
}

/// A tree's entries by name, whatever they are; none of what is not there.
fn entries(repository: &gix::Repository, tree: Option<gix::ObjectId>) -> Result<Vec<Entry>, Lack> {
    let Some(tree) = tree else { return Ok(Vec::new()) };
    let tree = find(repository, tree, Kind::Tree)?.into_tree();
    let mut entries = Vec::new();
    for entry in tree.iter() {
        let entry = entry.map_err(|error| Lack::Damaged(error.to_string()))?;
        entries.push(Entry { name: entry.filename().to_owned(), kind: entry.kind(), id: entry.object_id() });
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

/// A folder that differs, with its tree on either side.
struct Pair {
    path: String,
    old: Option<gix::ObjectId>,
    new: Option<gix::ObjectId>,
}

/// The paths that differ; `None` where there are too many. Folders that are the same are not entered.
fn compare(
    repository: &gix::Repository,
    old: gix::ObjectId,
    new: gix::ObjectId,
) -> Result<Option<BTreeSet<String>>, Lack> {
    let mut paths = BTreeSet::new();
    let mut pairs = vec![Pair { path: String::new(), old: Some(old), new: Some(new) }];
    while let Some(pair) = pairs.pop() {
        if pair.old == pair.new {
            continue;
        }
        let (old, new) = (entries(repository, pair.old)?, entries(repository, pair.new)?);
        let names: BTreeSet<&BString> = old.iter().chain(&new).map(|entry| &entry.name).collect();
        for name in names {
            let of = |side: &'_ [Entry]| -> Option<Entry> {
                let at = side.binary_search_by(|entry| entry.name.cmp(name)).ok()?;
                side.get(at).cloned()
            };
            let (before, after) = (of(&old), of(&new));
            if before == after {
                continue;
            }
            let path = format!("{}{}", pair.path, name.to_str_lossy());
            let folder = |entry: &Option<Entry>| {
                entry.as_ref().filter(|entry| entry.kind == EntryKind::Tree).map(|entry| entry.id)
            };
            let is_file =
                |entry: &Option<Entry>| entry.as_ref().is_some_and(|one| one.kind != EntryKind::Tree);
            if is_file(&before) || is_file(&after) {
                paths.insert(path.clone());
            }
            let (old, new) = (folder(&before), folder(&after));
            if old.is_some() || new.is_some() {
                pairs.push(Pair { path: format!("{path}/"), old, new });
            }
        }
        if paths.len() > MOST_CHANGES || pairs.len() > MOST_CHANGES {
            return Ok(None);
        }
    }
    Ok(Some(paths))
}
