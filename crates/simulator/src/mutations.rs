//! Deliberate faults: each breaks one promise in the code itself, and must be found. Invariant: what is replaced occurs
//! exactly once in its file, so that a mutation that no longer fits the code is noticed and not passed over.

/// A fault put into the code.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// What is wrong then.
    pub name: &'static str,
    /// The file, from the workspace's root.
    pub file: &'static str,
    /// What is replaced by what.
    pub edits: &'static [(&'static str, &'static str)],
}

/// Every mutation.
pub const MUTATIONS: &[Mutation] = &[
    Mutation {
        name: "an older attempt may say the last word",
        file: "crates/core/src/attempt.rs",
        edits: &[(
            "    if !holds(&run.value, worker, number) {\n        return Err(refusal(&run.value, worker, number));\n    }\n    let began_at = match",
            "    let began_at = match",
        )],
    },
    Mutation {
        name: "an attempt that was lost for good may go on with its log",
        file: "crates/controller/src/logs.rs",
        edits: &[(
            "            self.must_hold(lease).await?;",
            "            let _ = self.must_hold(lease).await;",
        )],
    },
    Mutation {
        name: "a last word is acknowledged before its commit",
        file: "crates/controller/src/work.rs",
        edits: &[(
            "if let Outcome::Done = self.commit(plan).await.map_err(unavailable)? {\n                self.bell.ring(Ring::EndedRuns);",
            "{\n                let _ = self.commit(plan).await;\n                self.bell.ring(Ring::EndedRuns);",
        )],
    },
    Mutation {
        name: "the tick does not look at deadlines",
        file: "crates/controller/src/tick.rs",
        edits: &[(
            "Part::Deadlines => ticked.deadlines += self.pass_deadlines_until(until, failures).await?,",
            "Part::Deadlines => {}",
        )],
    },
    Mutation {
        name: "the tick does not look at leases",
        file: "crates/controller/src/tick.rs",
        edits: &[(
            "Part::Leases => ticked.leases += self.pass_leases_until(until, failures).await?,",
            "Part::Leases => {}",
        )],
    },
    Mutation {
        name: "an end is not forgotten once it was folded in",
        file: "crates/core/src/advance.rs",
        edits: &[(
            "        plan.delete(keys::ended_run(&end.value.run), Expectation::Unchanged(end.version));\n    }\n    write(",
            "        let _ = end;\n    }\n    write(",
        )],
    },
    Mutation {
        name: "a claim leaves the queue's entry behind",
        file: "crates/core/src/claim.rs",
        edits: &[(
            "        plan.delete(key, Expectation::Unchanged(entry.version));\n        let Some(run)",
            "        let _ = key;\n        let Some(run)",
        )],
    },
    Mutation {
        name: "a ref is written over whatever was seen meanwhile",
        file: "crates/core/src/refs.rs",
        edits: &[
            (
                "        plan.put(row, expected(known));",
                "        let _ = expected(known);\n        plan.put(row, Expectation::Any);",
            ),
            (
                "            let key = EventKey::new(format!(\"{}/{name}/{generation}\", repository.id));",
                "            let key = EventKey::new(format!(\"{}/{name}/{generation}/{}\", repository.id, now.0));",
            ),
        ],
    },
    Mutation {
        name: "a journal is applied by half",
        file: "crates/store/src/dynamo/journal/finish.rs",
        edits: &[
            (
                "(State::Committed, Next::Put { version, body }) => {",
                "(State::Committed, Next::Put { version, body }) if !key.sort.ends_with('7') => {",
            ),
            ("(State::Committed, Next::Keep)", "(State::Committed, Next::Keep | Next::Put { .. })"),
        ],
    },
    Mutation {
        name: "what was told to stop may end as passed",
        file: "crates/core/src/attempt.rs",
        edits: &[
            ("(AttemptEnd::Passed | AttemptEnd::Stopped |", "(AttemptEnd::Stopped |"),
            ("(AttemptEnd::Passed, None) =>", "(AttemptEnd::Passed, _) =>"),
        ],
    },
    Mutation {
        name: "a run is tried again without bound",
        file: "crates/core/src/retry.rs",
        edits: &[("if attempts >= retry.attempts || !is_named", "if !is_named")],
    },
    Mutation {
        name: "an effect that failed counts as done",
        file: "crates/controller/src/perform.rs",
        edits: &[(
            "                Err(error) => Tried::Failed { why: error.to_string() },",
            "                Err(_) => Tried::Done,",
        )],
    },
    Mutation {
        name: "a lane is not opened for what is queued in it",
        file: "crates/core/src/queue.rs",
        edits: &[(
            "            None => plan.put(opened, Expectation::Absent),\n        }\n        // A lane",
            "            None => {}\n        }\n        // A lane",
        )],
    },
];
