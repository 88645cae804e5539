//! Where in the sources something failed, out of what a test framework prints: `File "a.py", line 3`, `(ATest.java:12)`,
//! `src/lib.rs:10:5`, `a.cs:line 7`. Invariant: it is a hint for people; nothing is opened because of it.

use std::sync::LazyLock;

use branchline_model::SourcePlace;
use regex::Regex;

use crate::text::shortened;

/// How much of a path is kept.
const LONGEST_FILE: usize = 300;

/// A file with an ending, then its line.
static PLACE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let python = r#"File "(?<python>[^"\n]+)", line (?<python_line>\d{1,7})"#;
    let other = r"(?<file>(?:file://|[A-Za-z]:)?[\w@%+~$./\\-]*\w\.[A-Za-z]\w{0,5})(?::|\()(?:line )?(?<line>\d{1,7})\b";
    Regex::new(&format!("{python}|{other}")).ok()
});

/// What the paths, or the lines, of other people's code hold.
const FOREIGN: &[&str] = &[
    "node:",
    "node_modules/",
    "site-packages/",
    "/usr/lib/",
    "/rustc/",
    "/.cargo/registry/",
    "/vendor/",
    "org.junit.",
    "junit.framework.",
    "org.testng.",
    "java.base/",
    "java.lang.",
    "sun.reflect.",
    "jdk.internal.",
    "org.apache.maven.",
    "org.gradle.",
];

/// The place that a failure's text names: the first one in the class itself, otherwise the first that is not other people's code.
pub(crate) fn in_text(text: &str, class: Option<&str>) -> Option<SourcePlace> {
    let regex = PLACE.as_ref()?;
    let class = class.and_then(|class| class.rsplit(['.', '$', '/', ':']).find(|part| !part.is_empty()));
    let mut first = None;
    for line in text.lines() {
        for found in regex.captures_iter(line) {
            let named = |file, number| Some((found.name(file)?.as_str(), found.name(number)?.as_str()));
            let Some((file, number)) = named("python", "python_line").or_else(|| named("file", "line"))
            else {
                continue;
            };
            let Ok(number @ 1..) = number.parse::<u32>() else { continue };
            let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
            let is_of_class = class.is_some_and(|class| name.split('.').next() == Some(class));
            let is_foreign = FOREIGN.iter().any(|mark| line.contains(mark));
            if is_of_class || (first.is_none() && !is_foreign) {
                let file = shortened(file.strip_prefix("file://").unwrap_or(file), LONGEST_FILE);
                let place = SourcePlace { file, line: Some(number) };
                if is_of_class {
                    return Some(place);
                }
                first = Some(place);
            }
        }
    }
    first
}

/// The place that attributes name.
pub(crate) fn of_attributes(file: Option<&str>, line: Option<&str>) -> Option<SourcePlace> {
    let file = file.map(str::trim).filter(|file| !file.is_empty())?;
    let line = line.and_then(|line| line.trim().parse().ok()).filter(|line| *line > 0);
    Some(SourcePlace { file: shortened(file, LONGEST_FILE), line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_forms_are_known() {
        let table = [
            ("E   assert 1 == 2\n\ntest_x.py:3: AssertionError", None, "test_x.py", 3),
            ("  File \"/srv/a b/app.py\", line 41, in main\n", None, "/srv/a b/app.py", 41),
            ("    fail_test.go:6: Error message", None, "fail_test.go", 6),
            ("thread 'x' panicked at src/lib.rs:10:5:\nboom", None, "src/lib.rs", 10),
            (
                "at TestContext.<anonymous> (file:///home/user/suite.mjs:2:42)",
                None,
                "/home/user/suite.mjs",
                2,
            ),
            ("   at A.B() in C:\\src\\ATests.cs:line 7", None, "C:\\src\\ATests.cs", 7),
            ("./spec/a_spec.rb:12:in `block'", None, "./spec/a_spec.rb", 12),
            ("foo_test.cc:42: Failure", None, "foo_test.cc", 42),
            (
                "\tat org.junit.Assert.fail(Assert.java:88)\n\tat a.b.CTest.one(CTest.java:19)",
                Some("a.b.CTest"),
                "CTest.java",
                19,
            ),
            (
                "\tat org.junit.Assert.fail(Assert.java:88)\n\tat a.b.Help.me(Help.java:5)",
                Some("a.b.CTest"),
                "Help.java",
                5,
            ),
        ];
        for (text, class, file, line) in table {
            let expected = SourcePlace { file: file.to_owned(), line: Some(line) };
            assert_eq!(in_text(text, class), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_place_is_none() {
        for text in [
            "",
            "at 12:30:45",
            "http://localhost:8080/x",
            "version 1.2:3",
            "a.rs:0",
            "node:internal/test.js:5",
        ] {
            assert_eq!(in_text(text, None), None, "{text}");
        }
        assert_eq!(of_attributes(Some(" "), Some("3")), None);
        let place = of_attributes(Some("a.rb"), Some("x")).unwrap();
        assert_eq!((place.file.as_str(), place.line), ("a.rb", None));
    }
}
