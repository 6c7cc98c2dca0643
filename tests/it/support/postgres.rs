//! A Postgres server of this machine's packages, started for the tests on a socket of its own.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);

/// The server of this test program. It ends with the program, because it ends when its standard input is closed.
pub(crate) struct Postgres {
    folder: TempDir,
    bin: PathBuf,
    user: Option<(u32, u32)>,
    databases: AtomicU32,
    _alive: Mutex<(Child, ChildStdin)>,
}

/// The server, or `None` with a word where this machine has none. With `TOOLRUN_TEST_POSTGRES` it must be there.
pub(crate) fn postgres() -> Option<&'static Postgres> {
    static SERVER: OnceLock<Option<Postgres>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let bin = bin();
        assert!(
            bin.is_some() || std::env::var_os("TOOLRUN_TEST_POSTGRES").is_none(),
            "TOOLRUN_TEST_POSTGRES is set, and there is no `initdb` of Postgres"
        );
        bin.map(Postgres::start)
    });
    if server.is_none() {
        eprintln!("SKIPPED: no Postgres on this machine");
    }
    server.as_ref()
}

/// The folder of the server's programs. Debian does not put them into the path.
fn bin() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    folders
        .into_iter()
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

/// Postgres refuses to run as root, so root runs it as another user: its user and group.
fn other_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("the users of this machine");
    let find = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody"))
}

impl Postgres {
    fn start(bin: PathBuf) -> Postgres {
        let folder = TempDir::with_prefix("pg").expect("a temporary folder");
        let user = other_user();
        if let Some((user, group)) = user {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).expect("its folder");
        }
        let data = folder.path().join("data");
        let initdb = as_user(Command::new(bin.join("initdb")), user, folder.path())
            .args([
                "--auth=trust",
                "--username=toolrun",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .arg("--pgdata")
            .arg(&data)
            .output()
            .expect("initdb starts");
        assert!(
            initdb.status.success(),
            "{}",
            String::from_utf8_lossy(&initdb.stderr)
        );
        let log = File::create(folder.path().join("log")).expect("a log");
        // The shell waits for the end of its input, which comes when this program ends in whatever way.
        let script = "\"$0\" \"$@\" <&- & cat >/dev/null; kill -INT $!; wait $!";
        let mut server = as_user(Command::new("sh"), user, folder.path());
        server
            .args(["-c", script])
            .arg(bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args([
                "-c",
                "listen_addresses=",
                "-c",
                "max_connections=200",
                "-c",
                "fsync=off",
            ])
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("the log"))
            .stderr(log);
        let mut child = server.spawn().expect("the server starts");
        let stdin = child.stdin.take().expect("its input");
        let server = Postgres {
            folder,
            bin,
            user,
            databases: AtomicU32::new(0),
            _alive: Mutex::new((child, stdin)),
        };
        let until = Instant::now() + PATIENCE;
        while !server.psql("postgres", "select 1").0 {
            assert!(Instant::now() < until, "{}", server.log());
            thread::sleep(Duration::from_millis(50));
        }
        server
    }

    fn log(&self) -> String {
        let mut text = String::new();
        let mut file = File::open(self.folder.path().join("log")).expect("the log");
        file.read_to_string(&mut text).expect("its text");
        text
    }

    /// Runs a statement: whether it worked, and the rows, with fields separated by `|`.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> (bool, String) {
        let out = as_user(
            Command::new(self.bin.join("psql")),
            self.user,
            self.folder.path(),
        )
        .args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "toolrun",
            "-h",
        ])
        .arg(self.folder.path())
        .args(["-d", database, "-c", sql])
        .output()
        .expect("psql starts");
        let text = match out.status.success() {
            true => out.stdout,
            false => out.stderr,
        };
        (
            out.status.success(),
            String::from_utf8_lossy(&text).trim_end().to_owned(),
        )
    }

    /// A fresh database: its name and its URL.
    pub(crate) fn database(&self) -> (String, String) {
        let count = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("d{count}");
        let (is_made, told) = self.psql("postgres", &format!("create database {name}"));
        assert!(is_made, "{told}");
        let url = self.url(&name);
        (name, url)
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        let socket = self.folder.path().to_string_lossy().replace('/', "%2F");
        format!("postgres://toolrun@{socket}/{database}")
    }
}

fn as_user(mut command: Command, user: Option<(u32, u32)>, folder: &Path) -> Command {
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
        .current_dir(folder)
        .env("PGCONNECT_TIMEOUT", "5")
        .env_remove("PGHOST");
    command
}
