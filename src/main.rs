//! The `branchline` binary: reads the command line and hands over to the command.

use std::process::ExitCode;
use std::time::Duration;

use branchline::cli::{Cli, Command};
use branchline::show::Paint;
use branchline::{command, say};
use clap::Parser;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // Supervisors and their spawner are this binary too: they must begin before any thread or large allocation.
    if let Some(code) = branchline_supervisor::main_if_asked() {
        return code;
    }
    let cli = Cli::parse();
    let filter = EnvFilter::try_from_env("BRANCHLINE_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(Paint::stderr().is_on())
        .init();
    branchline_checkout::install_tls();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("error: cannot start: {error}"));
            return ExitCode::FAILURE;
        }
    };
    branchline::embedded::raise_open_files();
    let code = match runtime.block_on(carry_out(cli.command)) {
        Ok(code) => code,
        Err(error) => {
            say(&format!("error: {}", sentence(&error)));
            ExitCode::FAILURE
        }
    };
    // What still blocks, a server that does not answer for one, does not keep the end waiting.
    runtime.shutdown_timeout(Duration::from_millis(500));
    code
}

async fn carry_out(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(arguments) => command::up::up(&arguments).await,
        Command::Run(arguments) => command::run::run(&arguments).await,
        Command::Demo(arguments) => command::demo::demo(&arguments).await,
        Command::Init(arguments) => command::init::init(&arguments),
        Command::Lint(arguments) => command::lint::lint(&arguments),
        Command::Plan(arguments) => command::plan::plan(&arguments).await,
        Command::Explain(arguments) => command::explain::explain(&arguments).await,
        Command::Builds(arguments) => command::builds::builds(&arguments).await,
        Command::Build(arguments) => command::build::build(&arguments).await,
        Command::Logs(arguments) => command::logs::logs(&arguments).await,
        Command::Artifacts(arguments) => command::artifacts::artifacts(&arguments).await,
        Command::Start(arguments) => command::start::start(&arguments).await,
        Command::Cancel(arguments) => command::cancel::cancel(&arguments).await,
        Command::Effects(arguments) => command::effects::effects(&arguments).await,
        Command::Doctor(arguments) => command::doctor::doctor(&arguments).await,
    }
}

/// An error with its causes, in one line; a hint, where there is one, on its own.
fn sentence(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // Many errors repeat their cause; saying it once is enough.
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}
