//! `branchline logs`: the log of a run, as it is or as it grows.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use branchline_web::json;

use super::named;
use crate::cli;
use crate::client::Client;
use crate::show::{print, words};

/// How often it is looked whether another attempt was begun.
const LOOK_FOR_NEXT: Duration = Duration::from_millis(500);

/// Copies the log to standard output, byte for byte.
pub async fn logs(arguments: &cli::Logs) -> anyhow::Result<ExitCode> {
    let Some(named) = named(&arguments.run, true) else { return Ok(ExitCode::from(2)) };
    let client = Client::find(&arguments.server)?;
    let path = client.run_path(&named, &arguments.repository).await?;
    if arguments.server.json {
        // What is known of the run itself; its log is no JSON.
        return print(&format!("{:#}\n", client.get(&path).await?));
    }
    let mut attempt = arguments.attempt.map(|number| format!("&attempt={number}")).unwrap_or_default();
    let mut offset = arguments.offset;
    let mut line = arguments.line;
    loop {
        // Where a line begins is asked once; from there on bytes are counted.
        let from = line.take().map_or_else(|| format!("offset={offset}"), |line| format!("line={line}"));
        let query = format!("{path}/log?{from}&follow={}{attempt}", arguments.follow);
        let mut response = client.stream(&query).await?;
        let header =
            |name: &str| -> Option<String> { Some(response.headers().get(name)?.to_str().ok()?.to_owned()) };
        let length: Option<u64> = header("branchline-log-length").and_then(|text| text.parse().ok());
        offset = header("branchline-log-offset").and_then(|text| text.parse().ok()).unwrap_or(offset);
        let closed = header("branchline-log-closed").is_some_and(|text| text == "true");
        // There was none when the answer began: then it is the first one's.
        let number = header("branchline-log-attempt").and_then(|text| text.parse().ok()).unwrap_or(1);
        let mut output = std::io::stdout().lock();
        let mut copied = 0u64;
        while let Some(bytes) = response.chunk().await.context("the log broke off")? {
            copied += bytes.len() as u64;
            if let Err(error) = output.write_all(&bytes).and_then(|()| output.flush()) {
                if error.kind() == std::io::ErrorKind::BrokenPipe {
                    return Ok(ExitCode::SUCCESS);
                }
                return Err(error).context("cannot write the log");
            }
        }
        drop(output);
        offset += copied;
        if !arguments.follow {
            // A long log comes in parts.
            match length {
                Some(length) if offset < length && copied > 0 => continue,
                _ => return Ok(ExitCode::SUCCESS),
            }
        }
        // The stream ends with the log, or when the controller does: then it goes on from here. A log is closed before it is
        // written whether its run has ended or is tried again.
        let details: json::RunDetails = serde_json::from_value(client.get(&path).await?)?;
        let run = &details.run;
        if run.attempts > 0 {
            attempt = format!("&attempt={number}");
        }
        if arguments.attempt.is_none() && number < run.attempts {
            crate::say(&words::next_attempt(number + 1));
            offset = 0;
            attempt = format!("&attempt={}", number + 1);
        } else if run.ended || number < run.attempts || (arguments.attempt.is_some() && closed) {
            return Ok(ExitCode::SUCCESS);
        } else if closed || run.again.is_some() {
            tokio::time::sleep(LOOK_FOR_NEXT).await;
        } else if copied == 0 {
            bail!("the log broke off before its run has ended; say --offset {offset} to go on");
        }
    }
}
