//! JUnit's XML, as many programs write it. Invariants: it is read as a stream, and what is kept of it is bounded; no entity but XML's own
//! is resolved, no document type is believed, nothing outside of the file is ever looked at; what cannot be read says so, with its line.

mod input;

use std::io::BufRead;

use branchline_model::{SourcePlace, Test, TestOutcome};
use quick_xml::Reader;
use quick_xml::escape::{resolve_xml_entity, unescape};
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::place;
use crate::text::{first_line, shortened};
use input::Input;

/// How much of a name, of a message and of a failure's text is kept or looked at.
const LONGEST_NAME: usize = 500;
const LONGEST_MESSAGE: usize = 1000;
const LONGEST_TEXT: usize = 64 << 10;

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many bytes a file may have.
    pub bytes: u64,
    /// How many elements may stand in one another.
    pub depth: usize,
    /// How many tests a file may hold.
    pub tests: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 << 20, depth: 100, tests: 1_000_000 }
    }
}

/// Why a file was not read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum JunitError {
    /// It is something else.
    #[error("it is no JUnit report: it begins with <{root}>, and a report with <testsuites> or <testsuite>")]
    Foreign {
        /// Its first element.
        root: String,
    },
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is no XML.
    #[error("line {line}: it is no well-formed XML: {why}")]
    Malformed {
        /// Where.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// It ends too early.
    #[error("line {line}: it ends within <{element}>: what writes it was cut off")]
    CutOff {
        /// Its last line.
        line: u64,
        /// The element that is not closed.
        element: String,
    },
    /// It defines, or asks for, entities.
    #[error(
        "line {line}: entities of its own are not read (`{entity}`): they can make a file of any size, or read other files"
    )]
    Entity {
        /// Where.
        line: u64,
        /// What it says.
        entity: String,
    },
    /// It is written in an encoding that is not known here.
    #[error("its encoding is said to be `{encoding}`, which is not known here: write it in UTF-8")]
    Encoding {
        /// What it says.
        encoding: String,
    },
    /// It is larger, or deeper, than what is read.
    #[error("line {line}: it has more than {most} {what}, which is more than is read")]
    TooMuch {
        /// Where that was noticed.
        line: u64,
        /// How many.
        most: u64,
        /// Of what.
        what: &'static str,
    },
    /// It could not be read.
    #[error("it could not be read: {0}")]
    Read(std::io::Error),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A test.
    Test(Test),
    /// What went wrong with a whole suite, and counts as no test in it.
    Suite(Test),
}

