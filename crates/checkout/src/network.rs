//! How a remote is spoken to: time limits, trust, credentials, and what a failure means. Invariant: no wait on a
//! server is unbounded. There is no retry here: who asks knows when to ask again.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gix::protocol::transport::client::blocking_io::Transport;
use gix::protocol::transport::client::blocking_io::http;
use gix::protocol::transport::{self, Protocol, Service};
use gix::protocol::{Handshake, credentials};

use crate::error::{self, CheckoutError};
use crate::source::{Credentials, Source};
use crate::url::{Remote, Scheme};

/// What bounds an exchange with a server.
#[derive(Clone, Debug)]
pub struct Network {
    /// How long a connection may take to come about. Default 20 s.
    pub connect_timeout: Duration,
    /// How long a server may say nothing in the middle of an exchange. Default 60 s.
    pub idle_timeout: Duration,
    /// A file with certificate authorities (PEM) that are trusted besides the system's.
    pub certificate_authority: Option<PathBuf>,
    /// The largest object, in bytes, that is taken from a server: one object is held in memory while it is
    /// checked. Default 1 GiB.
    pub largest_object: usize,
    /// How many bytes of packs a repository's cache may hold before it is begun anew. Default 4 GiB.
    pub largest_cache: u64,
    /// The command that is run for `ssh://`, instead of `ssh` with its own time limits and no questions; as
    /// `GIT_SSH_COMMAND`.
    pub ssh_command: Option<OsString>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(60),
            certificate_authority: None,
            largest_object: 1 << 30,
            largest_cache: 4 << 30,
            ssh_command: None,
        }
    }
}

/// Makes ring the process's TLS implementation, once; what another crate chose before stays.
pub fn install_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // It fails only where another thread was quicker, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
}

/// A server that has introduced itself.
pub(crate) struct Connection {
    pub(crate) transport: Box<dyn Transport + Send>,
    pub(crate) handshake: Handshake,
}

/// How we call ourselves to servers.
pub(crate) fn agent() -> (&'static str, Option<String>) {
    ("agent", Some(concat!("branchline/", env!("CARGO_PKG_VERSION")).to_owned()))
}

impl Connection {
    /// Connects and says hello, in protocol version 2 where the server speaks it.
    pub(crate) fn open(source: &Source, remote: &Remote, network: &Network) -> Result<Self, CheckoutError> {
        let failed = |error: &gix::Error| error::of_remote(source, error);
        install_tls();
        let options = transport::client::blocking_io::connect::Options {
            version: Protocol::V2,
            ssh: transport::client::blocking_io::ssh::connect::Options {
                command: Some(ssh_command(network)),
                kind: Some(transport::client::blocking_io::ssh::ProgramKind::Ssh),
                ..Default::default()
            },
            trace: false,
        };
        let mut transport = transport::client::blocking_io::connect::connect(remote.url.clone(), options)
            .map_err(|error| failed(&error))?;
        if remote.scheme != Scheme::Ssh {
            transport.configure(&http_options(source, network)?).map_err(|error| failed(&error))?;
        }
        let handshake = gix::protocol::handshake(
            &mut transport,
            Service::UploadPack,
            |action| authenticate(source.credentials.as_ref(), action),
            Vec::new(),
            &mut gix::progress::Discard,
        )
        .map_err(|error| failed(&error))?;
        Ok(Self { transport, handshake })
    }

    /// Whether the server speaks version 2, in which any object may be asked for by its id unless it says no.
    pub(crate) fn is_version_2(&self) -> bool {
        self.handshake.server_protocol_version == Protocol::V2
    }

    /// Says goodbye; that it was not heard harms nobody.
    pub(crate) fn close(mut self) {
        if self.is_version_2() {
            drop(gix::protocol::indicate_end_of_interaction(&mut self.transport, false));
        }
    }
}

/// `ssh` that asks nobody anything and gives up in time.
fn ssh_command(network: &Network) -> OsString {
    network.ssh_command.clone().or_else(|| std::env::var_os("GIT_SSH_COMMAND")).unwrap_or_else(|| {
        let alive = (network.idle_timeout.as_secs() / 3).max(1);
        format!(
            "ssh -o BatchMode=yes -o ConnectTimeout={} -o ServerAliveInterval={alive} -o ServerAliveCountMax=3",
            network.connect_timeout.as_secs().max(1)
        )
        .into()
    })
}

fn http_options(source: &Source, network: &Network) -> Result<http::Options, CheckoutError> {
    let certificates = match &network.certificate_authority {
        None => Vec::new(),
        Some(path) => {
            let read = std::fs::read(path).map_err(|error| error.to_string());
            read.and_then(|pem| {
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| error.to_string())
            })
            .map_err(|why| CheckoutError::Unreachable {
                repository: source.to_string(),
                why: format!("the certificate authority file `{}`: {why}", path.display()),
                transient: false,
            })?
        }
    };
    let (connect, idle) = (network.connect_timeout, network.idle_timeout);
    let backend = http::reqwest::Options {
        configure_client: Some(Box::new(move |builder| {
            // The blocking client's `timeout` bounds each wait for bytes, not the whole exchange.
            let builder = builder.connect_timeout(connect).timeout(idle);
            Ok(if certificates.is_empty() { builder } else { builder.tls_certs_merge(certificates.clone()) })
        })),
        configure_request: None,
    };
    Ok(http::Options { backend: Some(Arc::new(Mutex::new(backend))), ..http::Options::default() })
}

fn authenticate(
    known: Option<&Credentials>,
    action: credentials::helper::Action,
) -> gix::Result<Option<credentials::protocol::Outcome>> {
    let (credentials::helper::Action::Get(context), Some(known)) = (action, known) else {
        return Ok(None);
    };
    Ok(Some(credentials::protocol::Outcome {
        identity: gix::sec::identity::Account {
            username: known.user.clone(),
            password: known.password.clone(),
            oauth_refresh_token: None,
        },
        next: context.into(),
    }))
}
