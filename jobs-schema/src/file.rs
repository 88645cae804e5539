//! From the bytes of files to pipelines. Invariant: every file gets an answer of its own, and the reading of one
//! never depends on another, except that two files cannot give one name.

use std::collections::HashMap;

use crate::findings::{Findings, Span, counted, quoted};
use crate::read::pipeline;
use crate::{Diagnostic, Diagnostics, NameError, Pipeline, PipelineName, yaml};

/// The largest file that is read, in bytes: 1 MiB.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

const FOLDER: &str = ".branchline/";
const ENDINGS: [&str; 2] = [".yaml", ".yml"];

/// Whether a path of a repository (parts parted by `/`) is a pipeline file's: `.branchline/*.yaml` or `*.yml`,
/// not in a folder below. Then its name, or why the file's stem cannot be one.
#[must_use]
pub fn is_pipeline_path(path: &str) -> Option<Result<PipelineName, NameError>> {
    let file = path.strip_prefix(FOLDER)?;
    if file.contains('/') {
        return None;
    }
    let stem = ENDINGS.iter().find_map(|ending| file.strip_suffix(ending))?;
    Some(stem.parse())
}

/// Reads one pipeline file. `file` is its path as shown to people; its stem becomes the pipeline's name.
///
/// # Errors
/// All that is wrong with it, by position.
pub fn parse_pipeline(file: &str, text: &[u8]) -> Result<Pipeline, Diagnostics> {
    let text = readable(file, text)?;
    let mut findings = Findings::new(file, text);
    let name = name_of(&mut findings, file);
    let root = yaml::read(&mut findings);
    // The other mistakes are wanted too where only the name is wrong.
    let stand_in = || "_".parse().ok();
    let read = match (root, name.or_else(stand_in)) {
        (Some(root), Some(name)) => pipeline(&mut findings, name, &root),
        _ => None,
    };
    match read {
        Some(pipeline) if findings.is_empty() => Ok(pipeline),
        _ => {
            if findings.is_empty() {
                // An empty stream has no document at all.
                findings.report_hint(
                    Span::default(),
                    "the file is empty",
                    "a pipeline says at least when it runs and what: `on` and `jobs`",
                );
            }
            Err(findings.into_diagnostics())
        }
    }
}

/// Reads the pipeline files of one commit: path and bytes of each. The answers come in the same order. A file
/// whose name another before it has is wrong, whatever else it says.
#[must_use]
pub fn parse_pipelines(files: &[(String, Vec<u8>)]) -> Vec<(String, Result<Pipeline, Diagnostics>)> {
    let mut first: HashMap<&str, &str> = HashMap::with_capacity(files.len());
    files
        .iter()
        .map(|(file, text)| {
            let stem = stem(file);
            let parsed = parse_pipeline(file, text);
            let parsed = match first.get(stem) {
                None => {
                    first.insert(stem, file);
                    parsed
                }
                Some(other) => {
                    let taken = at_start(
                        file,
                        format!("there is a pipeline {} already, in {}", quoted(stem), quoted(other)),
                        "rename one of the two files",
                    );
                    let mut found = vec![taken];
                    found.extend(parsed.err().into_iter().flat_map(|Diagnostics(found)| found));
                    Err(Diagnostics(found))
                }
            };
            (file.clone(), parsed)
        })
        .collect()
}

fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

fn name_of(findings: &mut Findings<'_>, file: &str) -> Option<PipelineName> {
    match stem(file).parse::<PipelineName>() {
        Ok(name) => Some(name),
        Err(error) => {
            findings.report_hint(Span::default(), error.to_string(), error.rule());
            None
        }
    }
}

/// The text of a file, if it is one and not too big; without its byte order mark.
fn readable<'t>(file: &str, bytes: &'t [u8]) -> Result<&'t str, Diagnostics> {
    let wrong = |diagnostic| Err(Diagnostics(vec![diagnostic]));
    if bytes.len() > MAX_FILE_BYTES {
        return wrong(at_start(
            file,
            format!("the file has {} bytes; a pipeline file has at most 1 MiB", counted(bytes.len())),
            "put long scripts into files of their own, and data where the steps can fetch it",
        ));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
            let valid = std::str::from_utf8(before).unwrap_or_default();
            let mut findings = Findings::new(file, valid.trim_start_matches('\u{feff}'));
            let end = findings.text().len();
            findings.report_hint(
                Span { start: end, end },
                format!("the file is not text in UTF-8: the byte 0x{byte:02x} cannot stand here"),
                "save it as UTF-8",
            );
            return Err(findings.into_diagnostics());
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(nul) = text.find('\0') {
        let mut findings = Findings::new(file, text);
        findings.report_hint(
            Span { start: nul, end: nul + 1 },
            "the file holds a NUL character",
            "save it as text, in UTF-8",
        );
        return Err(findings.into_diagnostics());
    }
    Ok(text)
}

fn at_start(file: &str, message: String, hint: &str) -> Diagnostic {
    Diagnostic {
        file: file.to_owned(),
        line: 1,
        column: 1,
        length: None,
        message,
        hint: Some(hint.to_owned()),
    }
}
