//! A home for a daemon (a folder, a port, a config), the daemon itself, and programs run to their end. Knows
//! processes and files; what is asked over HTTP is in `client`, who receives alerts in `receiver`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::secrets::Secrets;

/// The built program.
pub(crate) const OVERDUE: &str = env!("CARGO_BIN_EXE_overdue");
/// How long anything may take that should take a moment. The machine may be busy.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Waits until `condition` gives something, and panics with `what` when it has not by `limit`.
pub(crate) fn wait_for<T>(limit: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(began.elapsed() < limit, "waited {limit:?} in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until `condition` holds.
pub(crate) fn wait_until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(limit, what, || condition().then_some(()));
}

/// Says what is not tried here, and why. Past the test's own output, which nobody sees of a test that passes.
pub(crate) fn not_tried(why: &str) {
    std::io::stderr().write_all(format!("NOT TRIED: {why}\n").as_bytes()).unwrap();
}

/// A port that nobody has. Outside the range from which the system gives ports to clients, and never given
/// twice by this process.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id() as u16 % 500 * 40;
    loop {
        let port = 11_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// The folder and the secrets of every home, by its port.
static HOMES: Mutex<BTreeMap<u16, (PathBuf, Weak<Secrets>)>> = Mutex::new(BTreeMap::new());

/// The secrets of the homes that are asked for, by port and folder.
pub(crate) fn secrets_of(asked: impl Fn(u16, &Path) -> bool) -> Vec<Arc<Secrets>> {
    let homes = HOMES.lock().unwrap_or_else(PoisonError::into_inner);
    let asked = homes.iter().filter(|(port, (folder, _))| asked(**port, folder));
    asked.filter_map(|(_, (_, secrets))| secrets.upgrade()).collect()
}

/// A folder with a config and a port for its daemon. It goes with the last of its clones.
#[derive(Clone)]
pub(crate) struct Home {
    folder: Arc<TempDir>,
    pub(crate) port: u16,
    pub(crate) secrets: Arc<Secrets>,
}

impl Home {
    /// With this config, see [`Home::configure`].
    pub(crate) fn new(config: &str) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let home = Self { folder, port: free_port(), secrets: Arc::default() };
        let mut homes = HOMES.lock().unwrap_or_else(PoisonError::into_inner);
        homes.insert(home.port, (home.path(""), Arc::downgrade(&home.secrets)));
        drop(homes);
        home.configure(config);
        home
    }

    /// Writes the config as editors do, by rename. `listen`, `base_url` and the state folder are put in,
    /// unless the text has them.
    pub(crate) fn configure(&self, config: &str) {
        let mut text = config.to_owned();
        self.secrets.note(config);
        for (table, key, line) in [
            ("[server]\n", "base_url =", format!("base_url = {:?}\n", self.url())),
            ("[server]\n", "listen =", format!("listen = \"127.0.0.1:{}\"\n", self.port)),
            ("[state]\n", "dir =", "dir = \"state\"\n".to_owned()),
        ] {
            if text.lines().any(|line| line.starts_with(key)) {
                continue;
            }
            match text.find(table) {
                Some(at) => text.insert_str(at + table.len(), &line),
                None => text.insert_str(text.len(), &format!("\n{table}{line}")),
            }
        }
        let temporary = self.path("config.toml.new");
        fs::write(&temporary, text).unwrap();
        fs::rename(temporary, self.config()).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("config.toml")
    }

    /// The state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// Where the daemon is to be reached.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The program with these arguments, in this folder, with an environment that holds a path and no more.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(OVERDUE, arguments);
        command.current_dir(self.folder.path());
        command
    }

    /// The program with these arguments, run to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let ended = run(&mut self.command(arguments), LIMIT);
        let whose = format!("overdue {}", arguments.join(" "));
        self.secrets.look(&whose, format!("{}{}", ended.stdout, ended.stderr).as_bytes());
        ended
    }

    /// What a program is given in its environment and in this folder is known from now on.
    fn note_given(&self, command: &Command) {
        let variable = |name: &str| {
            let given = command.get_envs().find(|(given, _)| *given == name);
            given.and_then(|(_, value)| Some(value?.to_str()?.to_owned()))
        };
        self.secrets.note_given(self.folder.path(), variable);
    }

    /// A daemon that is expected to end by itself.
    pub(crate) fn serve_in_vain(&self) -> Ended {
        self.run(&["serve", "--config", "config.toml"])
    }
}

/// A program with an environment that holds a path and no more.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What a program left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; -1 when a signal ended it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs it to its end, and kills it when it has not come by `limit`.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Ended {
    let mut process = Process::spawn(command);
    let code = process.wait(limit).unwrap_or_else(|| {
        panic!("{command:?} does not end\nstdout: {}\nstderr: {}", process.stdout(), process.stderr())
    });
    let (stdout, stderr) = process.outputs();
    Ended { code, stdout, stderr }
}

