//! Fetching by commit id, by hand over gix's protocol. Invariant: nothing is sent about what we have, so every pack
//! is whole in itself (never thin) for what was asked of it, and is installed only once it was checked to its last
//! byte. Refs are not written: the cache has none.
//!
//! A server may refuse to hand out a commit by its id (an old protocol, a policy). Then the ref that reaches it, or
//! `HEAD`, is fetched instead, a bounded number of commits deep. Who names a commit as a ref's head and does not hand it out
//! is several servers behind one name, of which some lag behind: that passes, and says nothing about the commit.

use std::io::{self, BufRead, Read};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use branchline_model::CommitId;
use gix::odb::pack;
use gix::protocol::fetch::negotiate::{self, one_round};
use gix::protocol::fetch::{self, Arguments, Negotiate, Shallow, Tags};

use crate::attended::Attendant;
use crate::entry::{Entry, Whole};
use crate::error::{self, CheckoutError};
use crate::files::{self, Folder};
use crate::heads::advertised;
use crate::network::{Connection, Network, agent};
use crate::repository;
use crate::source::Source;
use crate::url::Remote;

/// How many commits below a ref's tip are searched for one that is not handed out by its id.
const SEARCH_DEPTHS: [u32; 2] = [1, 256];
/// After how many received bytes progress is told again.
const PROGRESS_STEP: u64 = 8 << 20;

/// What is wanted, and from where.
pub(crate) struct Fetch<'a> {
    pub(crate) source: &'a Source,
    pub(crate) remote: &'a Remote,
    pub(crate) network: &'a Network,
    pub(crate) entry: &'a Entry,
    pub(crate) commit: &'a CommitId,
    /// A ref that reaches the commit.
    pub(crate) ref_name: Option<&'a str>,
    pub(crate) attendant: &'a Attendant,
}

/// Why the server sent no pack.
enum NoPack {
    /// It does not have these objects, or does not hand them out by id.
    Refused,
    Failed(CheckoutError),
}

impl From<CheckoutError> for NoPack {
    fn from(error: CheckoutError) -> Self {
        Self::Failed(error)
    }
}

/// The one thing a connection is asked for.
struct Ask<'a> {
    ids: &'a [gix::ObjectId],
    /// `None`: all of the history.
    depth: Option<NonZeroU32>,
    /// Leave file contents out, where the server can.
    without_blobs: bool,
}

