//! Which texts say times that come again. What times they are is asked of croner, and not here.

use std::path::Path;

use branchline_jobs_schema::{Cron, Timezone};
use serde_json::Value;

/// Cases of five public libraries: what four of them refuse is refused, and so are six fields; all else is taken.
#[test]
#[ignore = "needs BRANCHLINE_TEST_DATA: the cron vectors"]
fn what_four_libraries_of_five_refuse_is_refused_and_all_else_is_taken() {
    let data = std::env::var("BRANCHLINE_TEST_DATA").unwrap();
    let text = std::fs::read_to_string(Path::new(&data).join("cron/vectors.json")).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut wrong = Vec::new();
    for case in &cases {
        let expression = case["expr"].as_str().unwrap();
        let refusing =
            case["results"].as_object().unwrap().values().filter(|result| !result.is_array()).count();
        let expected = refusing < 4 && case["cat"] != "seconds6";
        let zone = case["tz"].as_str().unwrap().parse::<Timezone>();
        assert!(zone.is_ok(), "{case}");
        let read = expression.parse::<Cron>();
        if read.is_ok() != expected {
            wrong.push(format!("`{expression}` is refused by {refusing}, and here {read:?}"));
        }
    }
    assert!(cases.len() >= 70, "only {} cases", cases.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_stand_for_numbers_only_in_their_own_fields() {
    for good in
        ["0 0 * JAN-DEC *", "0 0 * jan,Feb mon-fri", "0 0 * * SUN-SAT", "0 0 * * FRI-SUN", "0 0 * * 0,7"]
    {
        assert!(good.parse::<Cron>().is_ok(), "{good}");
    }
    for bad in ["JAN * * * *", "* MON * * *", "* * TUE * *", "* * * MON *", "* * * * JAN", "* * * * MONDAY"] {
        assert!(bad.parse::<Cron>().is_err(), "{bad}");
    }
}

#[test]
fn a_mistake_is_told_with_the_bytes_that_it_has() {
    for (text, part) in [
        ("0  99 * * *", "99"),
        ("0 0 1,2,40 * *", "40"),
        ("0 0 * * 5#9", "5#9"),
        ("0 0 31 4,6 *", "31"),
        ("0 0 * * 6-1", "6-1"),
        (" @dayly", "@dayly"),
        ("1/5 * * * *", "1/5"),
    ] {
        let error = text.parse::<Cron>().unwrap_err();
        assert_eq!(&text[error.at..error.at + error.length], part, "{error}");
    }
}

#[test]
fn a_cron_is_stored_as_it_was_written() {
    let cron: Cron = "  0 4 * * MON ".parse().unwrap();
    let stored = serde_json::to_string(&cron).unwrap();
    assert_eq!(stored, "\"  0 4 * * MON \"");
    assert_eq!(serde_json::from_str::<Cron>(&stored).unwrap(), cron);
    assert!(serde_json::from_str::<Cron>("\"0 0 31 2 *\"").is_err());
}
