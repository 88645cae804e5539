//! The guard before every route. Invariant: a request passes only to a name that is ours, from someone who showed the
//! token, and changes something only where no other site can have sent it. It does not say who may do what: who has the
//! token may do all.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderMap, LOCATION, ORIGIN, SET_COOKIE, WWW_AUTHENTICATE,
};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

use crate::failure::Failure;
use crate::page;
use crate::web::{App, LARGEST_BODY, routes};

/// What a script of the page sends with what changes something, in the place of a form's field.
const FORM_HEADER: &str = "branchline-form-token";

/// Lets a request pass, or says why not.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    match check(&app, request).await {
        Ok(request) => next.run(request).await,
        Err(answer) => *answer,
    }
}

async fn check(app: &App, request: Request) -> Result<Request, Box<Response>> {
    let path = request.uri().path();
    if path == "/healthz" {
        return Ok(request);
    }
    let fail = |failure: Failure| Err(Box::new(failure.into_response()));
    let host = match host(&request) {
        Some(host) if app.access.allows_host(&host) => host,
        host => return fail(foreign_host(host.as_deref())),
    };
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && request.headers().get_all(ORIGIN).iter().any(|origin| !is_own_origin(origin, &host)) {
        return fail(foreign_origin());
    }
    if is_open(app, path) {
        return Ok(request);
    }
    if let Some(header) = request.headers().get(AUTHORIZATION) {
        let token = header.to_str().ok().and_then(bearer);
        return match token {
            Some(token) if app.access.is_token(token) => Ok(request),
            _ => fail(wrong_token()),
        };
    }
    let is_page = !path.starts_with("/api/");
    if is_page
        && !changes
        && let Some((token, rest)) = take_token(request.uri())
    {
        return Err(Box::new(if app.access.is_token(&token) {
            logged_in(app, &rest)
        } else {
            page::login::ask(app, &rest, true)
        }));
    }
    if !has_session(app, request.headers()) {
        return Err(Box::new(if is_page {
            page::login::ask(app, &here(request.uri()), false)
        } else {
            let mut answer = no_token().into_response();
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            answer
        }));
    }
    if changes { with_form_token(app, request).await } else { Ok(request) }
}

/// Where a browser goes once it has shown the token; from now on it has the cookie.
pub(crate) fn logged_in(app: &App, to: &str) -> Response {
    let mut answer = StatusCode::SEE_OTHER.into_response();
    let headers = answer.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_str(local(to)).unwrap_or(HeaderValue::from_static("/")));
    if let Ok(cookie) = HeaderValue::from_str(&app.access.set_cookie()) {
        headers.insert(SET_COOKIE, cookie);
    }
    answer
}

/// The path, if it is one of this server: `//other.example/` is not.
pub(crate) fn local(path: &str) -> &str {
    let is_local = path.starts_with('/') && !path[1..].starts_with(['/', '\\']);
    if is_local && path.bytes().all(|byte| byte.is_ascii_graphic()) { path } else { "/" }
}

fn host(request: &Request) -> Option<String> {
    let mut headers = request.headers().get_all(HOST).iter();
    let header = headers.next();
    if headers.next().is_some() {
        return None;
    }
    let header = header.and_then(|host| host.to_str().ok()).map(str::to_owned);
    header.or_else(|| request.uri().authority().map(ToString::to_string))
}

fn is_own_origin(origin: &HeaderValue, host: &str) -> bool {
    let host_of = |origin: &HeaderValue| {
        let text = origin.to_str().ok()?;
        text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).map(str::to_owned)
    };
    host_of(origin).is_some_and(|own| own.eq_ignore_ascii_case(host))
}

fn is_open(app: &App, path: &str) -> bool {
    path == app.assets.style_path() || routes().any(|route| route.open && route.path == path)
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The `token` of a query, and the same address without it.
fn take_token(uri: &Uri) -> Option<(String, String)> {
    let query = uri.query()?;
    let (tokens, rest): (Vec<&str>, Vec<&str>) =
        query.split('&').partition(|pair| pair.starts_with("token="));
    let token = tokens.first()?.strip_prefix("token=")?;
    let token = percent_decode_str(token).decode_utf8_lossy().into_owned();
    let address =
        if rest.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), rest.join("&")) };
    Some((token, address))
}

