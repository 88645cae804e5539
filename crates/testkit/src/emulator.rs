//! An emulator of DynamoDB that all tests of a machine share. Invariant: at most one runs for a target folder; it runs
//! as long as any test uses it, and ends by itself a few seconds after the last. What it keeps is in its memory, so
//! each test uses tables of its own names. It is installed by `cargo xtask test`, never here.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test whose fixture cannot be started has failed")]

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// The folder, within the target folder, that the emulator is installed in.
pub const INSTALLED_IN: &str = "tools/dynamodb-emulator";

/// The variable that says where else than in the emulator these tests find a DynamoDB: an endpoint, or `aws`.
pub const ENDPOINT: &str = "BRANCHLINE_TEST_DYNAMODB_ENDPOINT";

/// A DynamoDB, for as long as this value lives.
#[derive(Debug)]
pub struct DynamoEmulator {
    endpoint: String,
    _used: File,
}

impl DynamoEmulator {
    /// The emulator of this target folder; started where it does not run.
    ///
    /// # Panics
    /// Where it is not installed or does not start.
    #[must_use]
    pub fn of(target: &Path) -> Self {
        let folder = target.join("tmp");
        fs::create_dir_all(&folder).unwrap();
        let open = |name: &str| {
            let path = folder.join(name);
            (OpenOptions::new().create(true).append(true).open(&path).unwrap(), path)
        };
        // First the right to use it, which keeps it alive; then whether it is there.
        let (used, users) = open("dynamodb-emulator.users");
        used.lock_shared().unwrap();
        let (starting, _) = open("dynamodb-emulator.starting");
        starting.lock().unwrap();
        let port_file = folder.join("dynamodb-emulator.port");
        let running = fs::read_to_string(&port_file).ok().and_then(|text| text.trim().parse().ok());
        let port = running.filter(|port| answers(*port)).unwrap_or_else(|| {
            let port = start(target, &users, &port_file);
            fs::write(&port_file, port.to_string()).unwrap();
            port
        });
        Self { endpoint: format!("http://127.0.0.1:{port}"), _used: used }
    }

    /// Its address.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn start(target: &Path, users: &Path, port_file: &Path) -> u16 {
    let python = target.join(INSTALLED_IN).join("bin/python");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("emulator/dynamodb.py");
    let started = Command::new(&python)
        .args([&script, users, port_file])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // It outlives the test that starts it, and is not ended with it.
        .process_group(0)
        .spawn();
    let mut started = match started {
        Ok(started) => started,
        Err(error) => panic!("{}: {error}\nhint: `cargo xtask test` installs the emulator", python.display()),
    };
    let mut port = String::new();
    BufReader::new(started.stdout.take().unwrap()).read_line(&mut port).unwrap();
    port.trim().parse().unwrap_or_else(|_| panic!("the emulator did not start: {:?}", started.wait()))
}
