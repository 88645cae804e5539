//! What signals do to a supervisor: nothing. Invariant: it ends when its attempt has ended, or by SIGKILL; and its steps start
//! with every signal at its default and none blocked, whatever whoever started the supervisor had ignored (as nohup does).

use std::io;
use std::process::{Child, Command};

use nix::libc::c_int;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

extern "C" fn nothing(_: c_int) {}

/// Signals that would end a process, or whose being ignored would be handed down to the steps.
const HANDLED: &[Signal] = &[
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGIO,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
    Signal::SIGWINCH,
    Signal::SIGCHLD,
];

#[expect(
    unsafe_code,
    reason = "sigaction(2) has no safe form; handlers that do nothing are safe at any moment"
)]
fn set(signal: Signal, handler: SigHandler) -> io::Result<()> {
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler is an empty function or one of the kernel's own, so it touches nothing.
    unsafe { sigaction(signal, &action) }?;
    Ok(())
}

fn child_signal() -> SigSet {
    let mut set = SigSet::empty();
    set.add(Signal::SIGCHLD);
    set
}

/// Handles every signal with nothing (exec makes that the default again, which it does not do with an ignored one), and
/// blocks SIGCHLD, which is waited for in ppoll(2) alone.
pub(crate) fn disarm() -> io::Result<()> {
    child_signal().thread_set_mask()?;
    for signal in HANDLED {
        set(*signal, SigHandler::Handler(nothing))?;
    }
    Ok(())
}

/// Has the kernel reap the children of this process.
pub(crate) fn leave_children_to_the_kernel() -> io::Result<()> {
    set(Signal::SIGCHLD, SigHandler::SigIgn)
}

/// Starts a process with no signal blocked. A SIGCHLD that comes meanwhile is lost: look for ended children before the next
/// wait.
pub(crate) fn spawn_unblocked(command: &mut Command) -> io::Result<Child> {
    child_signal().thread_unblock()?;
    let child = command.spawn();
    child_signal().thread_block()?;
    child
}
