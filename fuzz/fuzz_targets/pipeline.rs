//! Any bytes are a pipeline, or mistakes that each have a place; what is a pipeline has its cells counted.
#![no_main]

use branchline_jobs_schema::parse_pipeline;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| match parse_pipeline("ci.yaml", bytes) {
    Ok(pipeline) => {
        for job in &pipeline.jobs {
            let _ = job.matrix.as_ref().map(|matrix| matrix.cells());
        }
    }
    Err(wrong) => {
        assert!(!wrong.0.is_empty());
        assert!(wrong.0.iter().all(|one| one.line > 0 && one.column > 0));
    }
});
