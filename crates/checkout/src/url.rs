//! The URLs of remote repositories: which ones we speak, how they are named, how they are shown. Invariant: a
//! [`Remote`] holds no password. It is taken apart by gix, whose transport uses it in the end; what git itself
//! would take for a helper (`ext::…`) or an option (`-oProxyCommand=…`) is refused here.

use std::fmt;
use std::path::PathBuf;

use gix::bstr::ByteSlice;

use crate::source::{Credentials, SourceError};

/// How a remote is reached.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Scheme {
    Http,
    Https,
    Ssh,
}

/// A remote repository's URL, without a password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Remote {
    pub(crate) scheme: Scheme,
    pub(crate) url: gix::Url,
}

/// The path of a `file://` URL; `None` where the text is none.
pub(crate) fn path_of_file_url(text: &str) -> Result<Option<PathBuf>, SourceError> {
    let Some(rest) = text.strip_prefix("file://") else { return Ok(None) };
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    if path.starts_with('/') {
        return Ok(Some(PathBuf::from(path)));
    }
    Err(SourceError::Malformed {
        url: text.to_owned(),
        why: "after `file://` an absolute path is expected (`file:///srv/app`)".to_owned(),
    })
}

/// A remote's URL and the credentials that were in it; `None` where the text is a path.
pub(crate) fn parse(text: &str) -> Result<Option<(Remote, Option<Credentials>)>, SourceError> {
    let malformed = |why: &str| SourceError::Malformed { url: without_secret(text), why: why.to_owned() };
    let is_url = text.contains("://");
    if !is_url && !is_short_ssh(text) {
        if let Some((helper, _)) = text.split_once("::").filter(|(helper, _)| is_scheme(helper)) {
            return Err(SourceError::UnknownScheme { url: without_secret(text), scheme: helper.to_owned() });
        }
        return Ok(None);
    }
    if text.chars().any(|c| c.is_control() || c == ' ') {
        return Err(malformed("it holds blanks or control characters"));
    }
    let scheme = match text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase()).as_deref() {
        None | Some("ssh" | "git+ssh" | "ssh+git") => Scheme::Ssh,
        Some("https") => Scheme::Https,
        Some("http") => Scheme::Http,
        Some(other) => {
            return Err(SourceError::UnknownScheme { url: without_secret(text), scheme: other.to_owned() });
        }
    };
    // gix's own message may quote the text, and with it a password.
    let mut url = gix::url::parse(text).map_err(|_| malformed("it cannot be taken apart"))?;
    if url.host().is_none_or(str::is_empty) {
        return Err(malformed("it names no host"));
    }
    if url.path.trim_start_with(|c| c == '/').is_empty() {
        return Err(malformed("it names no repository on that host"));
    }
    if scheme != Scheme::Ssh && url.path.find_byteset(b"?#").is_some() {
        return Err(malformed("a query or a fragment (`?`, `#`) has no place in it"));
    }
    let like_an_option = |part: Option<&str>| part.is_some_and(|part| part.starts_with('-'));
    if like_an_option(url.host()) || like_an_option(url.user()) || url.path.starts_with(b"-") {
        return Err(malformed("a part of it begins with `-` and would be taken for an option"));
    }
    let password = url.set_password(None);
    let credentials = match scheme {
        Scheme::Ssh if password.is_some() => {
            return Err(malformed("ssh takes no password from a URL: use a key"));
        }
        Scheme::Ssh => None,
        Scheme::Http | Scheme::Https => match (url.set_user(None), password) {
            (None, None) => None,
            (user, password) if scheme == Scheme::Https => Some(match password {
                Some(password) => Credentials::new(user.unwrap_or_default(), password),
                // `https://<token>@host/…`, as forges document it.
                None => Credentials::new(user.unwrap_or_default(), "x-oauth-basic"),
            }),
            _ => return Err(SourceError::PlainCredentials { url: without_secret(text) }),
        },
    };
    Ok(Some((Remote { scheme, url }, credentials)))
}

impl Remote {
    /// `host[:port]/path` without `.git`.
    pub(crate) fn name(&self) -> String {
        let host = self.url.host().unwrap_or_default().to_ascii_lowercase();
        let port = self.url.port.map(|port| format!(":{port}")).unwrap_or_default();
        let path = self.url.path.to_str_lossy();
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
        format!("{host}{port}/{path}")
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url.to_bstring().to_str_lossy())
    }
}

/// `user@host:path` or `host:path`, as git reads it: a colon before the first slash, and no drive letter.
fn is_short_ssh(text: &str) -> bool {
    let Some((host, path)) = text.split_once(':') else { return false };
    host.len() > 1 && !host.contains('/') && !path.is_empty() && !path.starts_with(':')
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// The text as it may be shown: what stands between `//` (or the start) and the last `@` of the authority goes.
fn without_secret(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}{}", &rest[at + 1..]),
        None => text.to_owned(),
    }
}