/// curl, run to its end, quiet but for errors.
pub(crate) fn curl(arguments: &[&str]) -> Ended {
    let mut curl = command("curl", &["-sS", "-m", "60"]);
    // Never through a proxy: everything here is on this machine.
    curl.args(["--noproxy", "*"]).args(arguments);
    let ended = run(&mut curl, Duration::from_secs(70));
    let told = format!("{}{}", ended.stdout, ended.stderr);
    // It is asked at its port, or at a socket in its folder.
    let named = |what: &str| arguments.iter().any(|argument| argument.contains(what));
    for secrets in secrets_of(|port, folder| named(&format!(":{port}")) || named(folder.to_str().unwrap())) {
        secrets.look(&format!("the answer to curl {}", arguments.join(" ")), told.as_bytes());
    }
    ended
}

/// A process that is killed when it is dropped, and what it says meanwhile.
pub(crate) struct Process {
    child: Child,
    stdout: Arc<Mutex<Vec<u8>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts it; its outputs must be piped, as [`command`] makes them.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (stdout, one) = collect(child.stdout.take().unwrap());
        let (stderr, two) = collect(child.stderr.take().unwrap());
        Self { child, stdout, stderr, readers: vec![one, two] }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout.lock().unwrap()).into_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().unwrap()).into_owned()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its exit code (-1 when a signal ended it), or nothing when it has not ended by `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(code) = self.ended() {
                return Some(code);
            }
            if began.elapsed() > limit {
                return None;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Its exit code, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.child.try_wait().unwrap().map(|status| status.code().unwrap_or(-1))
    }

    /// All that it said, once it has ended.
    fn outputs(&mut self) -> (String, String) {
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (self.stdout(), self.stderr())
    }

    fn kill(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn collect(mut from: impl Read + Send + 'static) -> (Arc<Mutex<Vec<u8>>>, JoinHandle<()>) {
    let all = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&all);
    let reader = thread::spawn(move || {
        let mut piece = [0; 8192];
        while let Ok(n @ 1..) = from.read(&mut piece) {
            into.lock().unwrap().extend_from_slice(&piece[..n]);
        }
    });
    (all, reader)
}

/// A running daemon. Dropped, it is killed, and what it said and left is searched for secrets.
pub(crate) struct Daemon {
    pub(crate) home: Home,
    process: Process,
}

impl Daemon {
    /// In a new home with this config, ready to be pinged.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_in(&Home::new(config))
    }

    /// In this home, again perhaps, ready to be pinged.
    pub(crate) fn start_in(home: &Home) -> Self {
        Self::start_as(home, &mut home.command(&["serve", "--config", "config.toml"]))
    }

    /// In this home; it has only just been executed.
    pub(crate) fn begin_in(home: &Home) -> Self {
        let mut command = home.command(&["serve", "--config", "config.toml"]);
        Self { home: home.clone(), process: Process::spawn(&mut command) }
    }

    /// By a command of one's own, with a variable more perhaps; ready to be pinged.
    pub(crate) fn start_as(home: &Home, command: &mut Command) -> Self {
        Self::start_when(home, command, |status| status == 200)
    }

    /// By a command of one's own, as soon as `/readyz` answers so.
    pub(crate) fn start_when(home: &Home, command: &mut Command, ready: impl Fn(u16) -> bool) -> Self {
        home.note_given(command);
        let mut daemon = Self { home: home.clone(), process: Process::spawn(command) };
        wait_until(LIMIT, "the daemon is ready", || {
            if let Some(code) = daemon.process.ended() {
                panic!("the daemon ended with {code} instead of being ready: {}", daemon.process.outputs().1);
            }
            daemon.try_get("/readyz").is_some_and(|answer| ready(answer.status))
        });
        home.secrets.note_made(&home.state());
        daemon
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.home.url())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its log.
    pub(crate) fn stderr(&self) -> String {
        self.process.stderr()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Stops it as systemd does, and gives back its exit code.
    pub(crate) fn stop(self) -> i32 {
        self.stop_and_tell().code
    }

    /// Stops it, and gives back what it said as well.
    pub(crate) fn stop_and_tell(mut self) -> Ended {
        self.signal(Signal::TERM);
        let code = self.process.wait(LIMIT);
        let code = code.unwrap_or_else(|| panic!("it does not stop: {}", self.stderr()));
        let (stdout, stderr) = self.process.outputs();
        Ended { code, stdout, stderr }
    }

    /// Ends it without a warning, as a power cut would.
    pub(crate) fn kill_9(mut self) {
        self.process.kill();
    }

    /// The same, and gives back what it said until then.
    pub(crate) fn kill_9_and_tell(mut self) -> Ended {
        self.process.kill();
        let (stdout, stderr) = self.process.outputs();
        Ended { code: -1, stdout, stderr }
    }

    /// The memory that it holds, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status =
            fs::read_to_string(Path::new("/proc").join(self.pid().to_string()).join("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill();
        // Of one that failed already the first failure counts.
        if !thread::panicking() {
            let (stdout, stderr) = self.process.outputs();
            // Files of secrets may have changed since.
            self.home.secrets.note_given(self.home.folder.path(), |_| None);
            self.home.secrets.look_in_log(&format!("{stdout}{stderr}"));
            self.home.secrets.look_in_folder(&self.home.state());
        }
    }
}
