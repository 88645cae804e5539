//! Real repositories, made with git in a temporary folder, and a real git server: `git http-backend` behind an HTTP
//! server of a few lines, which can also misbehave as servers in the wild do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use branchline_checkout::{Cache, Network, Source};
use branchline_model::CommitId;

/// Runs git without any configuration of the machine; gives what it wrote.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    git_with_input(folder, arguments, b"")
}

/// As [`git`], with something to read.
pub fn git_with_input(folder: &Path, arguments: &[&str], input: &[u8]) -> String {
    let mut child = command(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?} in {}: {errors}", folder.display());
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "Ada")
        .env("GIT_AUTHOR_EMAIL", "ada@example.org")
        .env("GIT_COMMITTER_NAME", "Grace")
        .env("GIT_COMMITTER_EMAIL", "grace@example.org")
        .args(["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"]);
    command
}

/// A repository with a work tree.
pub struct Repository {
    pub path: PathBuf,
}

impl Repository {
    /// An empty one.
    pub fn empty(path: &Path) -> Self {
        std::fs::create_dir_all(path).unwrap();
        git(path, &["init", "-q"]);
        Self { path: path.canonicalize().unwrap() }
    }

    /// One with a pipeline and some source in its first commit.
    pub fn sample(path: &Path) -> Self {
        let repository = Self::empty(path);
        repository.write(".branchline/ci.yaml", "on: {push: {}}\n");
        repository.write(".branchline/deploy.yml", "on: {manual: true}\n");
        repository.write(".branchline/notes.txt", "no pipeline");
        repository.write("src/main.rs", "fn main() {}\n");
        repository.commit("Begin");
        repository
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Commits all that is there.
    pub fn commit(&self, message: &str) -> CommitId {
        git(&self.path, &["add", "-A"]);
        git(&self.path, &["commit", "-q", "--allow-empty", "-m", message]);
        self.head()
    }

    pub fn head(&self) -> CommitId {
        git(&self.path, &["rev-parse", "HEAD"]).parse().unwrap()
    }

    pub fn source(&self) -> Source {
        Source::local(&self.path).unwrap()
    }

    /// A commit of a tree that git itself would never make. `entries` are mode, name, and id.
    pub fn commit_of_tree(&self, entries: &[(&str, &str, &str)]) -> CommitId {
        let mut tree = Vec::new();
        for (mode, name, id) in entries {
            tree.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            tree.extend((0..20).map(|at| u8::from_str_radix(&id[at * 2..at * 2 + 2], 16).unwrap()));
        }
        let tree =
            git_with_input(&self.path, &["hash-object", "-t", "tree", "-w", "--literally", "--stdin"], &tree);
        git(&self.path, &["commit-tree", "-m", "odd", &tree]).parse().unwrap()
    }

    pub fn blob(&self, content: &[u8]) -> String {
        git_with_input(&self.path, &["hash-object", "-w", "--stdin"], content)
    }
}

/// Time limits short enough for a test of a server that hangs.
pub fn network() -> Network {
    Network { idle_timeout: Duration::from_secs(20), ..Network::default() }
}

/// A cache in a temporary folder.
pub fn cache(folder: &Path) -> Cache {
    Cache::open(folder.join("cache"), network()).unwrap()
}

/// Waits until something holds; fails loudly when it never does.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "never came about: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// How a server behaves.
#[derive(Clone, Default)]
pub struct Manners {
    /// The one `user:password` that is let in.
    pub login: Option<(String, String)>,
    /// Answers as before protocol version 2.
    pub is_old: bool,
    /// Sends only so many bytes of a pack, then closes the connection.
    pub cut_pack_after: Option<usize>,
    /// Sends only so many bytes of a pack, then nothing more, and keeps the connection open.
    pub hang_pack_after: Option<usize>,
    /// Accepts connections and never says a word.
    pub is_silent: bool,
    /// Refs are told from the repository that is asked for, and packs are given from this one.
    pub packs_from: Option<&'static str>,
    /// This status for everything.
    pub status: Option<&'static str>,
    /// Speaks TLS with this certificate and key.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

/// A server for the repositories below a folder.
pub struct Server {
    pub port: u16,
    is_tls: bool,
    manners: Arc<Mutex<Manners>>,
    requests: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Server {
    pub fn start(root: &Path, manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            is_tls: manners.tls.is_some(),
            manners: Arc::new(Mutex::new(manners)),
            requests: Arc::default(),
            sent: Arc::default(),
            is_over: Arc::default(),
        };
        let (root, manners) = (root.canonicalize().unwrap(), Arc::clone(&server.manners));
        let (requests, sent) = (Arc::clone(&server.requests), Arc::clone(&server.sent));
        let is_over = Arc::clone(&server.is_over);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { return };
                let conversation = Conversation {
                    root: root.clone(),
                    manners: Arc::clone(&manners),
                    requests: Arc::clone(&requests),
                    sent: Arc::clone(&sent),
                    is_over: Arc::clone(&is_over),
                };
                // A client that goes away in the middle is no failure of the server.
                std::thread::spawn(move || drop(conversation.serve(stream)));
            }
        });
        server
    }

    pub fn url(&self, path: &str) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}/{path}", self.port)
    }

    pub fn source(&self, path: &str) -> Source {
        Source::parse(&self.url(path)).unwrap()
    }

    pub fn behave(&self, manners: Manners) {
        *self.manners.lock().unwrap() = manners;
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Bytes of answers.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

struct Conversation {
    root: PathBuf,
    manners: Arc<Mutex<Manners>>,
    requests: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Conversation {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let manners = self.manners.lock().unwrap().clone();
        match &manners.tls {
            None => self.answer(stream.try_clone()?, &stream, &manners),
            Some(config) => {
                let tls_side = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
                let mut tls = rustls::StreamOwned::new(tls_side, stream);
                let (head, body) = read_request(&mut BufReader::new(&mut tls))?;
                self.reply(&head, &body, &mut tls, &manners)?;
                tls.conn.send_close_notify();
                tls.flush()
            }
        }
    }

    fn answer(&self, input: TcpStream, mut output: &TcpStream, manners: &Manners) -> std::io::Result<()> {
        if manners.is_silent {
            self.requests.fetch_add(1, Ordering::SeqCst);
            return self.hang(&input);
        }
        let (head, body) = read_request(&mut BufReader::new(input))?;
        self.reply(&head, &body, &mut output, manners)
    }

    /// Keeps the connection open until the client or the test leaves.
    fn hang(&self, stream: &TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        let mut byte = [0; 1024];
        while !self.is_over.load(Ordering::SeqCst) {
            match (&mut &*stream).read(&mut byte) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn reply(
        &self,
        head: &[String],
        body: &[u8],
        output: &mut impl Write,
        manners: &Manners,
    ) -> std::io::Result<()> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        if let Some(status) = manners.status {
            return write!(output, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
        let header = |name: &str| {
            head.iter().skip(1).find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        if let Some((user, password)) = &manners.login {
            let expected = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
            if header("authorization").as_deref() != Some(&expected) {
                return write!(
                    output,
                    "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
            }
        }
        let mut words = head[0].split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let is_fetch = body.windows(13).any(|words| words == b"command=fetch");
        let elsewhere =
            manners.packs_from.filter(|_| is_fetch).map(|from| format!("/{from}/git-upload-pack"));
        let path = elsewhere.as_deref().unwrap_or(path);
        let mut backend = Command::new("git");
        backend
            .arg("http-backend")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*")
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("REQUEST_METHOD", method)
            .env("PATH_INFO", path)
            .env("QUERY_STRING", query)
            .env("CONTENT_TYPE", header("content-type").unwrap_or_default())
            .env("CONTENT_LENGTH", body.len().to_string())
            .env("REMOTE_ADDR", "127.0.0.1")
            .env_remove("GIT_PROTOCOL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        if let Some(protocol) = header("git-protocol").filter(|_| !manners.is_old) {
            backend.env("GIT_PROTOCOL", protocol);
        }
        let mut child = backend.spawn()?;
        let mut stdin = child.stdin.take().unwrap();
        let body = body.to_vec();
        let writer = std::thread::spawn(move || drop(stdin.write_all(&body)));
        let result = self.relay(BufReader::new(child.stdout.take().unwrap()), path, output, manners);
        drop(child.kill());
        child.wait()?;
        writer.join().unwrap();
        result
    }

    fn relay(
        &self,
        mut backend: impl BufRead,
        path: &str,
        output: &mut impl Write,
        manners: &Manners,
    ) -> std::io::Result<()> {
        let mut head = String::new();
        let mut status = "200 OK".to_owned();
        loop {
            let mut line = String::new();
            if backend.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            match line.strip_prefix("Status: ") {
                Some(found) => found.trim().clone_into(&mut status),
                None => head.push_str(&line.replace("\r\n", "\n").replace('\n', "\r\n")),
            }
        }
        write!(output, "HTTP/1.1 {status}\r\n{head}Connection: close\r\n\r\n")?;
        let is_pack = path.ends_with("/git-upload-pack");
        let limit = if is_pack { manners.cut_pack_after.or(manners.hang_pack_after) } else { None };
        let mut left = limit.unwrap_or(usize::MAX);
        let mut buffer = [0; 16 * 1024];
        loop {
            let count = backend.read(&mut buffer)?.min(left);
            output.write_all(&buffer[..count])?;
            self.sent.fetch_add(count, Ordering::SeqCst);
            left -= count;
            if count == 0 {
                output.flush()?;
                if limit.is_some() && manners.hang_pack_after.is_some() {
                    while !self.is_over.load(Ordering::SeqCst) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
                return Ok(());
            }
        }
    }
}

fn read_request(input: &mut impl BufRead) -> std::io::Result<(Vec<String>, Vec<u8>)> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        head.push(line.to_owned());
    }
    let length = head.iter().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    input.read_exact(&mut body)?;
    Ok((head, body))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * at)) as usize & 63];
            out.push(if at <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// A certificate for 127.0.0.1 made on the spot, and a server configuration with it.
pub fn certificate(folder: &Path) -> (PathBuf, Arc<rustls::ServerConfig>) {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    branchline_checkout::install_tls();
    let chain = vec![CertificateDer::from_pem_file(&certificate).unwrap()];
    let key = PrivateKeyDer::from_pem_file(&key).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    (certificate, Arc::new(config))
}
