//! The style sheet and the script: one file each, under names that change with their content, so that browsers may keep
//! them for ever. The login page needs the style sheet, which therefore answers to anyone: it is the same everywhere.

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::access::hexadecimal;
use crate::failure::Failure;
use crate::log::style::palette;
use crate::web::App;

const STYLE: &str = include_str!("../../assets/style.css");
const SCRIPT: &str = include_str!("../../assets/live.js");

/// The files and their addresses.
pub(crate) struct Assets {
    style: String,
    style_path: String,
    script_path: String,
}

impl Assets {
    pub(crate) fn new() -> Self {
        let style = format!("{STYLE}\n{}", palette());
        Self {
            style_path: format!("/login/style-{}.css", digest(&style)),
            script_path: format!("/assets/live-{}.js", digest(SCRIPT)),
            style,
        }
    }

    pub(crate) fn style_path(&self) -> &str {
        &self.style_path
    }

    pub(crate) fn script_path(&self) -> &str {
        &self.script_path
    }
}

fn digest(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes())[..8])
}

/// `GET /login/{style}`
pub(crate) async fn style(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Failure> {
    file(&name, "/login/", app.assets.style_path(), "text/css; charset=utf-8", app.assets.style.clone())
}

/// `GET /assets/{script}`
pub(crate) async fn script(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Failure> {
    file(&name, "/assets/", app.assets.script_path(), "text/javascript; charset=utf-8", SCRIPT.to_owned())
}

fn file(
    name: &str,
    folder: &str,
    path: &str,
    kind: &'static str,
    content: String,
) -> Result<Response, Failure> {
    if path.strip_prefix(folder) != Some(name) {
        return Err(Failure::not_found(format!("there is no file `{folder}{name}`"))
            .hint("reload the page: it may be from before an upgrade"));
    }
    let kept = "public, max-age=31536000, immutable";
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, kept)], content).into_response())
}
