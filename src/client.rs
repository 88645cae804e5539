//! The commands' side of the API: finds the controller, asks it, and turns its errors into sentences.

use std::path::Path;

use anyhow::{Context, bail};
use branchline_web::json;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;

use crate::cli;
use crate::embedded::Data;

/// A controller to ask.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// A build, or a run of it, as a person names it: `12`, `app/12`, `12/test`, `app/12/3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The repository, where it was named.
    pub repository: Option<String>,
    /// The build's number.
    pub build: u64,
    /// The run: its number, or its job's name.
    pub run: Option<String>,
}

impl Named {
    /// Reads what a person wrote.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number > 0);
        // The run of a matrix is called by its job and its cell, with a slash between them.
        let run = |run: Option<&str>| run.map(|run| (!run.is_empty()).then(|| run.to_owned()));
        let split = |text: &'_ str| match text.split_once('/') {
            Some((first, rest)) => (first.to_owned(), Some(rest.to_owned())),
            None => (text.to_owned(), None),
        };
        let (first, rest) = split(text);
        match (number(&first), rest) {
            (Some(build), rest) => match run(rest.as_deref()) {
                Some(None) => None,
                run => Some(Self { repository: None, build, run: run.flatten() }),
            },
            (None, Some(rest)) if !first.is_empty() => {
                let (second, rest) = split(&rest);
                match (number(&second), run(rest.as_deref())) {
                    (None, _) | (_, Some(None)) => None,
                    (Some(build), run) => Some(Self { repository: Some(first), build, run: run.flatten() }),
                }
            }
            (None, _) => None,
        }
        .with_context(|| {
            format!("`{text}` names no build or run: write 12 for a build, 12/test for a run of it, with REPOSITORY/ before it where there are several")
        })
    }
}

