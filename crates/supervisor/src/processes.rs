//! Processes, as `/proc` shows them. Invariants: only processes of one attempt are found: descendants of its supervisor,
//! or, where that is dead, those that carry its mark, and their descendants; never the caller itself.
//!
//! What this does not find: a process of a dead supervisor that has cleared its environment and whose parents are gone; and
//! whatever a step had started by a service that was there before (a container by Docker, a unit by systemd).

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a killed process may take to be gone; what takes longer hangs in the kernel.
pub(crate) const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// Every process by its id, with its parent's.
fn parents() -> io::Result<HashMap<i32, i32>> {
    let mut parents = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        // One that has ended meanwhile is none.
        let Ok(stat) = fs::read(format!("/proc/{pid}/stat")) else { continue };
        if let Some((state, parent)) = state_and_parent(&stat)
            && state != b'Z'
        {
            parents.insert(pid, parent);
        }
    }
    Ok(parents)
}

/// Of `PID (NAME) STATE PARENT …`; the name may hold anything, so it ends at the last parenthesis (proc(5)).
fn state_and_parent(stat: &[u8]) -> Option<(u8, i32)> {
    let after = stat.iter().rposition(|byte| *byte == b')')? + 2;
    let mut fields = std::str::from_utf8(stat.get(after..)?).ok()?.split(' ');
    Some((*fields.next()?.as_bytes().first()?, fields.next()?.parse().ok()?))
}

/// The processes, of which none has ended, that came from these.
fn below(roots: &BTreeSet<i32>, parents: &HashMap<i32, i32>) -> BTreeSet<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for (pid, parent) in parents {
        children.entry(*parent).or_default().push(*pid);
    }
    let mut found = BTreeSet::new();
    let mut open: Vec<i32> = roots.iter().copied().collect();
    while let Some(pid) = open.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            if found.insert(*child) {
                open.push(*child);
            }
        }
    }
    found
}

/// All that came from this process and has not ended. It is their subreaper, so none is lost by leaving its group, its session
/// or its parent.
pub(crate) fn descendants() -> io::Result<BTreeSet<i32>> {
    let me = BTreeSet::from([Pid::this().as_raw()]);
    Ok(below(&me, &parents()?))
}

/// Sends a signal to each; one that is gone, or may not be signalled, is passed over.
pub(crate) fn signal(pids: &BTreeSet<i32>, signal: Signal) {
    for pid in pids {
        let _ = kill(Pid::from_raw(*pid), signal);
    }
}

/// The processes that carry a mark (`NAME=VALUE`) in the environment that they were started with, and their descendants.
///
/// # Errors
/// `/proc` cannot be read.
pub fn leftovers(mark: &OsStr) -> io::Result<Vec<i32>> {
    let me = Pid::this().as_raw();
    let parents = parents()?;
    let marked: BTreeSet<i32> = parents
        .keys()
        .copied()
        .filter(|pid| *pid != me)
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
                environment.split(|byte| *byte == 0).any(|entry| entry == mark.as_bytes())
            })
        })
        .collect();
    let mut found = below(&marked, &parents);
    found.extend(marked);
    found.remove(&me);
    Ok(found.into_iter().collect())
}

/// Kills the processes that carry a mark, and those they start meanwhile, until there is none; answers which.
///
/// # Errors
/// One of them may not be killed, or hangs in the kernel.
pub fn kill_leftovers(mark: &OsStr) -> io::Result<Vec<i32>> {
    let until = Instant::now() + KILL_PATIENCE;
    let mut killed = BTreeSet::new();
    loop {
        let found = leftovers(mark)?;
        if found.is_empty() {
            return Ok(killed.into_iter().collect());
        }
        if Instant::now() >= until {
            return Err(io::Error::other(format!(
                "processes {found:?} do not end although they were killed"
            )));
        }
        for pid in found {
            match kill(Pid::from_raw(pid), Signal::SIGKILL) {
                Ok(()) => {
                    killed.insert(pid);
                }
                Err(Errno::ESRCH) => {}
                Err(error) => {
                    return Err(io::Error::other(format!("process {pid} cannot be killed: {error}")));
                }
            }
        }
        // They are not this process's children: nothing says when they are gone but `/proc`.
        thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_hide_the_parent() {
        assert_eq!(state_and_parent(b"12 (a) b) (c) S 7 12 12 0"), Some((b'S', 7)));
        assert_eq!(state_and_parent(b"12 (a"), None);
    }
}
