//! `branchline plan`: what an event would build of the working tree's pipelines, and why. It is decided by the same core as
//! in the controller, from the files as they are and git's facts about what is checked out; nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::Context;
use branchline_controller::{ask_git, check};
use branchline_core::build::{self, Decision};
use branchline_core::intent::{self, SpecFile};
use branchline_core::pools::Setting;
use branchline_model::{
    Actor, Against, BuildDefinition, Change, CommitId, Event, EventKey, EventKind, EventStatus, PipelineName,
    PullRequest, RefName, Repository, RepositoryId, RepositoryName, Row, Run, RunState, Timestamp, Version,
    Versioned,
};
use branchline_ports::Checkout;
use serde_json::json;

use crate::cli::{self, PlanEvent};
use crate::embedded::WorkingTree;
use crate::show::{Paint, print, words};

/// Prints what would be built; the exit code is 2 where a file is wrong, 1 where nothing would be built of what was named.
pub async fn plan(arguments: &cli::Plan) -> anyhow::Result<ExitCode> {
    let here = std::env::current_dir().context("the current folder cannot be read")?;
    let tree = WorkingTree::around(&here)?;
    let files = check(&tree.pipeline_files()?);
    let mut decided = Vec::new();
    for (kind, files) in events(arguments, &tree, &files)? {
        decided.push(decide(&tree, kind, &files).await?);
    }
    let is_wrong = files.iter().any(|file| is_named(arguments, file) && file.spec.is_err());
    if arguments.json {
        let values: Vec<_> = decided.iter().map(value).collect();
        print(&format!("{:#}\n", serde_json::Value::from(values)))?;
    } else if decided.is_empty() {
        crate::say(words::NOTHING_TO_PLAN);
    } else {
        print(&decided.iter().map(|decided| text(decided, &Paint::stdout())).collect::<String>())?;
    }
    Ok(ExitCode::from(if is_wrong { 2 } else { 0 }))
}

fn is_named(arguments: &cli::Plan, file: &SpecFile) -> bool {
    arguments.pipeline.as_ref().is_none_or(|name| file.name.as_str() == name)
}

/// The events that are meant, each with the files that it is held against.
fn events(
    arguments: &cli::Plan,
    tree: &WorkingTree,
    files: &[SpecFile],
) -> anyhow::Result<Vec<(EventKind, Vec<SpecFile>)>> {
    let files: Vec<SpecFile> = files.iter().filter(|file| is_named(arguments, file)).cloned().collect();
    if let Some(name) = arguments.pipeline.as_ref().filter(|_| files.is_empty()) {
        anyhow::bail!("there is no pipeline `{name}` in `{}`", tree.root().join(".branchline").display());
    }
    let head = tree.head();
    let name = match &arguments.ref_name {
        None => head.ref_name,
        Some(text) if text.starts_with("refs/") => text.parse::<RefName>()?,
        Some(text) => RefName::Branch(text.clone()),
    };
    let commit = head.commit;
    let each = |make: &dyn Fn(&SpecFile) -> Vec<EventKind>| {
        files.iter().flat_map(|file| make(file).into_iter().map(|kind| (kind, vec![file.clone()]))).collect()
    };
    Ok(match arguments.event {
        PlanEvent::Push => {
            let kind = EventKind::RefMoved { name, before: None, after: commit, generation: 1 };
            vec![(kind, files)]
        }
        PlanEvent::PullRequest => {
            let request = PullRequest {
                number: 0,
                action: "opened".to_owned(),
                title: String::new(),
                labels: arguments.labels.clone(),
                fork: false,
                base: arguments.base.clone(),
            };
            let actor = Some(Actor::new(words::YOU));
            vec![(EventKind::PullRequest { request, name, commit, actor }, files)]
        }
        PlanEvent::Schedule => each(&|file| scheduled(file, &name, &commit)),
        PlanEvent::Manual => each(&|file| {
            vec![EventKind::ManualStart {
                pipeline: file.name.clone(),
                name: name.clone(),
                commit: commit.clone(),
                actor: Actor::new(words::YOU),
                inputs: arguments.inputs.iter().cloned().collect(),
            }]
        }),
    })
}

fn scheduled(file: &SpecFile, name: &RefName, commit: &CommitId) -> Vec<EventKind> {
    let entries = file.spec.as_ref().map_or(0, |pipeline| pipeline.on.schedule.len());
    let entries = u32::try_from(entries).unwrap_or(u32::MAX);
    let entry = |entry| EventKind::Schedule {
        pipeline: file.name.clone(),
        entry,
        slot: Timestamp(0),
        name: name.clone(),
        commit: commit.clone(),
    };
    (0..entries).map(entry).collect()
}

/// A decision, with the rows that it would write.
struct Decided {
    event: EventKind,
    decision: Decision,
    definitions: Vec<BuildDefinition>,
    runs: Vec<Run>,
}

