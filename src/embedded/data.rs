//! The data folder. Invariant: it is private to its owner, lies in no watched repository, and holds all that must
//! outlive the process.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// No place for it is known.
    #[error("no data folder: neither $XDG_STATE_HOME nor $HOME is set; say --data DIR")]
    NoPlace,
    /// It lies where commits are made.
    #[error("the data folder `{}` lies inside the watched repository `{}`; say --data DIR with a folder elsewhere", data.display(), repository.display())]
    InsideRepository {
        /// The data folder.
        data: PathBuf,
        /// The repository.
        repository: PathBuf,
    },
    /// A file in it cannot be read or written.
    #[error("cannot {what} `{}`: {error}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// The data folder, and where things are in it.
#[derive(Clone, Debug)]
pub struct Data {
    folder: PathBuf,
}

impl Data {
    /// The folder that is used where none is named.
    pub fn default_folder() -> Result<PathBuf, DataError> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        set("XDG_STATE_HOME")
            .or_else(|| set("HOME").map(|home| home.join(".local/state")))
            .map(|state| state.join("branchline"))
            .ok_or(DataError::NoPlace)
    }

    /// Names the folder, without making it.
    pub fn at(folder: Option<&Path>) -> Result<Self, DataError> {
        let folder = match folder {
            Some(folder) => folder.to_owned(),
            None => Self::default_folder()?,
        };
        let folder = std::path::absolute(&folder).map_err(|error| DataError::Io {
            what: "find",
            path: folder.clone(),
            error,
        })?;
        Ok(Self { folder })
    }

    /// Makes the folder, for its owner alone.
    pub fn make(&self) -> Result<(), DataError> {
        let io = |what| move |path: &Path, error| DataError::Io { what, path: path.to_owned(), error };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)
            .map_err(|error| io("make")(&self.folder, error))?;
        fs::set_permissions(&self.folder, fs::Permissions::from_mode(0o700))
            .map_err(|error| io("protect")(&self.folder, error))
    }

    /// Refuses a folder inside a watched repository: what is written there would be noticed, built, cleaned.
    pub fn refuse_inside(&self, repository: &Path) -> Result<(), DataError> {
        let real = |path: &Path| {
            path.ancestors().find_map(|part| {
                let rest = path.strip_prefix(part).ok()?;
                Some(part.canonicalize().ok()?.join(rest))
            })
        };
        match (real(&self.folder), real(repository)) {
            (Some(data), Some(repository)) if data.starts_with(&repository) => {
                Err(DataError::InsideRepository { data, repository })
            }
            _ => Ok(()),
        }
    }

    /// The folder itself.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.join("branchline.db")
    }

    /// The logs.
    #[must_use]
    pub fn artifacts(&self) -> PathBuf {
        self.folder.join("artifacts")
    }

    /// The attempt directories.
    #[must_use]
    pub fn attempts(&self) -> PathBuf {
        self.folder.join("attempts")
    }

    /// The caches of repositories on other machines.
    #[must_use]
    pub fn git(&self) -> PathBuf {
        self.folder.join("git")
    }

    /// The file that holds the access token.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.folder.join("token")
    }

    /// The file that holds the address of the controller that uses this folder.
    #[must_use]
    pub fn address_file(&self) -> PathBuf {
        self.folder.join("address")
    }

    /// The access token, made at the first call; and whether it was made now.
    pub fn token(&self) -> Result<(String, bool), DataError> {
        let path = self.token_file();
        match fs::read_to_string(&path) {
            Ok(token) if is_token(token.trim()) => return Ok((token.trim().to_owned(), false)),
            // An empty or torn file is what a crash between making and writing leaves.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(DataError::Io { what: "read", path, error }),
        }
        let mut random = [0u8; 32];
        let urandom = Path::new("/dev/urandom");
        fs::File::open(urandom)
            .and_then(|mut file| io::Read::read_exact(&mut file, &mut random))
            .map_err(|error| DataError::Io { what: "read", path: urandom.to_owned(), error })?;
        let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        self.write_private(&path, &token)?;
        Ok((token, true))
    }

    /// Says where the controller is, for the commands that ask it.
    pub fn write_address(&self, url: &str) -> Result<(), DataError> {
        self.write_private(&self.address_file(), url)
    }

    /// Where the controller that uses this folder is, or was.
    pub fn address(&self) -> Result<Option<String>, DataError> {
        let path = self.address_file();
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DataError::Io { what: "read", path, error }),
        }
    }

    /// Takes the address away again.
    pub fn remove_address(&self) {
        drop(fs::remove_file(self.address_file()));
    }

    /// Writes a file that only its owner may read: whole, or not at all.
    fn write_private(&self, path: &Path, text: &str) -> Result<(), DataError> {
        let io = |error| DataError::Io { what: "write", path: path.to_owned(), error };
        let temporary = path.with_extension("new");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(io)?;
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(io)?;
        writeln!(file, "{text}").and_then(|()| file.sync_all()).map_err(io)?;
        fs::rename(&temporary, path).map_err(io)
    }
}

fn is_token(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> (tempfile::TempDir, Data) {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::at(Some(&folder.path().join("data"))).unwrap();
        data.make().unwrap();
        (folder, data)
    }

    #[test]
    fn the_token_is_made_once_and_only_its_owner_may_read_it() {
        let (_folder, data) = data();
        let (token, made) = data.token().unwrap();
        assert!(made && is_token(&token));
        assert_eq!(data.token().unwrap(), (token, false));
        let mode = fs::metadata(data.token_file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mode = fs::metadata(data.folder()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_torn_token_is_made_anew() {
        let (_folder, data) = data();
        fs::write(data.token_file(), "abc").unwrap();
        assert!(data.token().unwrap().1);
    }

    #[test]
    fn a_data_folder_inside_a_watched_repository_is_refused() {
        let (folder, data) = data();
        assert!(matches!(data.refuse_inside(folder.path()), Err(DataError::InsideRepository { .. })));
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(data.refuse_inside(elsewhere.path()).is_ok());
        let not_made = Data::at(Some(&folder.path().join("x/y/z"))).unwrap();
        assert!(not_made.refuse_inside(folder.path()).is_err());
    }
}
