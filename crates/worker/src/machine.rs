//! Whether the machine was restarted since the last worker. Why: attempt directories are not synced to the disk, so after a crash
//! of the machine one may say that nothing was begun although a step had run. Invariant: what was held across a restart is
//! never begun again; it is over, or lost. The file that remembers is written once all of it has been marked so.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use branchline_supervisor::boot_id;

const FILE: &str = "boot";

/// Whether the machine is another one, in this sense, than the one which the last worker of this folder ran on. Where it is not
/// known (a new or emptied folder), it is.
pub(crate) fn was_restarted(root: &Path) -> io::Result<bool> {
    match fs::read_to_string(root.join(FILE)) {
        Ok(known) => Ok(known.trim() != boot_id()?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Remembers this start of the machine, on the disk.
pub(crate) fn remember(root: &Path) -> io::Result<()> {
    let beside = root.join(".boot.new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&beside)?;
    file.write_all(boot_id()?.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, root.join(FILE))?;
    File::open(root)?.sync_all()
}
