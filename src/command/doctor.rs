//! `branchline doctor`: checks the data folder, and repairs it where that is asked for.

use std::process::ExitCode;

use crate::cli;
use crate::embedded::{Data, check_up};
use crate::show::{print, words};

/// Prints what is wrong. 0 where nothing is (any more), 1 where something is, 2 where that cannot be said.
pub async fn doctor(arguments: &cli::Doctor) -> anyhow::Result<ExitCode> {
    let checkup = match Data::at(arguments.data.folder.as_deref()) {
        Ok(data) => check_up(&data, arguments.repair).await,
        Err(error) => Err(error.into()),
    };
    let checkup = match checkup {
        Ok(checkup) => checkup,
        Err(error) => {
            crate::say(&format!("error: {error:#}"));
            return Ok(ExitCode::from(2));
        }
    };
    if arguments.json {
        print(&format!("{:#}\n", serde_json::to_value(&checkup)?))?;
    } else {
        print(&words::checkup(&checkup, arguments.repair))?;
    }
    Ok(if checkup.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