async fn decide(tree: &WorkingTree, kind: EventKind, files: &[SpecFile]) -> anyhow::Result<Decided> {
    let name = RepositoryName::new(tree.root().to_string_lossy());
    let repository = Repository {
        id: RepositoryId::of(&name),
        url: name.to_string(),
        name,
        default_branch: None,
        first_seen: None,
        builds: 0,
    };
    let concerned = intent::concerned(&kind, &repository.id, files);
    let asks = branchline_core::facts::asks(concerned.iter().copied(), &kind);
    let mut facts = ask_git(tree, &repository.url, &kind, concerned).await?;
    if asks.changed && matches!(kind, EventKind::RefMoved { name: RefName::Branch(_), .. }) {
        // A push that has not happened yet is compared as its head commit is: with what that was made from.
        facts.changed = tree.changed_at(&repository.url, kind.commit(), &Against::FirstParent, None).await?;
    }
    let message = tree.message().await;
    let event = Event {
        key: EventKey::new("plan"),
        repository: repository.id.clone(),
        accepted_at: Timestamp(0),
        kind: kind.clone(),
        status: EventStatus::Pending { failures: 0, next_try: Timestamp(0), why: None, missing: None },
    };
    let versioned = |value| Versioned { value, version: Version(1) };
    let snapshot = build::Snapshot {
        repository: &Versioned { value: repository, version: Version(1) },
        event: &versioned(event),
        subject: message.lines().next().unwrap_or_default(),
        message: &message,
        author: words::YOU,
        files,
        facts: &facts,
        setting: &Setting::default(),
        read_at: Timestamp(0),
        page: None,
    };
    let decision = build::decide(&snapshot, Timestamp(0))?;
    let (mut definitions, mut runs) = (Vec::new(), Vec::new());
    for change in &decision.plan.changes {
        match change {
            Change::Put { row: Row::BuildDefinition(definition), .. } => definitions.push(definition.clone()),
            Change::Put { row: Row::Run(run), .. } => runs.push(run.clone()),
            _ => {}
        }
    }
    definitions.sort_by_key(|definition| definition.build.number);
    runs.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(Decided { event: kind, decision, definitions, runs })
}

fn pipeline_of(definition: &BuildDefinition) -> PipelineName {
    let name = definition.file.rsplit('/').next().unwrap_or(&definition.file);
    PipelineName::new(name.trim_end_matches(".yaml").trim_end_matches(".yml"))
}

fn runs_of<'d>(decided: &'d Decided, definition: &'d BuildDefinition) -> impl Iterator<Item = &'d Run> {
    decided.runs.iter().filter(|run| run.id.build == definition.build)
}

fn text(decided: &Decided, paint: &Paint) -> String {
    let event = &decided.event;
    let mut text = format!("{}\n", paint.bold(&words::planned_event(event)));
    for reason in &decided.decision.reasons {
        text.push_str(&format!("  {reason}\n"));
    }
    for definition in &decided.definitions {
        text.push_str(&format!("\n{}\n", paint.bold(pipeline_of(definition).as_str())));
        let needs: BTreeMap<_, _> = definition.jobs.iter().map(|job| (&job.name, &job.needs)).collect();
        for run in runs_of(decided, definition) {
            let needs: BTreeSet<String> =
                needs.get(&run.job).into_iter().copied().flatten().map(|need| need.job.to_string()).collect();
            text.push_str(&format!("  {}  {}\n", run.label(), words::planned_run(run, &needs)));
        }
        for problem in &definition.problems {
            text.push_str(&problem.rendered);
        }
    }
    text.push('\n');
    text
}

fn value(decided: &Decided) -> serde_json::Value {
    let builds: Vec<_> = decided
        .definitions
        .iter()
        .map(|definition| {
            let runs: Vec<_> = runs_of(decided, definition)
                .map(|run| {
                    let why = match &run.state {
                        RunState::Ended { reason, .. } => reason.as_ref().map(ToString::to_string),
                        _ => None,
                    };
                    json!({
                        "job": run.job, "cell": run.cell, "label": run.label(), "pool": run.pool,
                        "status": run.state.status().word(), "reason": why, "because": run.because,
                    })
                })
                .collect();
            json!({"pipeline": pipeline_of(definition), "file": definition.file, "jobs": definition.jobs,
                   "runs": runs, "problems": definition.problems})
        })
        .collect();
    let reasons: Vec<_> = decided
        .decision
        .reasons
        .iter()
        .map(|reason| json!({"sentence": reason.to_string(), "details": reason}))
        .collect();
    json!({"event": decided.event.word(), "ref": decided.event.ref_name().to_string(),
           "commit": decided.event.commit(), "reasons": reasons, "builds": builds})
}
