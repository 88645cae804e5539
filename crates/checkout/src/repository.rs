//! Opening a repository that is on this disk. Invariant: nothing but the repository's own configuration counts
//! (no user's or system's, no environment), so the same bytes mean the same everywhere, and no program is started.

use std::path::Path;

use branchline_model::CommitId;

use crate::error::{self, CheckoutError};
use crate::source::Source;

/// Opens exactly this folder: a work tree, a linked work tree, or a bare repository.
pub(crate) fn open(path: &Path) -> gix::Result<gix::Repository> {
    gix::open_opts(path, gix::open::Options::isolated())
}

/// The last and most exact thing an error says.
pub(crate) fn why(error: &gix::Error) -> String {
    error.probable_cause().to_string()
}

/// Opens a local source.
pub(crate) fn open_local(source: &Source, git_dir: &Path) -> Result<gix::Repository, CheckoutError> {
    open(git_dir).map_err(|error| match git_dir.exists() {
        false => CheckoutError::NotFound {
            repository: source.to_string(),
            why: format!("`{}` is gone", git_dir.display()),
        },
        true if error.is_unsupported() => {
            CheckoutError::Unsupported { repository: source.to_string(), why: error::whole_story(&error) }
        }
        true => {
            CheckoutError::NotARepository { repository: source.to_string(), why: error::whole_story(&error) }
        }
    })
}

/// gix's form of a commit's id.
pub(crate) fn object_id(source: &Source, commit: &CommitId) -> Result<gix::ObjectId, CheckoutError> {
    gix::ObjectId::from_hex(commit.as_str().as_bytes()).map_err(|_| CheckoutError::Unsupported {
        repository: source.to_string(),
        why: format!("{commit} is not a SHA-1 id, and repositories with SHA-256 are not supported yet"),
    })
}

/// Our form of gix's id.
pub(crate) fn commit_id(id: &gix::oid) -> Option<CommitId> {
    CommitId::try_from(id.to_hex().to_string()).ok()
}
