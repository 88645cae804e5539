//! A large repository to read from: one that is named, or one made of real sources that cargo has unpacked on this
//! machine. Invariant: the commit that is read lies in a bare repository of our own, on a branch of its own, with
//! eleven pipelines added; a named repository only lends its objects.

use std::path::{Path, PathBuf};

use branchline_checkout::{Network, Source, heads};

use crate::fixture::{git, git_with_input};

/// Names the repository that is taken, if any.
const NAMED: &str = "BENCH_REPOSITORY";
/// How many source files are taken where none is named.
const MOST_FILES: usize = 10_000;
/// With fewer it would not be large.
const FEWEST_FILES: usize = 5_000;
/// How many pipelines are added.
const PIPELINES: usize = 11;
const BRANCH: &str = "refs/heads/bench";

/// A bare repository with a commit to read.
pub struct Large {
    /// Where it is.
    pub path: PathBuf,
    /// The commit, to which `HEAD` points.
    pub commit: String,
    /// The pipeline files' bytes, one after another in the tree's order, without the blank space at the end.
    pub expected: String,
    paths: Vec<String>,
}

impl Large {
    /// Makes it at `path`; where it cannot be made, says why and what to do.
    pub fn at(path: &Path) -> Result<Self, String> {
        let parent = path.parent().ok_or("the repository needs a folder around it")?;
        let name = path.to_str().ok_or("the temporary folder's path is not text")?;
        let named = std::env::var(NAMED).ok().filter(|named| !named.is_empty());
        let below = match &named {
            Some(named) => {
                let (full, head) = lender(named)?;
                git(parent, &["clone", "--quiet", "--bare", "--shared", &full, name]);
                Some(head)
            }
            None => {
                let sources = sources()?;
                git(parent, &["init", "--quiet", "--bare", name]);
                git_with_input(path, &["fast-import", "--quiet"], &import(None, &sources));
                Some(git(path, &["rev-parse", BRANCH]))
            }
        };
        git_with_input(path, &["fast-import", "--quiet", "--force"], &import(below.as_deref(), &pipelines()));
        git(path, &["symbolic-ref", "HEAD", BRANCH]);
        if named.is_none() {
            // As a server's upkeep leaves it.
            git(path, &["repack", "--quiet", "-a", "-d", "-f", "--write-bitmap-index"]);
        }
        let listed = git(path, &["ls-tree", "--name-only", "HEAD", ".branchline/"]);
        let paths = listed.lines().filter(|path| path.ends_with(".yaml") || path.ends_with(".yml"));
        let mut large = Self {
            path: path.to_owned(),
            commit: git(path, &["rev-parse", "HEAD"]),
            expected: String::new(),
            paths: paths.map(str::to_owned).collect(),
        };
        large.expected = large.show(path);
        Ok(large)
    }

    /// What git prints of the pipeline files, in a repository that has the commit.
    pub fn show(&self, repository: &Path) -> String {
        let names: Vec<String> = self.paths.iter().map(|path| format!("{}:{path}", self.commit)).collect();
        let mut arguments = vec!["show"];
        arguments.extend(names.iter().map(String::as_str));
        git(repository, &arguments)
    }

    /// One line about its size.
    pub fn described(&self) -> String {
        let files = git(&self.path, &["ls-tree", "-r", "--name-only", "HEAD"]).lines().count();
        let commits = git(&self.path, &["rev-list", "--count", "HEAD"]);
        format!(
            "a commit of {files} files, {} of them pipelines, and {commits} commits of history",
            self.paths.len()
        )
    }
}

/// The path of the repository that lends its objects, and the commit that its `HEAD` is at.
fn lender(named: &str) -> Result<(String, String), String> {
    let source = Source::local(Path::new(named)).map_err(|error| format!("{NAMED}: {error}"))?;
    let head = heads(&source, &Network::default()).map_err(|error| format!("{NAMED}: {error}"))?.head;
    let head = head.ok_or_else(|| format!("{NAMED}: `{named}` has no commit at HEAD: name one that has"))?;
    Ok((source.name(), head.to_string()))
}

/// Paths and what is in them.
type Files = Vec<(String, Vec<u8>)>;

/// Source files that cargo has unpacked, in an order that is the same each time.
fn sources() -> Result<Files, String> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let root = home.ok_or("no home folder is known")?.join("registry/src");
    let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut entries: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let inner = path.strip_prefix(&root).ok().and_then(Path::to_str);
            let Some(inner) =
                inner.filter(|inner| inner.ends_with(".rs") && !inner.contains(['"', '\n', '\\']))
            else {
                continue;
            };
            if let Ok(bytes) = std::fs::read(&path) {
                files.push((inner.to_owned(), bytes));
            }
            if files.len() == MOST_FILES {
                return Ok(files);
            }
        }
    }
    if files.len() >= FEWEST_FILES {
        return Ok(files);
    }
    Err(format!(
        "only {} source files are in `{}`, {FEWEST_FILES} are needed: name a large repository in {NAMED}",
        files.len(),
        root.display()
    ))
}

fn pipelines() -> Files {
    let one = |number: usize| {
        let mut text =
            format!("description: Part {number} of the service\non: {{push: {{}}, manual: true}}\njobs:\n");
        for job in 0..=number {
            let needs = if job == 0 { String::new() } else { format!("    needs: [part-{}]\n", job - 1) };
            let body =
                format!("  part-{job}:\n{needs}    process: true\n    steps: [make part-{number}-{job}]\n");
            text.push_str(&body);
        }
        (format!(".branchline/bench-{number:02}.yaml"), text.into_bytes())
    };
    (0..PIPELINES).map(one).collect()
}

/// A commit with these files on top of `parent`, as git-fast-import(1) reads it.
fn import(parent: Option<&str>, files: &Files) -> Vec<u8> {
    let mut head =
        format!("commit {BRANCH}\ncommitter Bench <bench@example.org> 1700000000 +0000\ndata 4\nNext\n");
    if let Some(parent) = parent {
        head.push_str(&format!("from {parent}\n"));
    }
    let mut stream = head.into_bytes();
    for (path, bytes) in files {
        stream.extend_from_slice(format!("M 100644 inline \"{path}\"\ndata {}\n", bytes.len()).as_bytes());
        stream.extend_from_slice(bytes);
        stream.push(b'\n');
    }
    stream
}
