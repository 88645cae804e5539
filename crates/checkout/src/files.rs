//! The files of one folder at a commit, straight from the tree. Invariant: only regular files are read, of bounded
//! number and size; a link or a submodule is reported and never followed. What the files say is not our business.

use branchline_model::CommitId;
use gix::bstr::ByteSlice;
use gix::objs::Kind;
use gix::objs::tree::EntryKind;

use crate::error::whole_story;

/// The largest file that is read, in bytes.
pub const LARGEST_FILE: u64 = 1024 * 1024;
/// How many files of a folder are read.
pub const MOST_FILES: usize = 256;
/// So much is read of a commit's message, in bytes.
pub const LONGEST_MESSAGE: usize = 16 * 1024;

/// What people call a commit by. Text that is not UTF-8 has its bad bytes replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitInfo {
    /// The first line of its message.
    pub subject: String,
    /// Its message, whole; of one that is longer than [`LONGEST_MESSAGE`] the beginning.
    pub message: String,
    /// Its author's name.
    pub author_name: String,
    /// Its author's address.
    pub author_email: String,
    /// When it was committed, in seconds since 1970-01-01T00:00:00Z.
    pub committed_at: i64,
}

/// The files that were found in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderFiles {
    /// In the tree's order, at most [`MOST_FILES`].
    pub files: Vec<FoundFile>,
    /// How many more there are, unread.
    pub left_out: usize,
}

/// A file, or why it is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// Its path from the repository's root, bytes that are not UTF-8 replaced.
    pub path: String,
    /// Its bytes, or why they cannot be had.
    pub content: Result<Vec<u8>, FileProblem>,
}

/// Why a file is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileProblem {
    /// It is a symbolic link.
    #[error("it is a symbolic link, and links are not followed: put the file itself here")]
    Link,
    /// It is a submodule.
    #[error("it is a submodule, and submodules are not looked into: put the file itself here")]
    Submodule,
    /// It is a folder.
    #[error("it is a folder, a file is expected: rename it")]
    Folder,
    /// It stands where the folder is expected.
    #[error("it is a file, a folder is expected: move the file into a folder of this name")]
    NotAFolder,
    /// It is too large.
    #[error("it has {size} bytes, more than the {LARGEST_FILE} that are read: split it")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
    },
}

/// Why a repository's objects did not suffice.
#[derive(Debug)]
pub(crate) enum Lack {
    /// The commit, or a tree of it, is not there.
    Commit,
    /// The id is not a commit's.
    NotACommit,
    /// These objects are not there.
    Blobs(Vec<gix::ObjectId>),
    /// Something there cannot be read.
    Damaged(String),
}

pub(crate) fn damaged(error: &gix::Error) -> Lack {
    Lack::Damaged(whole_story(error))
}

/// What is to be read of a commit.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    /// From the root, `/` between parts; empty for the root itself.
    pub(crate) path: String,
    pub(crate) endings: Vec<String>,
}

/// A file's place in the tree and the blob it is, or why it is none.
type Listed = (String, Result<gix::ObjectId, FileProblem>);

pub(crate) fn find<'repo>(
    repository: &'repo gix::Repository,
    id: gix::ObjectId,
    kind: Kind,
) -> Result<gix::Object<'repo>, Lack> {
    let object = repository.try_find_object(id).map_err(|error| damaged(&error))?.ok_or(Lack::Commit)?;
    if object.kind == kind { Ok(object) } else { Err(Lack::NotACommit) }
}

/// A commit's tree.
pub(crate) fn tree_of(repository: &gix::Repository, commit: gix::ObjectId) -> Result<gix::ObjectId, Lack> {
    let commit = find(repository, commit, Kind::Commit)?.into_commit();
    commit.tree_id().map(gix::Id::detach).map_err(|error| Lack::Damaged(error.to_string()))
}

/// Reads a commit's head.
pub(crate) fn info(repository: &gix::Repository, commit: gix::ObjectId) -> Result<CommitInfo, Lack> {
    let object = find(repository, commit, Kind::Commit)?;
    let commit = gix::objs::CommitRef::from_bytes(&object.data, gix::hash::Kind::Sha1)
        .map_err(|error| Lack::Damaged(error.to_string()))?;
    let author = commit.author().map_err(|error| Lack::Damaged(error.to_string()))?;
    let committer = commit.committer().map_err(|error| Lack::Damaged(error.to_string()))?;
    let subject = commit.message.trim_start().lines().next().unwrap_or_default();
    Ok(CommitInfo {
        subject: subject.trim_end().to_str_lossy().into_owned(),
        message: beginning(&commit.message.trim().to_str_lossy(), LONGEST_MESSAGE).to_owned(),
        author_name: author.name.trim().to_str_lossy().into_owned(),
        author_email: author.email.trim().to_str_lossy().into_owned(),
        committed_at: committer.seconds(),
    })
}