fn here(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string)
}

fn has_session(app: &App, headers: &HeaderMap) -> bool {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .any(|header| app.access.is_session(header))
}

/// A browser sends its cookie along with what any site makes it send; the form token only our own pages know.
async fn with_form_token(app: &App, request: Request) -> Result<Request, Box<Response>> {
    let refuse = |failure: Failure| Err(Box::new(failure.into_response()));
    if let Some(header) = request.headers().get(FORM_HEADER) {
        let own = header.to_str().is_ok_and(|token| app.access.is_form_token(token));
        return if own { Ok(request) } else { refuse(no_form_token()) };
    }
    let is_form = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if !is_form {
        return refuse(no_form_token());
    }
    let (parts, body) = request.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, LARGEST_BODY).await else {
        return refuse(too_large());
    };
    if form_token(&bytes).is_some_and(|token| app.access.is_form_token(token)) {
        Ok(Request::from_parts(parts, Body::from(bytes)))
    } else {
        refuse(no_form_token())
    }
}

fn form_token(body: &Bytes) -> Option<&str> {
    std::str::from_utf8(body).ok()?.split('&').find_map(|pair| pair.strip_prefix("form_token="))
}

/// Where the token is, for whoever asks with a command or a program of their own.
const WHERE_THE_TOKEN_IS: &str = "it is in the file `token` of the server's data folder: give the commands its text in `BRANCHLINE_TOKEN`, and send it as a bearer token from programs";

fn no_token() -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, "no_token", "this needs the access token").hint(WHERE_THE_TOKEN_IS)
}

fn wrong_token() -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, "wrong_token", "this is not the server's access token")
        .hint(WHERE_THE_TOKEN_IS)
}

fn foreign_host(host: Option<&str>) -> Failure {
    let message = match host {
        Some(host) => format!("this server does not answer to the name `{host}`"),
        None => "the request does not say, in one `Host` header, which server it means".to_owned(),
    };
    Failure::new(StatusCode::MISDIRECTED_REQUEST, "foreign_host", message)
        .hint("use the address that `branchline up` prints; `--listen` says under which names it is reached")
}

fn foreign_origin() -> Failure {
    Failure::new(StatusCode::FORBIDDEN, "foreign_origin", "another site's page asked for this change")
        .hint("use this server's own pages; programs leave the `Origin` header out")
}

fn no_form_token() -> Failure {
    Failure::new(
        StatusCode::FORBIDDEN,
        "no_form_token",
        "the form is not one of this server's own pages, or is out of date",
    )
    .hint("reload the page and try again; programs show the access token instead of a cookie")
}

pub(crate) fn too_large() -> Failure {
    Failure::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!("the request's body is larger than {} KiB", LARGEST_BODY / 1024),
    )
    .hint("send less: no request needs so much")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_out_of_the_address_and_the_rest_stays() {
        let take = |text: &str| take_token(&text.parse().unwrap());
        assert_eq!(take("/a?token=x%2By"), Some(("x+y".to_owned(), "/a".to_owned())));
        assert_eq!(
            take("/a?before=3&token=x&limit=2"),
            Some(("x".to_owned(), "/a?before=3&limit=2".to_owned()))
        );
        assert_eq!(take("/a?tokens=x"), None);
        assert_eq!(take("/a"), None);
    }

    #[test]
    fn nobody_is_sent_to_another_server() {
        for foreign in ["//evil.example/", "/\\evil.example", "https://evil.example", "", "/a\r\nb: c", "/ü"]
        {
            assert_eq!(local(foreign), "/", "{foreign:?}");
        }
        assert_eq!(local("/repositories/app?before=3"), "/repositories/app?before=3");
    }

    #[test]
    fn an_origin_is_ours_only_with_the_very_host_and_port() {
        let own = |origin: &'static str| is_own_origin(&HeaderValue::from_static(origin), "localhost:8000");
        assert!(own("http://localhost:8000") && own("https://LOCALHOST:8000"));
        for foreign in [
            "null",
            "http://localhost",
            "http://localhost:80001",
            "http://evil.example",
            "ftp://localhost:8000",
        ] {
            assert!(!own(foreign), "{foreign}");
        }
    }
}