/// Reads a report, and calls for each test as soon as it has ended. What was called for before an error counts.
///
/// # Errors
/// Why it could not be read to its end.
pub fn read_junit(
    input: &mut dyn BufRead,
    limits: Limits,
    mut found: impl FnMut(Found),
) -> Result<(), JunitError> {
    let input = Input::open(input, limits.bytes)?;
    let mut reader = Reader::from_reader(input);
    reader.config_mut().check_end_names = true;
    let mut report =
        Report { limits, elements: Vec::new(), suites: Vec::new(), test: None, problem: None, tests: 0 };
    let mut buffer = Vec::new();
    let mut was_report = false;
    loop {
        buffer.clear();
        let event = reader.read_event_into(&mut buffer);
        let line = reader.get_ref().line();
        let event = match event {
            Ok(event) => event,
            Err(error) => return Err(reader.get_mut().failure(error, limits.bytes)),
        };
        match event {
            Event::Start(element) => {
                was_report = true;
                report.begin(&element, line)?;
            }
            Event::Empty(element) => {
                was_report = true;
                report.begin(&element, line)?;
                report.end(&mut found);
            }
            Event::End(_) => report.end(&mut found),
            Event::Text(text) => report.text(&String::from_utf8_lossy(&text)),
            Event::CData(text) => report.text(&String::from_utf8_lossy(&text)),
            Event::GeneralRef(reference) => report.reference(&reference, line)?,
            Event::DocType(text) => check_document_type(&String::from_utf8_lossy(&text), line)?,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    match (report.elements.pop(), was_report) {
        (Some(element), _) => {
            Err(JunitError::CutOff { line: reader.get_ref().line(), element: element.name })
        }
        (None, false) => Err(JunitError::Empty),
        (None, true) => Ok(()),
    }
}

/// A document type without entities changes nothing, and is passed over.
fn check_document_type(text: &str, line: u64) -> Result<(), JunitError> {
    match text.find("<!ENTITY").or_else(|| text.find('%')) {
        Some(at) => Err(JunitError::Entity { line, entity: shortened(first_line(&text[at..]), 60) }),
        None => Ok(()),
    }
}

/// What an element means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Suites,
    Suite,
    Test,
    /// Of the test, or of the suite, that is open.
    Problem(TestOutcome),
    Other,
}

struct Element {
    name: String,
    kind: Kind,
}

/// What a `failure`, `error` or `skipped` says.
struct Problem {
    outcome: TestOutcome,
    kind: Option<String>,
    message: Option<String>,
    place: Option<SourcePlace>,
    text: String,
}

struct OpenTest {
    name: Option<String>,
    class: Option<String>,
    milliseconds: Option<u64>,
    place: Option<SourcePlace>,
    not_run: bool,
    problem: Option<Problem>,
}

struct Report {
    limits: Limits,
    elements: Vec<Element>,
    /// The names of the suites that are open.
    suites: Vec<Option<String>>,
    test: Option<OpenTest>,
    problem: Option<Problem>,
    tests: u64,
}

impl Report {
    fn begin(&mut self, element: &BytesStart<'_>, line: u64) -> Result<(), JunitError> {
        let name = shortened(&String::from_utf8_lossy(element.local_name().as_ref()), LONGEST_NAME);
        let parent = self.elements.last().map(|parent| parent.kind);
        let kind = match (parent, name.as_str()) {
            (None | Some(Kind::Suites | Kind::Suite), "testsuites") => Kind::Suites,
            (None | Some(Kind::Suites | Kind::Suite), "testsuite") => Kind::Suite,
            (None, _) => return Err(JunitError::Foreign { root: name }),
            (Some(Kind::Suites | Kind::Suite), "testcase") => Kind::Test,
            (Some(Kind::Test | Kind::Suite), "failure") => Kind::Problem(TestOutcome::Failed),
            (Some(Kind::Test | Kind::Suite), "error") => Kind::Problem(TestOutcome::Errored),
            (Some(Kind::Test), "skipped") => Kind::Problem(TestOutcome::Skipped),
            _ => Kind::Other,
        };
        if self.elements.len() >= self.limits.depth {
            let most = self.limits.depth as u64;
            return Err(JunitError::TooMuch { line, most, what: "elements within one another" });
        }
        match kind {
            Kind::Suites | Kind::Suite => {
                let [name] = attributes(element, line, ["name"])?;
                self.suites.push(name.filter(|name| !name.trim().is_empty()));
            }
            Kind::Test => {
                self.tests += 1;
                if self.tests > self.limits.tests {
                    return Err(JunitError::TooMuch { line, most: self.limits.tests, what: "tests" });
                }
                self.test = Some(OpenTest::of(element, line)?);
            }
            Kind::Problem(outcome) => {
                let wanted = ["message", "type", "file", "line"];
                let [message, kind, file, at] = attributes(element, line, wanted)?;
                let place = place::of_attributes(file.as_deref(), at.as_deref());
                self.problem = Some(Problem { outcome, kind, message, place, text: String::new() });
            }
            Kind::Other => {}
        }
        self.elements.push(Element { name, kind });
        Ok(())
    }

    fn end(&mut self, found: &mut impl FnMut(Found)) {
        match self.elements.pop().map(|element| element.kind) {
            Some(Kind::Suites | Kind::Suite) => {
                self.suites.pop();
            }
            Some(Kind::Test) => {
                if let Some(test) = self.test.take() {
                    found(Found::Test(test.ended(self.suite())));
                }
            }
            Some(Kind::Problem(_)) => {
                let Some(problem) = self.problem.take() else { return };
                match &mut self.test {
                    // The worst that is said of it counts.
                    Some(test) if test.problem.as_ref().is_none_or(|known| worse(&problem, known)) => {
                        test.problem = Some(problem);
                    }
                    Some(_) => {}
                    None => found(Found::Suite(problem.of_suite(self.suite()))),
                }
            }
            Some(Kind::Other) | None => {}
        }
    }

    fn suite(&self) -> Option<String> {
        let name = self.suites.iter().rev().flatten().next()?;
        Some(shortened(name, LONGEST_NAME))
    }

    /// Only the text of problems is looked at.
    fn text(&mut self, text: &str) {
        if let Some(problem) = &mut self.problem {
            let room = LONGEST_TEXT.saturating_sub(problem.text.len());
            problem.text.push_str(&text[..text.floor_char_boundary(room)]);
        }
    }

    fn reference(&mut self, reference: &BytesRef<'_>, line: u64) -> Result<(), JunitError> {
        if reference.is_char_ref() {
            let character = reference.resolve_char_ref().ok().flatten();
            self.text(character.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut [0; 4]));
            return Ok(());
        }
        let name = String::from_utf8_lossy(reference).into_owned();
        let Some(text) = resolve_xml_entity(&name) else {
            return Err(JunitError::Entity { line, entity: shortened(&format!("&{name};"), 60) });
        };
        self.text(text);
        Ok(())
    }
}

