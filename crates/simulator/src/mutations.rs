//! Deliberate faults: each breaks one promise in the code itself, and must be found. Invariant: what is replaced occurs
//! exactly once in its file, so that a mutation that no longer fits the code is noticed and not passed over.

/// A fault put into the code.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// What is wrong then.
    pub name: &'static str,
    /// Where, and what is done there instead.
    pub edits: &'static [Edit],
}

/// A change of a file's text. All mutations are put into one copy of the code, which has one of them at a time.
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    /// The file, from the workspace's root.
    pub file: &'static str,
    /// The text that is replaced.
    pub from: &'static str,
    /// By what; [`FAULT`] in it becomes an expression that is true where this is the mutation that is tried.
    pub to: &'static str,
}

/// Stands for whether the mutation is the one that is tried.
pub const FAULT: &str = "{fault}";

const ATTEMPT: &str = "crates/core/src/attempt.rs";
const RETRY: &str = "crates/core/src/retry.rs";
const REFS: &str = "crates/core/src/refs.rs";
const CLAIM: &str = "crates/core/src/claim.rs";
const WORK: &str = "crates/controller/src/work.rs";
const TICK: &str = "crates/controller/src/tick.rs";

/// Every mutation.
pub const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "an older attempt may say the last word",
        edits: &[Edit {
            file: ATTEMPT,
            from: "    if !holds(&run.value, worker, number) {\n        return Err(refusal(&run.value, worker, number));\n    }\n    let began_at = match",
            to: "    if !{fault} && !holds(&run.value, worker, number) {\n        return Err(refusal(&run.value, worker, number));\n    }\n    let began_at = match",
        }],
    },
    Mutation {
        name: "a last word is acknowledged before its commit",
        edits: &[Edit {
            file: WORK,
            from: "match self.commit(plan).await {\n                Ok(Outcome::Done) => {\n                    self.bell.ring(Ring::EndedRuns);",
            to: "let committed = self.commit(plan).await;\n            if {fault} {\n                return Ok(());\n            }\n            match committed {\n                Ok(Outcome::Done) => {\n                    self.bell.ring(Ring::EndedRuns);",
        }],
    },
    Mutation {
        name: "a run ends before its log is whole",
        edits: &[Edit {
            file: WORK,
            from: "if stored.bytes < report.log_length {",
            to: "if !{fault} && stored.bytes < report.log_length {",
        }],
    },
    Mutation {
        name: "the tick does not look at leases",
        edits: &[Edit {
            file: TICK,
            from: "            Part::Leases =>",
            to: "            Part::Leases if {fault} => {}\n            Part::Leases =>",
        }],
    },
    Mutation {
        name: "the tick does not look at deadlines",
        edits: &[Edit {
            file: TICK,
            from: "            Part::Deadlines =>",
            to: "            Part::Deadlines if {fault} => {}\n            Part::Deadlines =>",
        }],
    },
    Mutation {
        name: "the tick does not advance builds",
        edits: &[Edit {
            file: TICK,
            from: "            Part::Builds =>",
            to: "            Part::Builds if {fault} => {}\n            Part::Builds =>",
        }],
    },
    Mutation {
        name: "the tick does not perform effects",
        edits: &[Edit {
            file: TICK,
            from: "            Part::Effects =>",
            to: "            Part::Effects if {fault} => {}\n            Part::Effects =>",
        }],
    },
    Mutation {
        name: "the tick does not look at refs",
        edits: &[Edit {
            file: TICK,
            from: "            Part::Refs =>",
            to: "            Part::Refs if {fault} => {}\n            Part::Refs =>",
        }],
    },
    Mutation {
        name: "an accepted event is not put among those that wait",
        edits: &[Edit {
            file: REFS,
            from: "    plan.put(\n        PendingEvent { event: key.clone(), repository: repository.id.clone(), next_try: due },\n        Expectation::Any,\n    );",
            to: "    if !{fault} {\n        plan.put(\n            PendingEvent { event: key.clone(), repository: repository.id.clone(), next_try: due },\n            Expectation::Any,\n        );\n    }",
        }],
    },
    Mutation {
        name: "an event that was decided is decided again",
        edits: &[Edit {
            file: "crates/controller/src/resolve.rs",
            from: "        EventStatus::Pending { .. } => None,\n",
            to: "        EventStatus::Pending { .. } => None,\n        EventStatus::Decided { .. } if {fault} => None,\n",
        }],
    },
    Mutation {
        name: "an effect is performed before its commit",
        edits: &[Edit {
            file: "crates/controller/src/commit.rs",
            from: "        let has_effects = ",
            to: "        if {fault} {\n            for effect in &plan.effects {\n                if let branchline_model::Effect::Stop { attempt, worker, stop } = effect {\n                    let _ = self.launcher.stop(worker, attempt, stop).await;\n                }\n            }\n        }\n        let has_effects = ",
        }],
    },
    Mutation {
        name: "an effect that failed counts as done",
        edits: &[Edit {
            file: "crates/core/src/effect.rs",
            from: "            Tried::Failed { why } =>",
            to: "            Tried::Failed { .. } if {fault} => {\n                plan.delete(keys::pending_effect(&key), Expectation::Unchanged(row.version));\n                continue;\n            }\n            Tried::Failed { why } =>",
        }],
    },
    Mutation {
        name: "an end is not told to its build",
        edits: &[Edit {
            file: RETRY,
            from: "            plan.put(EndedRun { run: id, job, outcome }, Expectation::Any);",
            to: "            if !{fault} {\n                plan.put(EndedRun { run: id, job, outcome }, Expectation::Any);\n            }",
        }],
    },
    Mutation {
        name: "an end is not forgotten once it was folded in",
        edits: &[Edit {
            file: "crates/core/src/advance.rs",
            from: "        plan.delete(keys::ended_run(&end.value.run), Expectation::Unchanged(end.version));",
            to: "        if !{fault} {\n            plan.delete(keys::ended_run(&end.value.run), Expectation::Unchanged(end.version));\n        }",
        }],
    },
    Mutation {
        name: "an attempt is not counted",
        edits: &[Edit {
            file: CLAIM,
            from: "        next.attempts = number;",
            to: "        next.attempts = if {fault} { run.value.attempts } else { number };",
        }],
    },
    Mutation {
        name: "a run is tried again without bound",
        edits: &[Edit {
            file: RETRY,
            from: "if attempts >= retry.attempts ||",
            to: "if (attempts >= retry.attempts && !{fault}) ||",
        }],
    },
    Mutation {
        name: "nobody is told when a run is to be tried again",
        edits: &[Edit {
            file: RETRY,
            from: "            plan.put(lease::retry_deadline(&run.value, &last), Expectation::Any);",
            to: "            if !{fault} {\n                plan.put(lease::retry_deadline(&run.value, &last), Expectation::Any);\n            }",
        }],
    },
    Mutation {
        name: "a worker that is heard is lost when its lease's first end has come",
        edits: &[Edit {
            file: "crates/core/src/lease.rs",
            from: "    if ends_at <= now {",
            to: "    if {fault} || ends_at <= now {",
        }],
    },
    Mutation {
        name: "a claim leaves the queue's entry behind",
        edits: &[Edit {
            file: CLAIM,
            from: "        plan.delete(key, Expectation::Unchanged(entry.version));",
            to: "        if !{fault} {\n            plan.delete(key, Expectation::Unchanged(entry.version));\n        }",
        }],
    },
    Mutation {
        name: "a lane is not opened for what is queued in it",
        edits: &[Edit {
            file: "crates/core/src/queue.rs",
            from: "            None => plan.put(opened, Expectation::Absent),\n        }\n        // A lane",
            to: "            None if {fault} => {}\n            None => plan.put(opened, Expectation::Absent),\n        }\n        // A lane",
        }],
    },
    Mutation {
        name: "a ref is written over whatever was seen meanwhile",
        edits: &[
            Edit {
                file: REFS,
                from: "        plan.put(row, expected(known));",
                to: "        plan.put(row, if {fault} { Expectation::Any } else { expected(known) });",
            },
            Edit {
                file: REFS,
                from: "let key = event_key(&repository.id, name, generation);",
                to: "let key = if {fault} {\n                EventKey::new(format!(\"{}/{name}/{generation}/{}\", repository.id, now.0))\n            } else {\n                event_key(&repository.id, name, generation)\n            };",
            },
        ],
    },
    Mutation {
        name: "what was told to stop may end as passed",
        edits: &[Edit {
            file: ATTEMPT,
            from: "        (AttemptEnd::Passed | AttemptEnd::Stopped |",
            to: "        (AttemptEnd::Passed, _) if {fault} => (Outcome::Passed, None),\n        (AttemptEnd::Passed | AttemptEnd::Stopped |",
        }],
    },
    Mutation {
        name: "a slice of a journal is passed over",
        edits: &[Edit {
            file: "crates/store/src/dynamo/journal/finish.rs",
            from: "        (State::Committed, Next::Put { version, body }) => {",
            to: "        (State::Committed, Next::Put { .. }) if {fault} && key.sort.ends_with('7') => now,\n        (State::Committed, Next::Put { version, body }) => {",
        }],
    },
    Mutation {
        name: "a commit whose answer was lost counts as made",
        edits: &[Edit {
            file: "crates/store/src/dynamo/commit.rs",
            from: "                    if self.settle(commit).await? {",
            to: "                    if {fault} || self.settle(commit).await? {",
        }],
    },
    Mutation {
        name: "a commit does not look at versions",
        edits: &[Edit {
            file: "crates/store/src/commit.rs",
            from: "        Expectation::Unchanged(version) =>",
            to: "        Expectation::Unchanged(_) if {fault} => true,\n        Expectation::Unchanged(version) =>",
        }],
    },
];
