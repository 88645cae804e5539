//! Where refs point, without fetching anything. Invariant: only branches and tags, each with what it points to after
//! annotated tags were peeled, in order of their names. What else a server advertises is left out.

use branchline_model::{CommitId, RefName};
use gix::bstr::{BStr, BString, ByteSlice};
use gix::protocol::handshake::Ref;
use gix::protocol::ls_refs::RefPrefixes;

use crate::error::{self, CheckoutError};
use crate::network::{Connection, Network, agent};
use crate::repository;
use crate::source::{Place, Source};

/// Where a repository's refs point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// Branches and tags with their commits, in order of their names (branches first). A tag that points to no
    /// commit is left out where that can be seen: of a remote's objects the kind is not known before a fetch.
    pub refs: Vec<(RefName, CommitId)>,
    /// The branch that `HEAD` names, also where it has no commit yet; `None` where `HEAD` is detached.
    pub default_branch: Option<String>,
    /// The commit that `HEAD` is at; `None` where it has none yet.
    pub head: Option<CommitId>,
}

/// Reads where a repository's branches and tags point: of a local one from its files, of a remote one with one
/// `ls-refs`.
///
/// # Errors
/// The repository is not there, cannot be reached, refuses us, or is damaged.
pub fn heads(source: &Source, network: &Network) -> Result<Heads, CheckoutError> {
    let mut heads = match &source.place {
        Place::Local { git_dir, .. } => local(source, &repository::open_local(source, git_dir)?)?,
        Place::Remote(remote) => {
            let mut connection = Connection::open(source, remote, network)?;
            let refs = advertised(source, &mut connection, &["HEAD", "refs/heads/", "refs/tags/"])?;
            connection.close();
            of_advertised(&refs)
        }
    };
    heads.refs.sort_unstable_by(|(left, _), (right, _)| left.cmp(right));
    Ok(heads)
}

/// The refs that a server advertises under any of these prefixes.
pub(crate) fn advertised(
    source: &Source,
    connection: &mut Connection,
    prefixes: &[&str],
) -> Result<Vec<Ref>, CheckoutError> {
    if let Some(refs) = &connection.handshake.refs {
        return Ok(refs.clone());
    }
    let mut wanted = RefPrefixes::new();
    wanted.extend(prefixes.iter().map(|prefix| BString::from(*prefix)));
    gix::protocol::LsRefsCommand::new(Some(wanted), &connection.handshake.capabilities, agent())
        .invoke_blocking(&mut connection.transport, &mut gix::progress::Discard, false)
        .map_err(|error| error::of_remote(source, &error))
}

fn of_advertised(refs: &[Ref]) -> Heads {
    let mut heads = Heads::default();
    for advertised in refs {
        let (name, id, target) = match advertised {
            Ref::Peeled { full_ref_name, object, .. } | Ref::Direct { full_ref_name, object } => {
                (full_ref_name, Some(object), None)
            }
            Ref::Symbolic { full_ref_name, target, object, .. } => {
                (full_ref_name, Some(object), Some(target))
            }
            Ref::Unborn { full_ref_name, target } => (full_ref_name, None, Some(target)),
        };
        if name == "HEAD" {
            heads.default_branch = target.and_then(|target| branch_of(target.as_bstr()));
            heads.head = id.and_then(|id| repository::commit_id(id));
        } else if let Some(entry) = entry(name.as_bstr(), id) {
            heads.refs.push(entry);
        }
    }
    heads
}

fn local(source: &Source, repository: &gix::Repository) -> Result<Heads, CheckoutError> {
    let failed = |error: &gix::Error| error::of_local(source, error);
    let mut heads = Heads {
        default_branch: match repository.head_name() {
            Ok(name) => name.and_then(|name| branch_of(name.as_bstr())),
            Err(error) => return Err(failed(&error)),
        },
        refs: Vec::new(),
        head: repository.head_id().ok().and_then(|id| repository::commit_id(&id)),
    };
    let platform = repository.references().map_err(|error| failed(&error))?;
    for prefix in ["refs/heads/", "refs/tags/"] {
        let found = platform.prefixed(prefix).map_err(|error| failed(&error))?;
        for reference in found {
            // A loose file that is no ref (torn, foreign) is no reason not to see all others; git warns as well.
            let Ok(mut reference) = reference else { continue };
            let name = reference.name().as_bstr().to_owned();
            let is_tag = prefix == "refs/tags/";
            let id = match (reference.try_id(), is_tag) {
                // git lets a branch point to nothing but a commit, so it is not looked up.
                (Some(id), false) => Some(id.detach()),
                _ => reference.peel_to_id().ok().map(gix::Id::detach).filter(|id| {
                    repository.find_header(*id).is_ok_and(|header| header.kind() == gix::objs::Kind::Commit)
                }),
            };
            heads.refs.extend(entry(name.as_bstr(), id.as_ref()));
        }
    }
    Ok(heads)
}

/// A branch or tag with its commit; nothing for other refs, and for names that are not UTF-8: nothing in the job
/// language could name them.
fn entry(name: &BStr, id: Option<&gix::ObjectId>) -> Option<(RefName, CommitId)> {
    Some((name.to_str().ok()?.parse().ok()?, repository::commit_id(id?)?))
}

fn branch_of(target: &BStr) -> Option<String> {
    Some(target.strip_prefix(b"refs/heads/")?.to_str().ok()?.to_owned())
}