impl Client {
    /// Finds the controller: as told, or the one that uses the data folder.
    pub fn find(server: &cli::Server) -> anyhow::Result<Self> {
        let data = Data::at(server.data.folder.as_deref())?;
        let url = match &server.url {
            Some(url) => url.clone(),
            None => data.address()?.with_context(|| {
                format!(
                    "no controller uses the data folder `{}`: start one with `branchline up`, or say --server URL",
                    data.folder().display()
                )
            })?,
        };
        let token = match std::env::var("BRANCHLINE_TOKEN").ok().filter(|token| !token.is_empty()) {
            Some(token) => token,
            None => std::fs::read_to_string(data.token_file())
                .with_context(|| {
                    format!(
                        "no token: set BRANCHLINE_TOKEN; `{}` cannot be read",
                        data.token_file().display()
                    )
                })?
                .trim()
                .to_owned(),
        };
        let url = url.trim_end_matches('/').to_owned();
        if !url.starts_with("http://") && !url.starts_with("https://") {
            bail!("`{url}` is no controller's address: write it as http://HOST:PORT");
        }
        let http = reqwest::Client::builder()
            .user_agent(concat!("branchline/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, url, token })
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        let response = request.bearer_auth(&self.token).send().await.map_err(|error| {
            if error.is_connect() {
                anyhow::anyhow!("no controller answers at {}: is `branchline up` running?", self.url)
            } else {
                anyhow::Error::from(error.without_url())
                    .context(format!("asking the controller at {} failed", self.url))
            }
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        match serde_json::from_str::<json::Failure>(&text) {
            Ok(json::Failure { error: json::FailureFacts { message, hint: Some(hint), .. } }) => {
                bail!("{message}\n{}", crate::show::words::hint(&hint))
            }
            Ok(json::Failure { error }) => bail!("{}", error.message),
            Err(_) if status == StatusCode::UNAUTHORIZED => {
                bail!("the controller at {} does not accept the token", self.url)
            }
            Err(_) => bail!("the controller at {} answers {status}", self.url),
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}/api/v1/{path}", self.url))
    }

    /// Asks for JSON.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(self.send(self.request(Method::GET, path)).await?.json().await?)
    }

    /// Asks for something to be done.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        Ok(self.send(self.request(Method::POST, path).json(body)).await?.json().await?)
    }

    /// Asks for bytes as they come.
    pub async fn stream(&self, path: &str) -> anyhow::Result<Response> {
        self.send(self.request(Method::GET, path)).await
    }

    /// The id of the repository that is meant: as named, or the one of the current folder, or the only one.
    pub async fn repository(&self, named: Option<&str>) -> anyhow::Result<String> {
        let json::Repositories { repositories } = serde_json::from_value(self.get("repositories").await?)?;
        let known: Vec<(String, String)> =
            repositories.into_iter().map(|repository| (repository.id, repository.name)).collect();
        let here = std::env::current_dir().ok();
        choose(&known, named, here.as_deref())
    }
}

impl Client {
    /// The path of a build below the API.
    pub async fn build_path(&self, named: &Named, which: &cli::WhichRepository) -> anyhow::Result<String> {
        let repository = named.repository.as_deref().or(which.repository.as_deref());
        let id = self.repository(repository).await?;
        Ok(format!("repositories/{id}/builds/{}", named.build))
    }

    /// The path of a run below the API: its number as it is, a job's name looked up in the build.
    pub async fn run_path(&self, named: &Named, which: &cli::WhichRepository) -> anyhow::Result<String> {
        let build = self.build_path(named, which).await?;
        let run = named.run.as_deref().unwrap_or_default();
        if run.parse::<u32>().is_ok_and(|index| index > 0) {
            return Ok(format!("{build}/runs/{run}"));
        }
        let details: json::BuildDetails = serde_json::from_value(self.get(&build).await?)?;
        match details.runs.iter().rfind(|known| known.label == run) {
            Some(known) => Ok(format!("{build}/runs/{}", known.index)),
            None => {
                let jobs: Vec<&str> = details.runs.iter().map(|run| run.label.as_str()).collect();
                bail!("{}", crate::show::words::no_such_job(&details.build.pipeline, run, &jobs))
            }
        }
    }
}

/// Chooses among `(id, name)`.
fn choose(known: &[(String, String)], named: Option<&str>, here: Option<&Path>) -> anyhow::Result<String> {
    let list = || known.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(", ");
    let found: Vec<&(String, String)> = match named {
        Some(named) => {
            let exact: Vec<_> = known.iter().filter(|(id, name)| id == named || name == named).collect();
            if exact.is_empty() {
                let end = format!("/{}", named.trim_end_matches('/'));
                known.iter().filter(|(_, name)| name.ends_with(&end)).collect()
            } else {
                exact
            }
        }
        None if known.len() == 1 => known.iter().collect(),
        None => known
            .iter()
            .filter(|(_, name)| here.is_some_and(|here| name.starts_with('/') && here.starts_with(name)))
            .collect(),
    };
    match (found.as_slice(), named) {
        ([(id, _)], _) => Ok(id.clone()),
        ([], _) if known.is_empty() => bail!("the controller serves no repository"),
        ([], Some(named)) => bail!("no repository is called `{named}`; there are {}", list()),
        (_, Some(named)) => bail!("several repositories are called `{named}`: say one of {}", list()),
        (_, None) => bail!("which repository? Say --repository with one of {}", list()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<(String, String)> {
        [("app-1", "github.com/acme/app"), ("app-2", "/srv/app"), ("lib-3", "/srv/lib")]
            .map(|(id, name)| (id.to_owned(), name.to_owned()))
            .into()
    }

    #[test]
    fn a_repository_is_found_by_id_name_and_end_of_name() {
        for (named, id) in [("app-1", "app-1"), ("/srv/app", "app-2"), ("lib", "lib-3"), ("srv/lib", "lib-3")]
        {
            assert_eq!(choose(&known(), Some(named), None).unwrap(), id, "{named}");
        }
        assert!(choose(&known(), Some("app"), None).unwrap_err().to_string().starts_with("several"));
        assert!(
            choose(&known(), Some("nope"), None).unwrap_err().to_string().contains("app-1, app-2, lib-3")
        );
    }

    #[test]
    fn the_current_folder_says_which_repository_is_meant() {
        assert_eq!(choose(&known(), None, Some(Path::new("/srv/lib/src"))).unwrap(), "lib-3");
        assert!(choose(&known(), None, Some(Path::new("/home"))).is_err());
    }

    #[test]
    fn builds_and_runs_are_named_briefly() {
        let named =
            |text: &str| Named::parse(text).ok().map(|named| (named.repository, named.build, named.run));
        assert_eq!(named("12"), Some((None, 12, None)));
        assert_eq!(named("12/test"), Some((None, 12, Some("test".into()))));
        assert_eq!(named("app/12"), Some((Some("app".into()), 12, None)));
        assert_eq!(named("app/12/test"), Some((Some("app".into()), 12, Some("test".into()))));
        // The runs of a matrix are called by their cells.
        assert_eq!(named("12/test/1.95-x"), Some((None, 12, Some("test/1.95-x".into()))));
        assert_eq!(named("app/12/test/x"), Some((Some("app".into()), 12, Some("test/x".into()))));
        for wrong in ["", "0", "test", "12/", "/12", "a/b", "a/b/c", "app/12/", "a/0/b"] {
            assert_eq!(named(wrong), None, "{wrong}");
        }
    }
}
