//! Who may pass.

use axum::body::Body;
use axum::http::StatusCode;
use branchline_web::routes;

use crate::site::{HELLO, HOST, Site, TOKEN, authorised, request};

/// A path of a route, with something in the place of its parameters.
fn filled(site: &Site, path: &str) -> String {
    path.replace("{repository}", site.repository.as_str())
        .replace("{number}", "1")
        .replace("{index}", "1")
        .replace("{script}", "live.js")
        .replace("{style}", "style.css")
        .replace("{*key}", "some/key")
        .replace("{*name}", "app")
}

/// Logs in as a browser: answers the cookie and the form token of a page.
async fn logged_in(site: &Site) -> (String, String) {
    let answer = site.send(request("GET", &format!("/?token={TOKEN}")).body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/"));
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/"));
    assert!(!cookie.contains(TOKEN));
    let pair = cookie.split(';').next().unwrap().to_owned();
    let page = request("GET", &site.path("")).header("cookie", &pair).body(Body::empty()).unwrap();
    let page = site.send(page).await;
    assert_eq!(page.status, StatusCode::OK);
    let (_, rest) = page.body.split_once("name=\"form_token\" value=\"").unwrap();
    (pair, rest.split('"').next().unwrap().to_owned())
}

#[tokio::test]
async fn every_route_but_the_probe_and_the_login_is_closed() {
    let site = Site::with(&[("hello", HELLO)]).await;
    site.push().await;
    let mut open = Vec::new();
    for route in routes() {
        let path = filled(&site, route.path);
        let bare = site.send(request(route.method, &path).body(Body::empty()).unwrap()).await;
        if route.open {
            open.push(route.path);
            assert!(!bare.body.contains("acme"), "{path} says what is here");
            continue;
        }
        assert_eq!(bare.status, StatusCode::UNAUTHORIZED, "{} {path} without a token", route.method);
        assert!(!bare.body.contains("acme"), "{path}: {}", bare.body);
        for wrong in ["Bearer wrong", "Basic a-token-that-nobody-guesses", "Bearer", ""] {
            let guess = request(route.method, &path).header("authorization", wrong);
            let guess = site.send(guess.body(Body::empty()).unwrap()).await;
            assert_eq!(guess.status, StatusCode::UNAUTHORIZED, "{path} with `{wrong}`");
        }
        let guess = request(route.method, &path).header("cookie", format!("branchline={TOKEN}"));
        let guess = site.send(guess.body(Body::empty()).unwrap()).await;
        assert_eq!(guess.status, StatusCode::UNAUTHORIZED, "{path} with a cookie of one's own");
    }
    assert_eq!(open, ["/healthz", "/login", "/login/{style}"]);
}

#[tokio::test]
async fn what_is_not_there_is_closed_too() {
    let site = Site::with(&[]).await;
    for path in ["/nowhere", "/api/v1/nowhere", "/api/v2/repositories"] {
        let answer = site.send(request("GET", path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(site.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn every_route_refuses_a_host_that_is_not_ours() {
    let site = Site::with(&[("hello", HELLO)]).await;
    site.push().await;
    for route in routes().filter(|route| route.path != "/healthz") {
        let path = filled(&site, route.path);
        for foreign in ["evil.example", "127.0.0.1", "127.0.0.1:8081", "localhost:8080.evil.example"] {
            let mut request = authorised(route.method, &path).body(Body::empty()).unwrap();
            request.headers_mut().insert("host", foreign.parse().unwrap());
            let answer = site.send(request).await;
            assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{path} at {foreign}");
        }
    }
    let mut nameless = authorised("GET", "/").body(Body::empty()).unwrap();
    nameless.headers_mut().remove("host");
    assert_eq!(site.send(nameless).await.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn every_change_refuses_the_page_of_another_site() {
    let site = Site::with(&[("hello", HELLO)]).await;
    site.push().await;
    for route in routes().filter(|route| route.method != "GET") {
        let path = filled(&site, route.path);
        for foreign in ["http://evil.example", "null", "http://127.0.0.1:9999"] {
            let request = authorised(route.method, &path).header("origin", foreign);
            let answer = site.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} from {foreign}");
        }
    }
}

#[tokio::test]
async fn a_cookie_alone_changes_nothing() {
    let site = Site::with(&[("hello", HELLO)]).await;
    site.push().await;
    let (cookie, token) = logged_in(&site).await;
    let origin = format!("http://{HOST}");
    for route in routes().filter(|route| route.method != "GET" && !route.open) {
        let path = filled(&site, route.path);
        for body in ["", "form_token=", "form_token=0123"] {
            let request = request("POST", &path)
                .header("cookie", &cookie)
                .header("origin", &origin)
                .header("content-type", "application/x-www-form-urlencoded");
            let answer = site.send(request.body(Body::from(body)).unwrap()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path} with `{body}`");
        }
    }
    let cancel = site.path("/builds/1/cancel");
    let request = request("POST", &cancel)
        .header("cookie", &cookie)
        .header("origin", &origin)
        .header("content-type", "application/x-www-form-urlencoded");
    let answer = site.send(request.body(Body::from(format!("form_token={token}"))).unwrap()).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, &*site.path("/builds/1")));
}

#[tokio::test]
async fn the_token_in_an_address_is_exchanged_for_a_cookie_and_taken_out() {
    let site = Site::with(&[("hello", HELLO)]).await;
    let deep = format!("{}?before=9&token={TOKEN}", site.path(""));
    let answer = site.send(request("GET", &deep).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("location"), format!("{}?before=9", site.path("")));
    let wrong = site.send(request("GET", "/?token=wrong").body(Body::empty()).unwrap()).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(wrong.body.contains("That is not the access token."), "{}", wrong.body);
    let api = site
        .send(request("GET", &format!("/api/v1/repositories?token={TOKEN}")).body(Body::empty()).unwrap());
    assert_eq!(api.await.status, StatusCode::UNAUTHORIZED, "programs do not put tokens into addresses");
}

#[tokio::test]
async fn the_login_form_leads_back_and_never_to_another_server() {
    let site = Site::with(&[]).await;
    for (next, to) in
        [("/repositories/app", "/repositories/app"), ("//evil.example/", "/"), ("https://x", "/")]
    {
        let form = format!("token={TOKEN}&next={next}");
        let request = request("POST", "/login").header("content-type", "application/x-www-form-urlencoded");
        let answer = site.send(request.body(Body::from(form)).unwrap()).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, to), "{next}");
    }
}

#[tokio::test]
async fn without_a_token_a_person_reads_where_to_find_it() {
    let site = Site::with(&[]).await;
    let answer = site.send(request("GET", "/").body(Body::empty()).unwrap()).await;
    assert!(
        answer.body.contains("<code>branchline up</code> prints a link with the token"),
        "{}",
        answer.body
    );
    let program = site.send(request("GET", "/api/v1/repositories").body(Body::empty()).unwrap()).await;
    insta::assert_snapshot!(program.body, @r#"{"error":{"code":"no_token","message":"this needs the access token","hint":"it is in the file `token` of the server's data folder: give the commands its text in `BRANCHLINE_TOKEN`, and send it as a bearer token from programs"}}"#);
    assert_eq!(program.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn every_answer_forbids_inline_scripts_frames_sniffing_and_referrers() {
    let site = Site::with(&[("hello", HELLO)]).await;
    for path in ["/", "/healthz", "/nowhere", "/api/v1/repositories", "/api/v1/stream?x=1"] {
        let answer = site.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
    let page = site.get("/").await.body;
    assert!(!page.contains("<script>") && !page.contains(" style=") && !page.contains(" onclick"), "{page}");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let site = Site::with(&[("hello", HELLO)]).await;
    let answer = site.post(&site.api("/start"), &" ".repeat(64 * 1024 + 1)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json()["error"]["code"], "too_large");
}
