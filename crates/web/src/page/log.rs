//! The log on a run's page: a window of it, its lines grouped by steps. Invariant: what is shown is bounded, and its end is
//! a position from which the live stream goes on without losing or repeating a line.

use askama::Template;
use branchline_controller::RunView;
use branchline_model::AttemptId;

use super::words;
use crate::api::log::PART;
use crate::failure::Failure;
use crate::log::window::{self, Line, MOST_BYTES, MOST_LINES, Position, Window};
use crate::web::App;

/// Lines under the step that wrote them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The step's number from 1 and its title; `None` before the first.
    pub(crate) step: Option<(u32, String)>,
    pub(crate) lines: Vec<Line>,
}

/// Where each step's output begins, in ascending order: offset, number from 1, title.
pub(crate) type StepStarts = Vec<(u64, u32, String)>;

#[derive(Template)]
#[template(path = "lines.html")]
pub(crate) struct Lines<'a> {
    pub(crate) groups: &'a [Group],
    /// Whether the first group goes on with the one that is shown already.
    pub(crate) goes_on: bool,
    /// The line that has no end yet.
    pub(crate) open: Option<&'a Line>,
}

/// A part of a log, ready for the page.
pub(crate) struct Shown {
    pub(crate) html: String,
    /// Where the live stream goes on.
    pub(crate) next: Position,
    /// What part it is, in words.
    pub(crate) extent: String,
    /// Where earlier lines begin, and what comes after, where there is something.
    pub(crate) earlier: Option<u64>,
    pub(crate) later: Option<Position>,
    pub(crate) is_empty: bool,
    pub(crate) is_closed: bool,
    /// How many bytes of it there are.
    pub(crate) stored: u64,
}

/// Where the output of an attempt's steps begins.
pub(crate) fn step_starts(view: &RunView, attempt: &AttemptId) -> StepStarts {
    let Some(attempt) = view.attempts.iter().find(|one| one.attempt.id == *attempt) else {
        return Vec::new();
    };
    crate::api::steps_of(attempt)
        .iter()
        .map(|record| {
            let defined = usize::try_from(record.index).ok().and_then(|at| view.definition.steps.get(at));
            (record.log_offset, record.index + 1, defined.map(|step| step.title.clone()).unwrap_or_default())
        })
        .collect()
}

/// Puts lines under their steps.
pub(crate) fn group(lines: Vec<Line>, steps: &StepStarts) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for line in lines {
        let step = step_at(steps, line.offset);
        match groups.last_mut() {
            Some(group)
                if group.step.as_ref().map(|(number, _)| *number)
                    == step.as_ref().map(|(number, _)| *number) =>
            {
                group.lines.push(line);
            }
            _ => groups.push(Group { step, lines: vec![line] }),
        }
    }
    groups
}

/// The step that wrote what is at an offset.
pub(crate) fn step_at(steps: &StepStarts, offset: u64) -> Option<(u32, String)> {
    let last = steps.iter().take_while(|(start, _, _)| *start <= offset).last()?;
    Some((last.1, last.2.clone()))
}

/// Reads at most so many bytes, in parts.
async fn read(
    app: &App,
    attempt: &AttemptId,
    offset: u64,
    most: usize,
) -> Result<branchline_ports::LogPart, Failure> {
    let mut whole = app.controller.read_log(attempt, offset, most.min(PART)).await?;
    while whole.bytes.len() < most {
        let next = offset + whole.bytes.len() as u64;
        let part = app.controller.read_log(attempt, next, (most - whole.bytes.len()).min(PART)).await?;
        if part.bytes.is_empty() {
            break;
        }
        whole.bytes.extend(part.bytes);
        // The first time of a part may be the last one of the part before.
        let last = whole.times.last().map(|time| time.offset);
        whole.times.extend(part.times.into_iter().filter(|time| Some(time.offset) > last));
        whole.log = part.log;
    }
    Ok(whole)
}

/// The window at a position, or the log's end where none is given.
pub(crate) async fn show(
    app: &App,
    attempt: &AttemptId,
    from: Option<Position>,
    steps: &StepStarts,
) -> Result<Shown, Failure> {
    let log = app.controller.read_log(attempt, 0, 0).await?.log;
    let (start, bytes, times) = match from {
        Some(from) => {
            let from = Position { offset: from.offset.min(log.bytes), ..from };
            let part = read(app, attempt, from.offset, MOST_BYTES).await?;
            (from, part.bytes, part.times)
        }
        None => {
            let offset = log.bytes.saturating_sub(MOST_BYTES as u64);
            let most = usize::try_from(log.bytes - offset).unwrap_or(MOST_BYTES);
            let part = read(app, attempt, offset, most).await?;
            let mut bytes = part.bytes;
            let left_out = window::tail(&bytes, offset == 0, MOST_LINES);
            bytes.drain(..left_out);
            (Position::at(offset + left_out as u64, false), bytes, part.times)
        }
    };
    let end = start.offset + bytes.len() as u64;
    let is_last = end >= log.bytes;
    // What the window leaves of a line is shown with the next one, unless nothing comes after it.
    let cut = window::cut(&bytes, start, &times, log.closed && is_last, MOST_LINES);
    let Window { lines, open, next } = cut;
    let open = open.filter(|_| is_last);
    let is_complete = next.offset >= log.bytes || (is_last && open.is_some());
    let is_empty = lines.is_empty() && open.is_none();
    let groups = group(lines, steps);
    let html =
        Lines { groups: &groups, goes_on: false, open: open.as_ref() }.render().map_err(Failure::defect)?;
    Ok(Shown {
        html,
        extent: if start.offset == 0 && is_complete {
            words::whole_log(log.bytes)
        } else {
            words::part_of_log(start.offset, if is_complete { log.bytes } else { next.offset }, log.bytes)
        },
        earlier: (start.offset > 0).then(|| start.offset.saturating_sub(MOST_BYTES as u64)),
        later: (!is_complete).then_some(next),
        next,
        is_empty,
        stored: log.bytes,
        is_closed: log.closed,
    })
}
