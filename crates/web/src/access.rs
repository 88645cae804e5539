//! Who may pass. Invariant: the token itself is not kept, only its digest and what is derived from it, each for one
//! use; what is derived for one use is worthless for another. Comparisons take the same time whatever differs.

use std::collections::BTreeSet;
use std::fmt;

use branchline_model::Actor;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// A token shorter than this could be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Why access cannot be given so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The token could be guessed.
    #[error(
        "the access token has {length} characters: it needs at least {SHORTEST_TOKEN}, all of them visible ASCII"
    )]
    WeakToken {
        /// How many it has.
        length: usize,
    },
    /// No request could ever pass.
    #[error("no host name is allowed: name at least the address that is listened on")]
    NoHosts,
}

/// The token that opens every route, and the names that the server answers to.
#[derive(Clone)]
pub struct Access {
    token: [u8; 32],
    session: String,
    form_token: String,
    cookie: String,
    hosts: BTreeSet<String>,
    secure: bool,
    actor: Actor,
}

impl Access {
    /// Lets pass who knows `token`, on requests to one of `hosts` (as in the `Host` header: `name:port`, or a name alone
    /// where the port is the scheme's own). What they do is recorded as done by `actor`.
    pub fn new(
        token: &str,
        hosts: impl IntoIterator<Item = String>,
        actor: Actor,
    ) -> Result<Self, AccessError> {
        if token.len() < SHORTEST_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AccessError::WeakToken { length: token.chars().count() });
        }
        let hosts: BTreeSet<String> = hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect();
        if hosts.is_empty() {
            return Err(AccessError::NoHosts);
        }
        let name = hexadecimal(&derive("cookie name", token));
        Ok(Self {
            token: derive("token", token),
            session: hexadecimal(&derive("session", token)),
            form_token: hexadecimal(&derive("form", token)),
            // Browsers keep cookies by host without port: two servers on one machine must not fight over one name.
            cookie: format!("branchline_{}", name.get(..8).unwrap_or_default()),
            hosts,
            secure: false,
            actor,
        })
    }

    /// The names under which this machine reaches a port of its own.
    #[must_use]
    pub fn loopback_hosts(port: u16) -> Vec<String> {
        ["127.0.0.1", "localhost", "[::1]"].map(|name| format!("{name}:{port}")).into()
    }

    /// Says that browsers reach the server by https alone: the cookie is then never sent otherwise.
    #[must_use]
    pub fn behind_https(self) -> Self {
        Self { secure: true, ..self }
    }

    /// Who does what is done with the token.
    pub(crate) fn actor(&self) -> &Actor {
        &self.actor
    }

    pub(crate) fn allows_host(&self, host: &str) -> bool {
        self.hosts.contains(&host.to_ascii_lowercase())
    }

    pub(crate) fn is_token(&self, text: &str) -> bool {
        self.token.ct_eq(&derive("token", text)).into()
    }

    /// Whether one of the cookies in a `Cookie` header is the one that logging in gave.
    pub(crate) fn is_session(&self, header: &str) -> bool {
        header.split(';').filter_map(|pair| pair.trim().split_once('=')).any(|(name, value)| {
            name == self.cookie && bool::from(value.as_bytes().ct_eq(self.session.as_bytes()))
        })
    }

    pub(crate) fn is_form_token(&self, text: &str) -> bool {
        text.as_bytes().ct_eq(self.form_token.as_bytes()).into()
    }

    /// What every form carries, so that no other site can send it.
    pub(crate) fn form_token(&self) -> &str {
        &self.form_token
    }

    /// The `Set-Cookie` header of someone who showed the token: for 30 days.
    pub(crate) fn set_cookie(&self) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!(
            "{}={}; HttpOnly; SameSite=Strict; Path=/; Max-Age=2592000{secure}",
            self.cookie, self.session
        )
    }
}

/// Nothing secret is ever shown.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("hosts", &self.hosts)
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}

fn derive(purpose: &str, token: &str) -> [u8; 32] {
    Sha256::new()
        .chain_update(b"branchline web 1\0")
        .chain_update(purpose.as_bytes())
        .chain_update(b"\0")
        .chain_update(token.as_bytes())
        .finalize()
        .into()
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123";

    fn access() -> Access {
        Access::new(TOKEN, Access::loopback_hosts(8000), Actor::new("local")).unwrap()
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        let access = access();
        assert!(access.is_token(TOKEN));
        for wrong in ["", "0123456789abcdef012", "0123456789abcdef01234", "0123456789ABCDEF0123"] {
            assert!(!access.is_token(wrong), "{wrong}");
        }
    }

    #[test]
    fn what_the_cookie_holds_is_neither_the_token_nor_the_form_token() {
        let access = access();
        let cookie = access.set_cookie();
        let (pair, _) = cookie.split_once(';').unwrap();
        assert!(access.is_session(&format!("theme=dark; {pair}")));
        let (_, value) = pair.split_once('=').unwrap();
        assert!(!access.is_token(value));
        assert!(!access.is_form_token(value));
        assert!(!cookie.contains(TOKEN));
        assert!(!access.is_session(&format!("other={value}")));
    }

    #[test]
    fn another_token_makes_another_cookie_and_name() {
        let other = Access::new("another-token-of-20c", Access::loopback_hosts(8000), Actor::new("local"));
        assert!(!other.unwrap().is_session(&access().set_cookie()));
    }

    #[test]
    fn a_token_that_can_be_guessed_and_an_empty_list_of_hosts_are_refused() {
        let refused = |token: &str, hosts: Vec<String>| {
            Access::new(token, hosts, Actor::new("local")).map(|_| ()).unwrap_err().to_string()
        };
        assert_eq!(
            refused("short", Access::loopback_hosts(1)),
            "the access token has 5 characters: it needs at least 16, all of them visible ASCII"
        );
        assert_eq!(
            refused(TOKEN, Vec::new()),
            "no host name is allowed: name at least the address that is listened on"
        );
    }

    #[test]
    fn nothing_secret_is_in_what_debugging_prints() {
        let access = access();
        let printed = format!("{access:?}");
        assert!(!printed.contains(TOKEN) && !printed.contains(access.form_token()), "{printed}");
    }
}