/// As much of the text as fits into so many bytes.
fn beginning(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

/// What stands where a folder is expected.
enum Place {
    Nothing,
    Tree(gix::ObjectId),
    /// Something else, at this path.
    Other(String, FileProblem),
}

/// Goes down to the folder.
fn folder_tree(repository: &gix::Repository, commit: gix::ObjectId, folder: &Folder) -> Result<Place, Lack> {
    let mut tree = tree_of(repository, commit)?;
    let mut path = String::new();
    for part in folder.path.split('/').filter(|part| !part.is_empty()) {
        path.push_str(part);
        let object = find(repository, tree, Kind::Tree)?.into_tree();
        let entry = object.iter().find_map(|entry| match entry {
            Ok(entry) if entry.filename() == part => Some(Ok((entry.kind(), entry.object_id()))),
            Ok(_) => None,
            Err(error) => Some(Err(Lack::Damaged(error.to_string()))),
        });
        match entry.transpose()? {
            None => return Ok(Place::Nothing),
            Some((EntryKind::Tree, id)) => tree = id,
            Some((EntryKind::Link, _)) => return Ok(Place::Other(path, FileProblem::Link)),
            Some((EntryKind::Commit, _)) => return Ok(Place::Other(path, FileProblem::Submodule)),
            Some((EntryKind::Blob | EntryKind::BlobExecutable, _)) => {
                return Ok(Place::Other(path, FileProblem::NotAFolder));
            }
        }
        path.push('/');
    }
    Ok(Place::Tree(tree))
}

fn list(
    repository: &gix::Repository,
    commit: gix::ObjectId,
    folder: &Folder,
) -> Result<(Vec<Listed>, usize), Lack> {
    let tree = match folder_tree(repository, commit, folder)? {
        Place::Nothing => return Ok((Vec::new(), 0)),
        Place::Other(path, problem) => return Ok((vec![(path, Err(problem))], 0)),
        Place::Tree(tree) => find(repository, tree, Kind::Tree)?.into_tree(),
    };
    let prefix = match folder.path.trim_matches('/') {
        "" => String::new(),
        path => format!("{path}/"),
    };
    let (mut listed, mut left_out) = (Vec::new(), 0);
    for entry in tree.iter() {
        let entry = entry.map_err(|error| Lack::Damaged(error.to_string()))?;
        let name = entry.filename();
        if !folder.endings.iter().any(|ending| name.ends_with(ending.as_bytes())) {
            continue;
        }
        if listed.len() == MOST_FILES {
            left_out += 1;
            continue;
        }
        let what = match entry.kind() {
            EntryKind::Blob | EntryKind::BlobExecutable => Ok(entry.object_id()),
            EntryKind::Link => Err(FileProblem::Link),
            EntryKind::Commit => Err(FileProblem::Submodule),
            EntryKind::Tree => Err(FileProblem::Folder),
        };
        listed.push((format!("{prefix}{}", name.to_str_lossy()), what));
    }
    Ok((listed, left_out))
}

/// The blobs that reading the folder takes and that are not there.
pub(crate) fn missing_blobs(
    repository: &gix::Repository,
    commit: gix::ObjectId,
    folder: &Folder,
) -> Result<Vec<gix::ObjectId>, Lack> {
    let (listed, _) = list(repository, commit, folder)?;
    let mut missing: Vec<_> = listed.into_iter().filter_map(|(_, what)| what.ok()).collect();
    missing.sort_unstable();
    missing.dedup();
    missing.retain(|id| !repository.has_object(id));
    Ok(missing)
}

/// Reads the folder's files.
pub(crate) fn read(
    repository: &gix::Repository,
    commit: gix::ObjectId,
    folder: &Folder,
) -> Result<FolderFiles, Lack> {
    let missing = missing_blobs(repository, commit, folder)?;
    if !missing.is_empty() {
        return Err(Lack::Blobs(missing));
    }
    let (listed, left_out) = list(repository, commit, folder)?;
    let mut files = Vec::with_capacity(listed.len());
    for (path, what) in listed {
        let content = match what {
            Err(problem) => Err(problem),
            Ok(id) => {
                let size = repository.find_header(id).map_err(|error| damaged(&error))?.size();
                if size > LARGEST_FILE {
                    Err(FileProblem::TooLarge { size })
                } else {
                    Ok(find(repository, id, Kind::Blob)?.detach().data)
                }
            }
        };
        files.push(FoundFile { path, content });
    }
    Ok(FolderFiles { files, left_out })
}

impl Lack {
    /// What it means where nothing can be fetched any more.
    pub(crate) fn into_error(self, repository: String, commit: &CommitId) -> crate::CheckoutError {
        match self {
            Self::Commit | Self::NotACommit => {
                crate::CheckoutError::NoSuchCommit { repository, commit: commit.clone() }
            }
            Self::Blobs(ids) => {
                let first = ids.first().map(ToString::to_string).unwrap_or_default();
                let why =
                    format!("{} objects of commit {commit} are missing, the first is {first}", ids.len());
                crate::CheckoutError::Corrupt { repository, why }
            }
            Self::Damaged(why) => crate::CheckoutError::Corrupt { repository, why },
        }
    }
}
