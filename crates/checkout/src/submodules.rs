//! The submodules of a work tree. Invariants: a submodule is written at the very commit that the tree names, in the
//! folder that the tree names; its address comes from `.gitmodules` of the same commit; a repository from elsewhere
//! never reaches into this machine (local addresses count only under a local source); nesting is bounded.
//!
//! Each gets its own `.git` folder inside, as git kept them before `.git/modules` and still reads them.

use std::io::Write;
use std::path::{Component, Path, PathBuf};

use branchline_model::CommitId;
use gix::bstr::{BString, ByteSlice};
use gix::index::entry::Mode;

use crate::cache::Cache;
use crate::error::CheckoutError;
use crate::repository;
use crate::source::{Place, Source};
use crate::worktree::{Watch, WorktreeRequest, Written, quoted};

/// How deep submodules may be nested.
const DEEPEST: usize = 8;

/// What `.gitmodules` says about one path.
struct Module {
    name: BString,
    url: String,
    skip: bool,
}

/// Writes all submodules of a work tree that has just been written.
pub(crate) fn write(
    cache: &Cache,
    request: &WorktreeRequest<'_>,
    repository: &gix::Repository,
    index: &gix::index::File,
    folder: &Path,
    level: usize,
    watch: &mut Watch<'_>,
) -> Result<Written, CheckoutError> {
    let mut written = Written::default();
    let mut config = None;
    for entry in index.entries().iter().filter(|entry| entry.mode == Mode::COMMIT) {
        let path = entry.path(index).to_path_lossy().into_owned();
        let failed = |why: String| CheckoutError::Submodule {
            repository: request.source.to_string(),
            path: path.display().to_string(),
            why,
        };
        if level >= DEEPEST {
            return Err(failed(format!("submodules are nested more than {DEEPEST} deep")));
        }
        let modules = match &config {
            Some(config) => config,
            None => config.insert(read_config(repository, index).map_err(failed)?),
        };
        let module = module(modules, entry.path(index)).map_err(failed)?;
        if module.skip {
            continue;
        }
        let commit = repository::commit_id(&entry.id).ok_or_else(|| failed("its id is none".to_owned()))?;
        let source = locate(request.source, &module, &commit).map_err(failed)?;
        (watch.progress)(format!("submodule {}: {source}", path.display()));
        let inner = WorktreeRequest { source: &source, commit: &commit, ref_name: None, ..*request };
        let inner =
            cache.write_at(&inner, &folder.join(&path), level + 1, watch).map_err(|error| match error {
                CheckoutError::Cancelled => error,
                error => failed(error.to_string()),
            })?;
        written.files += inner.files;
        written.bytes += inner.bytes;
        written.submodules += inner.submodules + 1;
        register(folder, &module)
            .map_err(|error| CheckoutError::disk(&folder.join(".git/config"), &error))?;
    }
    Ok(written)
}

/// `.gitmodules` as the commit has it; a link in its place was refused with the tree.
fn read_config(repository: &gix::Repository, index: &gix::index::File) -> Result<gix::config::File, String> {
    let entry = index
        .entry_by_path(".gitmodules".into())
        .filter(|entry| matches!(entry.mode, Mode::FILE | Mode::FILE_EXECUTABLE))
        .ok_or("the commit has no `.gitmodules` file that says where it is")?;
    let object = repository.find_object(entry.id).map_err(|error| format!("`.gitmodules`: {error}"))?;
    let text = object.data.to_str().map_err(|_| "`.gitmodules` is not UTF-8")?;
    gix::config::File::try_from(text).map_err(|error| format!("`.gitmodules` cannot be read: {error}"))
}

fn module(config: &gix::config::File, path: &gix::bstr::BStr) -> Result<Module, String> {
    let unnamed = || "`.gitmodules` says nothing about this path: add it with `git submodule add`".to_owned();
    for section in config.sections_by_name("submodule").into_iter().flatten() {
        if section.value("path").is_none_or(|value| value.as_bstr() != path) {
            continue;
        }
        let name = section.header().subsection_name().ok_or_else(unnamed)?.to_owned();
        let url = section.value("url").ok_or("`.gitmodules` has no `url` for it")?;
        let skip = section.value("update").is_some_and(|value| value.as_bstr() == "none");
        return Ok(Module { name, url: url.to_str_lossy().into_owned(), skip });
    }
    Err(unnamed())
}