impl Fetch<'_> {
    /// Makes sure that the commit, its trees, and the files of the folder are in the cache.
    pub(crate) fn folder(&self, id: gix::ObjectId, folder: Option<&Folder>) -> Result<(), CheckoutError> {
        let _lock = self.entry.lock_for_fetch()?;
        let mut connection = None;
        // Another may have fetched it while we waited.
        let mut blobs = self.missing(id, folder);
        if blobs.is_none() {
            self.commit(&mut connection, id, Some(NonZeroU32::MIN), true)?;
            blobs = self.missing(id, folder);
        }
        // Fetched, and yet not to be read: whoever reads it finds out why, and begins the cache anew where that is damaged.
        let Some(blobs) = blobs else { return Ok(()) };
        if !blobs.is_empty() {
            match self.pack(&mut connection, &Ask { ids: &blobs, depth: None, without_blobs: false }) {
                Ok(_) => {}
                Err(NoPack::Failed(error)) => return Err(error),
                // Whoever gives no blob by its id gives the whole commit.
                Err(NoPack::Refused) => {
                    self.commit(&mut connection, id, Some(NonZeroU32::MIN), false)?;
                }
            }
        }
        if let Some(connection) = connection {
            connection.close();
        }
        Ok(())
    }

    /// Makes sure that the commit with all of its files, and so much of its history, is in one pack of the cache.
    pub(crate) fn whole(&self, id: gix::ObjectId, depth: Option<NonZeroU32>) -> Result<Whole, CheckoutError> {
        let _lock = self.entry.lock_for_fetch()?;
        let record = record_name(self.commit, depth);
        if let Some(whole) = self.entry.whole(&record) {
            return Ok(whole);
        }
        let mut connection = None;
        let whole = self.commit(&mut connection, id, depth, false)?;
        self.entry.record_whole(&record, &whole)?;
        if let Some(connection) = connection {
            connection.close();
        }
        Ok(whole)
    }

    /// The folder's blobs that the cache lacks; `None` where it lacks the commit or a tree.
    fn missing(&self, id: gix::ObjectId, folder: Option<&Folder>) -> Option<Vec<gix::ObjectId>> {
        let repository = self.entry.repository().ok()?;
        match folder {
            Some(folder) => files::missing_blobs(&repository, id, folder).ok(),
            None => files::tree_of(&repository, id).is_ok().then(Vec::new),
        }
    }

    fn commit(
        &self,
        connection: &mut Option<Connection>,
        id: gix::ObjectId,
        depth: Option<NonZeroU32>,
        without_blobs: bool,
    ) -> Result<Whole, CheckoutError> {
        match self.pack(connection, &Ask { ids: &[id], depth, without_blobs }) {
            Ok(Some(whole)) => return Ok(whole),
            Err(NoPack::Failed(error)) => return Err(error),
            Ok(None) | Err(NoPack::Refused) => {}
        }
        let name = self.ref_name.unwrap_or("HEAD");
        let refs = {
            let connection = self.connected(connection)?;
            advertised(self.source, connection, &[name])?
        };
        let tip = refs.iter().find_map(|known| {
            let (full_name, target, peeled) = known.unpack();
            (full_name == name).then(|| peeled.or(target).map(ToOwned::to_owned)).flatten()
        });
        let Some(tip) = tip else { return Err(self.no_such_commit()) };
        if tip == id {
            return Err(self.lags_behind(name, tip));
        }
        for search_depth in SEARCH_DEPTHS {
            let depth = depth.map(|depth| depth.max(NonZeroU32::new(search_depth).unwrap_or(depth)));
            match self.pack(connection, &Ask { ids: &[tip], depth, without_blobs }) {
                Ok(Some(whole)) if self.holds(&whole, id)? => return Ok(whole),
                Ok(_) => {}
                Err(NoPack::Failed(error)) => return Err(error),
                Err(NoPack::Refused) => return Err(self.lags_behind(name, tip)),
            }
            if depth.is_none() {
                break;
            }
        }
        Err(self.no_such_commit())
    }

    fn holds(&self, whole: &Whole, id: gix::ObjectId) -> Result<bool, CheckoutError> {
        let index = whole.pack.with_extension("idx");
        let index = pack::index::File::at(&index, gix::hash::Kind::Sha1)
            .map_err(|error| CheckoutError::disk(&index, &error::whole_story(&error)))?;
        Ok(index.lookup(id).is_some())
    }

    fn no_such_commit(&self) -> CheckoutError {
        CheckoutError::NoSuchCommit { repository: self.source.to_string(), commit: self.commit.clone() }
    }

    fn lags_behind(&self, name: &str, tip: gix::ObjectId) -> CheckoutError {
        CheckoutError::Unreachable {
            repository: self.source.to_string(),
            why: format!(
                "it says that `{name}` is at {tip}, and does not hand that out: it may lag behind itself"
            ),
            transient: true,
        }
    }

    fn connected<'c>(
        &self,
        connection: &'c mut Option<Connection>,
    ) -> Result<&'c mut Connection, CheckoutError> {
        // Before version 2 a connection is good for one fetch.
        if connection.as_ref().is_some_and(|open| !open.is_version_2()) {
            *connection = None;
        }
        match connection {
            Some(open) => Ok(open),
            None => Ok(connection.insert(Connection::open(self.source, self.remote, self.network)?)),
        }
    }

    /// Asks for a pack and installs it; `None` where the pack was empty.
    fn pack(&self, connection: &mut Option<Connection>, ask: &Ask<'_>) -> Result<Option<Whole>, NoPack> {
        let result =
            self.connected(connection).map_err(NoPack::from).and_then(|open| self.receive(open, ask));
        if result.is_err() {
            // Nobody knows what is still under way on it.
            *connection = None;
        }
        result
    }

    fn receive(&self, connection: &mut Connection, ask: &Ask<'_>) -> Result<Option<Whole>, NoPack> {
        let incoming = self.entry.incoming()?;
        let shallow_file = incoming.path.join("shallow");
        let shallow = ask.depth.map_or(Shallow::NoChange, Shallow::DepthAtRemote);
        let mut received = None;
        let outcome = gix::protocol::fetch(
            &mut Whatever(ask),
            |reader, progress, stop| {
                let mut counted = Counted { inner: reader, total: 0, told: 0, attendant: self.attendant };
                received = Some(pack::Bundle::write_to_directory(
                    &mut counted,
                    Some(&incoming.path),
                    progress,
                    stop,
                    None::<gix::OdbHandle>,
                    gix::hash::Kind::Sha1,
                    pack::bundle::write::Options {
                        thread_limit: None,
                        alloc_limit_bytes: Some(self.network.largest_object),
                        ..Default::default()
                    },
                )?);
                Ok(true)
            },
            gix::progress::Discard,
            &self.attendant.stop,
            fetch::Context {
                handshake: &mut connection.handshake,
                transport: &mut connection.transport,
                user_agent: agent(),
                trace_packetlines: false,
            },
            fetch::Options {
                shallow_file: shallow_file.clone(),
                shallow: &shallow,
                tags: Tags::None,
                reject_shallow_remote: false,
            },
        );
        if self.attendant.stop.load(Ordering::Relaxed) {
            return Err(CheckoutError::Cancelled.into());
        }
        outcome.map_err(|error| self.no_pack(&error, &incoming.path))?;
        let Some(pack) = received.and_then(|received| received.data_path) else { return Ok(None) };
        let shallow = gix_shallow_lines(&shallow_file)?;
        Ok(Some(Whole { pack: self.entry.install(&pack)?, shallow }))
    }

    fn no_pack(&self, error: &gix::Error, incoming: &std::path::Path) -> NoPack {
        let story = error::whole_story(error);
        // git's words for an object that it does not have or does not hand out, before and since protocol 2;
        // JGit (Gerrit, Bitbucket) says `want … not valid`.
        let refused = ["not our ref", "unadvertised object", "not valid", "Could not find object"];
        if refused.iter().any(|words| story.contains(words)) {
            return NoPack::Refused;
        }
        let out_of_space = error.iter_errors().any(|part| {
            part.downcast_ref::<io::Error>().is_some_and(|part| part.kind() == io::ErrorKind::StorageFull)
        });
        NoPack::Failed(if out_of_space {
            CheckoutError::disk(incoming, &story)
        } else {
            error::of_remote(self.source, error)
        })
    }
}

