//! `branchline artifacts`: what a build's runs have made and kept, listed or downloaded.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use branchline_archive::unpack;
use branchline_model::Digest;
use branchline_web::json;
use sha2::{Digest as _, Sha256};

use crate::cli;
use crate::client::{Client, Named};
use crate::show::{Table, print, words};

/// Lists the artifacts of a build or of a run; with `--download`, unpacks them too.
pub async fn artifacts(arguments: &cli::Artifacts) -> anyhow::Result<ExitCode> {
    let named = match Named::parse(&arguments.what) {
        Ok(named) => named,
        Err(error) => {
            crate::say(&format!("error: {error}"));
            return Ok(ExitCode::from(2));
        }
    };
    let client = Client::find(&arguments.server)?;
    let mut found = Vec::new();
    for path in run_paths(&client, &named, &arguments.repository).await? {
        let details: json::RunDetails = serde_json::from_value(client.get(&path).await?)?;
        let last = details.run.attempts;
        let of_last = details.artifacts.into_iter().filter(|artifact| artifact.attempt == last);
        let wanted = of_last.filter(|one| arguments.name.as_ref().is_none_or(|name| one.name == *name));
        found.extend(wanted.map(|artifact| (details.run.clone(), artifact)));
    }
    if let (Some(name), true) = (&arguments.name, found.is_empty()) {
        bail!("there is no artifact `{name}`");
    }
    if arguments.server.json {
        let list: Vec<&json::Artifact> = found.iter().map(|(_, artifact)| artifact).collect();
        print(&format!("{:#}\n", serde_json::to_value(list)?))?;
    } else {
        let mut table = Table::new(&words::ARTIFACTS_COLUMNS);
        for (run, artifact) in &found {
            table.row(vec![
                run.index.to_string(),
                run.job.clone(),
                artifact.name.clone(),
                words::size(artifact.bytes),
                artifact.sha256.clone(),
            ]);
        }
        print(&table.render())?;
    }
    if let Some(folder) = &arguments.download {
        for (run, artifact) in &found {
            let into = download(&client, run, artifact, folder).await?;
            crate::say(&words::downloaded(&artifact.name, &into));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The paths of the runs that are meant, below the API.
async fn run_paths(
    client: &Client,
    named: &Named,
    which: &cli::WhichRepository,
) -> anyhow::Result<Vec<String>> {
    if named.run.is_some() {
        return Ok(vec![client.run_path(named, which).await?]);
    }
    let build = client.build_path(named, which).await?;
    let details: json::BuildDetails = serde_json::from_value(client.get(&build).await?)?;
    Ok(details.runs.iter().map(|run| format!("{build}/runs/{}", run.index)).collect())
}

/// Downloads an artifact, checks it, and unpacks it into a folder of its own, which must not be there.
async fn download(
    client: &Client,
    run: &json::Run,
    artifact: &json::Artifact,
    folder: &Path,
) -> anyhow::Result<PathBuf> {
    let into = folder.join(&run.job).join(run.index.to_string()).join(&artifact.name);
    if into.exists() {
        bail!("`{}` is there already: remove it, or choose another folder", into.display());
    }
    let path = artifact.path.strip_prefix("/api/v1/").unwrap_or(&artifact.path);
    let mut response = client.stream(path).await?;
    let mut file: File = tempfile::tempfile().context("no temporary file can be made")?;
    let mut hasher = Sha256::new();
    while let Some(bytes) = response.chunk().await.context("the download broke off")? {
        hasher.update(&bytes);
        file.write_all(&bytes).context("the temporary file cannot be written")?;
    }
    if Digest(hasher.finalize().into()).to_string() != artifact.sha256 {
        bail!("what was downloaded of `{}` is damaged: its SHA-256 is another one; try again", artifact.name);
    }
    file.rewind().context("the temporary file cannot be read")?;
    unpack(&mut file, &into).with_context(|| format!("`{}` could not be unpacked", artifact.name))?;
    Ok(into)
}
