//! Where a repository is. Invariant: a [`Source`] that exists was understood: a local one was a git repository when
//! it was parsed, a remote one has a scheme we speak, and no secret of it is ever shown (`Display`, `Debug`, `name`).
//! Whether a remote one answers is not asked here.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::repository;
use crate::url::{self, Remote};

/// A user name and a password or token for `https://`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Credentials {
    /// From a user name and a password or token.
    #[must_use]
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    /// From a secret as the control file has it: `token`, or `user:token`. A token alone is sent under the user
    /// name that every large forge takes for tokens, `x-access-token`.
    #[must_use]
    pub fn from_secret(secret: &str) -> Self {
        let (user, password) = secret.trim().split_once(':').unwrap_or(("x-access-token", secret.trim()));
        Self::new(user, password)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// A repository's place: a local folder, or a URL.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Source {
    pub(crate) place: Place,
    pub(crate) credentials: Option<Credentials>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// `shown` is the work tree's folder, or the bare repository's; `git_dir` is that of a linked work tree where
    /// the path was one; `common_dir` holds refs and objects. All absolute, without links.
    Local {
        shown: PathBuf,
        git_dir: PathBuf,
        common_dir: PathBuf,
    },
    Remote(Remote),
}

/// Why a text names no repository that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// There is no such folder.
    #[error(
        "`{path}` does not exist: name a folder with a git repository, or a URL (https://, ssh://, file://)"
    )]
    DoesNotExist {
        /// The folder, absolute.
        path: String,
    },
    /// The folder is there, but not a git repository.
    #[error("`{path}` is not a git repository ({why}){hint}")]
    NotARepository {
        /// The folder, absolute.
        path: String,
        /// What git's own check found.
        why: String,
        /// What may have been meant: empty, or a sentence that begins with `: `.
        hint: String,
    },
    /// The folder cannot be looked at.
    #[error("`{path}` cannot be read ({why}): check its permissions")]
    Unreadable {
        /// The folder.
        path: String,
        /// What the system said.
        why: String,
    },
    /// The URL's scheme is none of ours.
    #[error(
        "`{url}`: git over `{scheme}` is not supported: use https://, http://, ssh://, file:// or a path"
    )]
    UnknownScheme {
        /// The URL, without secrets.
        url: String,
        /// Its scheme.
        scheme: String,
    },
    /// A password in a plain `http://` URL would cross the network in the clear.
    #[error("`{url}`: credentials are not sent over plain http: use https://")]
    PlainCredentials {
        /// The URL, without secrets.
        url: String,
    },
    /// The text is no URL, or one with parts that make no sense.
    #[error("`{url}` is not a repository's URL: {why}")]
    Malformed {
        /// The text, without secrets.
        url: String,
        /// What is wrong.
        why: String,
    },
}

impl Source {
    /// Understands a local path (of a work tree or a bare repository; made absolute, links resolved), `file://`,
    /// `http://`, `https://`, `ssh://`, or the short form `user@host:path` of ssh.
    ///
    /// # Errors
    /// See [`SourceError`]. A local path is opened to see that it is a repository.
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        if text.trim().is_empty() {
            return Err(SourceError::Malformed { url: text.to_owned(), why: "it is empty".to_owned() });
        }
        if let Some(path) = url::path_of_file_url(text)? {
            return Self::local(&path);
        }
        match url::parse(text)? {
            Some((remote, credentials)) => Ok(Self { place: Place::Remote(remote), credentials }),
            None => Self::local(Path::new(text)),
        }
    }

    /// A repository on this machine, by its folder.
    ///
    /// # Errors
    /// The folder does not exist, cannot be read, or holds no repository.
    pub fn local(path: &Path) -> Result<Self, SourceError> {
        let shown = path.display().to_string();
        let absolute = match path.canonicalize() {
            Ok(absolute) => absolute,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let path = std::path::absolute(path).map_or(shown, |path| path.display().to_string());
                return Err(SourceError::DoesNotExist { path });
            }
            Err(error) => return Err(SourceError::Unreadable { path: shown, why: error.to_string() }),
        };
        let opened = repository::open(&absolute).map_err(|error| SourceError::NotARepository {
            path: absolute.display().to_string(),
            why: repository::why(&error),
            hint: hint_for(&absolute),
        })?;
        let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let git_dir = canonical(opened.git_dir());
        let shown = opened.workdir().map_or_else(|| git_dir.clone(), canonical);
        Ok(Self {
            place: Place::Local { shown, git_dir, common_dir: canonical(opened.common_dir()) },
            credentials: None,
        })
    }

    /// The same repository, asked with these credentials instead of those in its URL.
    ///
    /// # Errors
    /// The URL is plain `http://`. A local or ssh source takes none either.
    pub fn with_credentials(mut self, credentials: Credentials) -> Result<Self, SourceError> {
        match &self.place {
            Place::Remote(remote) if remote.scheme == url::Scheme::Https => {
                self.credentials = Some(credentials);
                Ok(self)
            }
            Place::Remote(remote) if remote.scheme == url::Scheme::Http => {
                Err(SourceError::PlainCredentials { url: remote.to_string() })
            }
            _ => Err(SourceError::Malformed {
                url: self.to_string(),
                why: "a user name and password are of use over https:// only".to_owned(),
            }),
        }
    }

    /// The repository's name: its URL without scheme, user and `.git` (`github.com/acme/app`); of a local one its
    /// absolute path.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.place {
            Place::Local { shown, .. } => shown.display().to_string(),
            Place::Remote(remote) => remote.name(),
        }
    }

    /// Whether the repository is on this machine and read without a transport.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.place, Place::Local { .. })
    }

    /// A local repository's git folder (of a linked work tree: its own, with its own `HEAD`); `None` for a remote.
    #[must_use]
    pub fn git_dir(&self) -> Option<&Path> {
        match &self.place {
            Place::Local { git_dir, .. } => Some(git_dir),
            Place::Remote(_) => None,
        }
    }

    /// A local repository's folder that refs and objects are in; `None` for a remote.
    pub(crate) fn common_dir(&self) -> Option<&Path> {
        match &self.place {
            Place::Local { common_dir, .. } => Some(common_dir),
            Place::Remote(_) => None,
        }
    }
}

/// What may have been meant by a path that is no repository.
fn hint_for(path: &Path) -> String {
    let top = path.ancestors().skip(1).find(|folder| folder.join(".git").exists());
    match top {
        Some(top) => format!(": did you mean `{}`?", top.display()),
        None if path.is_dir() => ": run `git init` in it first".to_owned(),
        None => ": name its folder".to_owned(),
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Local { shown, .. } => shown.display().fmt(f),
            Place::Remote(remote) => remote.fmt(f),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({self})")
    }
}