/// The name under which it is recorded that a commit is whole at a depth.
pub(crate) fn record_name(commit: &CommitId, depth: Option<NonZeroU32>) -> String {
    depth.map_or_else(|| format!("{commit}-all"), |depth| format!("{commit}-{depth}"))
}

/// The commits at which history was cut off, one id a line; no file where it was not.
pub(crate) fn gix_shallow_lines(path: &std::path::Path) -> Result<Vec<gix::ObjectId>, CheckoutError> {
    match std::fs::read_to_string(path) {
        Ok(text) => text
            .lines()
            .map(|line| gix::ObjectId::from_hex(line.as_bytes()))
            .collect::<Result<_, _>>()
            .map_err(|error| CheckoutError::disk(path, &error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(CheckoutError::disk(path, &error)),
    }
}

/// A negotiation that offers nothing and takes what it gets.
struct Whatever<'a>(&'a Ask<'a>);

impl Negotiate for Whatever<'_> {
    fn mark_complete_and_common_ref(&mut self) -> gix::Result<negotiate::Action> {
        Ok(negotiate::Action::MustNegotiate { remote_ref_target_known: Vec::new() })
    }

    fn add_wants(&mut self, arguments: &mut Arguments, _known: &[bool]) -> bool {
        if self.0.without_blobs && arguments.can_use_filter() {
            arguments.filter("blob:none");
        }
        for id in self.0.ids {
            arguments.want(id);
        }
        true
    }

    fn one_round(
        &mut self,
        _state: &mut one_round::State,
        _arguments: &mut Arguments,
        _previous: Option<&fetch::Response>,
    ) -> gix::Result<(negotiate::Round, bool)> {
        let round = negotiate::Round {
            haves_sent: 0,
            in_vain: 0,
            haves_to_send: 0,
            previous_response_had_at_least_one_in_common: false,
        };
        Ok((round, true))
    }
}

/// A pack on its way, counted, and stopped when it is to stop.
struct Counted<'a> {
    inner: &'a mut dyn BufRead,
    total: u64,
    told: u64,
    attendant: &'a Attendant,
}

impl Counted<'_> {
    fn look(&mut self) -> io::Result<()> {
        let stop: &AtomicBool = &self.attendant.stop;
        if stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("stopped, as asked"));
        }
        if self.total >= self.told + PROGRESS_STEP {
            self.told = self.total;
            self.attendant.say(format!("received {} MiB", self.total >> 20));
        }
        Ok(())
    }
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.look()?;
        let count = self.inner.read(buffer)?;
        self.total += count as u64;
        Ok(count)
    }
}

impl BufRead for Counted<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.look()?;
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.total += amount as u64;
        self.inner.consume(amount);
    }
}

/// A local repository's own cut-off commits.
pub(crate) fn shallow_of(repository: &gix::Repository) -> Result<Vec<gix::ObjectId>, CheckoutError> {
    let path: PathBuf = repository.common_dir().join("shallow");
    gix_shallow_lines(&path)
}

/// gix's form of the id, of a remote's commit.
pub(crate) fn id_of(source: &Source, commit: &CommitId) -> Result<gix::ObjectId, CheckoutError> {
    repository::object_id(source, commit)
}
