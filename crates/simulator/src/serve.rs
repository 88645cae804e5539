//! The other side of a store in a process of its own: a SQLite store, served until its caller is gone.

use std::io::{self, BufRead, Write};
use std::path::Path;

use branchline_ports::{CommitError, Store, StoreError};
use branchline_store::SqliteStore;

use crate::speech::{Answer, Request};

/// Serves the store in this file, one request after the other, until standard input ends.
///
/// # Errors
/// The store cannot be opened, or a request cannot be understood.
pub fn serve_store(file: &Path) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let store = SqliteStore::open(file).map_err(io::Error::other)?;
    let mut output = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let request = Request::parse(&line?)?;
        let answer = runtime.block_on(answer(&store, request));
        output.write_all(format!("{}\n", answer.text()?).as_bytes())?;
        output.flush()?;
    }
    Ok(())
}

async fn answer(store: &SqliteStore, request: Request) -> Answer {
    let failed = |error: StoreError| Answer::Failed { why: error.to_string() };
    match request {
        Request::Read { keys } => store.read(&keys).await.map_or_else(failed, Answer::Rows),
        Request::Page { page } => {
            let rows = store.page(&page).await;
            rows.map_or_else(failed, |rows| Answer::Rows(rows.into_iter().map(Some).collect()))
        }
        Request::Commit { changes } => match store.commit_if_unchanged(changes).await {
            Ok(()) => Answer::Done,
            Err(CommitError::Conflict { key }) => Answer::Conflict { key },
            Err(CommitError::Store(error)) => failed(error),
        },
    }
}