/// Where a submodule's repository is.
fn locate(parent: &Source, module: &Module, commit: &CommitId) -> Result<Source, String> {
    if let Some(kept) = kept_by_parent(parent, module, commit) {
        return Ok(kept);
    }
    let url = if module.url.starts_with("./") || module.url.starts_with("../") {
        resolve(&parent.to_string(), &module.url)?
    } else {
        module.url.clone()
    };
    // Judged before it is parsed: parsing opens what is local.
    let is_remote = url.contains("://") && !url.to_ascii_lowercase().starts_with("file:");
    let is_short_ssh = url.split_once(':').is_some_and(|(host, _)| host.len() > 1 && !host.contains('/'));
    if !parent.is_local() && !is_remote && !is_short_ssh {
        return Err(format!("`{}` is a local address, and the repository is not local", module.url));
    }
    if !parent.is_local() && url.to_ascii_lowercase().starts_with("file:") {
        return Err(format!("`{}` is a local address, and the repository is not local", module.url));
    }
    let source = Source::parse(&url).map_err(|error| error.to_string())?;
    Ok(match (&parent.credentials, host_of(parent), host_of(&source)) {
        // What may read the repository may read its neighbours; no other host sees the token.
        (Some(credentials), Some(of_parent), Some(of_child))
            if of_parent == of_child && source.credentials.is_none() =>
        {
            source.clone().with_credentials(credentials.clone()).unwrap_or(source)
        }
        _ => source,
    })
}

/// A local work tree keeps its submodules' repositories in `.git/modules/<name>`: right there, and perhaps the only
/// copy of a commit that was not pushed yet.
fn kept_by_parent(parent: &Source, module: &Module, commit: &CommitId) -> Option<Source> {
    let name = PathBuf::from(module.name.to_str().ok()?);
    if !name.components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    let folder = parent.common_dir()?.join("modules").join(name);
    let id = gix::ObjectId::from_hex(commit.as_str().as_bytes()).ok()?;
    // Its configuration names a work tree that may be gone: it is read as the bare repository that it holds.
    let opened = repository::open(&folder).ok()?;
    let git_dir = folder.canonicalize().ok()?;
    opened.has_object(id).then(|| Source {
        place: Place::Local { shown: git_dir.clone(), common_dir: git_dir.clone(), git_dir },
        credentials: None,
    })
}

fn host_of(source: &Source) -> Option<(crate::url::Scheme, Option<String>, Option<u16>)> {
    match &source.place {
        Place::Local { .. } => None,
        Place::Remote(remote) => {
            let host = remote.url.host().map(str::to_ascii_lowercase);
            Some((remote.scheme, host, remote.url.port))
        }
    }
}

/// A relative address below that of the repository, as gitsubmodules(7) has it: `..` takes a part away.
fn resolve(base: &str, relative: &str) -> Result<String, String> {
    let too_far = || format!("`{relative}` leads above the host of `{base}`");
    let (head, tail) = match base.split_once("://") {
        Some((scheme, rest)) => {
            let at = rest.find('/').unwrap_or(rest.len());
            (format!("{scheme}://{}", &rest[..at]), rest[at..].to_owned())
        }
        None if base.starts_with('/') => (String::new(), base.to_owned()),
        None => {
            let (host, path) = base.split_once(':').ok_or_else(too_far)?;
            (format!("{host}:"), path.to_owned())
        }
    };
    let is_rooted = tail.starts_with('/');
    let mut parts: Vec<&str> = tail.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(too_far)?;
            }
            part => parts.push(part),
        }
    }
    Ok(format!("{head}{}{}", if is_rooted { "/" } else { "" }, parts.join("/")))
}

/// Makes the submodule known to `git submodule` in the work tree.
fn register(folder: &Path, module: &Module) -> std::io::Result<()> {
    let mut config = std::fs::File::options().append(true).open(folder.join(".git/config"))?;
    let mut text = b"[submodule ".to_vec();
    text.extend(quoted(&module.name));
    text.extend_from_slice(b"]\n\tactive = true\n\turl = ");
    text.extend(quoted(without_secret(&module.url).as_bytes()));
    text.push(b'\n');
    config.write_all(&text)
}

fn without_secret(url: &str) -> String {
    match Source::parse(url) {
        Ok(source) if !source.is_local() => source.to_string(),
        _ => url.to_owned(),
    }
}
