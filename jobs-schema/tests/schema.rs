//! The schema that is kept in the repository for editors.

use std::fs;
use std::path::Path;

#[test]
fn the_schema_in_the_repository_is_the_one_that_the_table_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipeline.schema.json");
    let made = branchline_jobs_schema::json_schema();
    if std::env::var_os("UPDATE_EXPECT").is_some_and(|value| value == "1") {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap();
    assert!(kept == made, "{} is stale: `cargo xtask schema` writes it anew", path.display());
}