fn worse(one: &Problem, other: &Problem) -> bool {
    let rank = |problem: &Problem| match problem.outcome {
        TestOutcome::Errored => 3,
        TestOutcome::Failed => 2,
        TestOutcome::Skipped => 1,
        TestOutcome::Passed => 0,
    };
    rank(one) > rank(other)
}

impl Problem {
    fn message(&self) -> Option<String> {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let in_text = || Some(first_line(&self.text).to_owned()).filter(|line| !line.is_empty());
        let message = said(&self.message).or_else(in_text).or_else(|| said(&self.kind))?;
        Some(shortened(&message, LONGEST_MESSAGE))
    }

    fn place(&self, class: Option<&str>) -> Option<SourcePlace> {
        self.place
            .clone()
            .or_else(|| place::in_text(&self.text, class))
            .or_else(|| place::in_text(self.message.as_deref().unwrap_or_default(), class))
    }

    fn of_suite(self, suite: Option<String>) -> Test {
        Test {
            name: suite.unwrap_or_else(|| "(the suite)".to_owned()),
            suite: None,
            outcome: self.outcome,
            milliseconds: None,
            message: self.message(),
            place: self.place(None),
        }
    }
}

impl OpenTest {
    fn of(element: &BytesStart<'_>, line: u64) -> Result<Self, JunitError> {
        let wanted = ["name", "classname", "time", "file", "line", "status", "result"];
        let [name, class, time, file, at, status, result] = attributes(element, line, wanted)?;
        let is = |said: &Option<String>, words: &[&str]| {
            said.as_deref().is_some_and(|said| words.contains(&said.to_lowercase().as_str()))
        };
        Ok(Self {
            name: name.filter(|name| !name.trim().is_empty()),
            class: class.filter(|class| !class.trim().is_empty()),
            milliseconds: time.and_then(|time| milliseconds(&time)),
            place: place::of_attributes(file.as_deref(), at.as_deref()),
            // As GoogleTest says it of what was disabled.
            not_run: is(&status, &["notrun"]) || is(&result, &["suppressed", "skipped"]),
            problem: None,
        })
    }

    fn ended(self, suite: Option<String>) -> Test {
        let Self { name, class, milliseconds, place, not_run, problem } = self;
        let outcome = match &problem {
            Some(problem) => problem.outcome,
            None if not_run => TestOutcome::Skipped,
            None => TestOutcome::Passed,
        };
        let found = problem.as_ref().filter(|_| outcome.is_bad());
        // Where it failed says more than where it begins.
        let failed_at = found.and_then(|problem| problem.place(class.as_deref()));
        let place = match (failed_at, place) {
            (Some(failed), Some(begins)) if failed.line.is_none() && begins.line.is_some() => Some(begins),
            (failed, begins) => failed.or(begins),
        };
        let name = name.or_else(|| class.clone()).unwrap_or_else(|| "(without a name)".to_owned());
        Test {
            name: shortened(&name, LONGEST_NAME),
            suite: class.or(suite).map(|suite| shortened(&suite, LONGEST_NAME)),
            outcome,
            milliseconds,
            message: problem.as_ref().and_then(Problem::message),
            place: place.filter(|_| outcome.is_bad()),
        }
    }
}

/// Seconds, as programs write them: `0.128`, `1,234.5`; nothing where it is not such a number.
fn milliseconds(time: &str) -> Option<u64> {
    let seconds: f64 = time.trim().replace(',', "").parse().ok()?;
    // A conversion to an integer saturates.
    (seconds.is_finite() && seconds >= 0.0).then_some((seconds * 1000.0).round() as u64)
}

/// The values of these attributes.
fn attributes<const COUNT: usize>(
    element: &BytesStart<'_>,
    line: u64,
    wanted: [&str; COUNT],
) -> Result<[Option<String>; COUNT], JunitError> {
    let mut values = [const { None }; COUNT];
    for attribute in element.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| JunitError::Malformed { line, why: error.to_string() })?;
        let index = wanted.iter().position(|wanted| wanted.as_bytes() == attribute.key.as_ref());
        if let Some(value) = index.and_then(|index| values.get_mut(index))
            && value.is_none()
        {
            *value = Some(attribute_value(&String::from_utf8_lossy(&attribute.value), line)?);
        }
    }
    Ok(values)
}

fn attribute_value(raw: &str, line: u64) -> Result<String, JunitError> {
    use quick_xml::escape::EscapeError;
    match unescape(raw) {
        Ok(value) => Ok(value.into_owned()),
        Err(EscapeError::UnrecognizedEntity(_, name)) => {
            Err(JunitError::Entity { line, entity: shortened(&format!("&{name};"), 60) })
        }
        // A lone `&`, or a character that XML cannot name: what is there says enough.
        Err(_) => Ok(raw.to_owned()),
    }
}
