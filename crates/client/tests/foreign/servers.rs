//! The servers: where they come from, how they are started and ended.
//!
//! What is not there is installed into a folder of the build, once: npm and pip packages in exactly the versions that
//! are written down beside this file. nginx is taken if the system has it, with its module.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    process::{self, Child},
};

use crate::network::Address;

/// Where Debian puts it.
const NCHAN: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// What the installed packages belong to: another text here, and they are installed anew.
const STAMP: &str = "installed";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    BetterSse,
    SseStarlette,
    Nchan,
}

impl Foreign {
    pub const ALL: [Self; 3] = [Self::BetterSse, Self::SseStarlette, Self::Nchan];

    pub fn name(self) -> &'static str {
        match self {
            Self::BetterSse => "better_sse",
            Self::SseStarlette => "sse_starlette",
            Self::Nchan => "nchan",
        }
    }

    /// Why it cannot be had, if so.
    pub fn missing(self) -> Option<String> {
        let ready = match self {
            Self::BetterSse => install(self, "node", "package-lock.json", |folder| {
                for file in ["package.json", "package-lock.json", ".npmrc"] {
                    fs::copy(here().join(file), folder.join(file)).unwrap();
                }
                run(Command::new("npm").args(["ci", "--silent"]).current_dir(folder))
            }),
            Self::SseStarlette => install(self, "python3", "requirements.txt", |folder| {
                run(Command::new("python3")
                    .args(["-m", "venv", "--clear", "venv"])
                    .current_dir(folder))?;
                let pip = ["-m", "pip", "install", "--quiet", "--requirement"];
                let mut pip_install = Command::new(folder.join("venv/bin/python"));
                run(pip_install.args(pip).arg(here().join("requirements.txt")))
            }),
            Self::Nchan => match (is_there("nginx"), Path::new(NCHAN).is_file()) {
                (true, true) => Ok(()),
                _ => Err("install nginx and libnginx-mod-nchan (Debian)".into()),
            },
        };
        ready.err()
    }
}

/// Where the files of the servers are.
fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign")
}

/// A folder of the build for one server.
fn folder(server: Foreign) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(server.name())
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Installs, unless this very list of versions is installed already.
fn install(
    server: Foreign,
    interpreter: &str,
    versions: &str,
    install: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<(), String> {
    if !is_there(interpreter) {
        return Err(format!("there is no {interpreter}"));
    }
    let (folder, versions) = (folder(server), fs::read_to_string(here().join(versions)).unwrap());
    let stamp = folder.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == versions) {
        return Ok(());
    }
    fs::create_dir_all(&folder).unwrap();
    install(&folder)?;
    fs::write(stamp, versions).unwrap();
    Ok(())
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

/// A server that runs. It is killed when this is dropped.
pub struct Running {
    address: Address,
    _child: Child,
    _folder: Option<tempfile::TempDir>,
}

impl Running {
    pub async fn start(server: Foreign) -> Self {
        match server {
            Foreign::BetterSse => {
                // Beside its packages: Node looks for them where the program is.
                let program = folder(server).join("better-sse-server.js");
                fs::copy(here().join("better-sse-server.js"), &program).unwrap();
                Self::with_port(process::Command::new("node").arg(program)).await
            }
            Foreign::SseStarlette => {
                let python = folder(server).join("venv/bin/python");
                Self::with_port(process::Command::new(python).arg(here().join("starlette_server.py"))).await
            }
            Foreign::Nchan => Self::nginx().await,
        }
    }

    /// Starts a program that prints the port that it listens on.
    async fn with_port(command: &mut process::Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).await.unwrap();
        let port: u16 = line.trim().parse().expect("a port");
        Self {
            address: Address::Tcp(([127, 0, 0, 1], port).into()),
            _child: child,
            _folder: None,
        }
    }

    async fn nginx() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("nginx.sock");
        let config = fs::read_to_string(here().join("nginx.conf")).unwrap();
        let config = config.replace("@MODULE@", NCHAN);
        let config = config.replace("unix:nginx.sock", &format!("unix:{}", socket.display()));
        let file = folder.path().join("nginx.conf");
        fs::write(&file, config).unwrap();
        let mut child = process::Command::new("nginx")
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&file)
            .arg("-e")
            .arg("stderr")
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // It says nowhere that it listens.
        while UnixStream::connect(&socket).await.is_err() {
            assert!(child.try_wait().unwrap().is_none(), "nginx does not run");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self {
            address: Address::Unix(socket),
            _child: child,
            _folder: Some(folder),
        }
    }

    pub fn address(&self) -> Address {
        self.address.clone()
    }

    /// Publishes a message with nchan.
    pub async fn publish(&self, message: &str) {
        let Address::Unix(socket) = &self.address else {
            panic!("only nchan is published to");
        };
        let mut socket = UnixStream::connect(socket).await.unwrap();
        let length = message.len();
        let request = format!(
            "POST /publish HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{message}"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(matches!(status, "201" | "202"), "{answer}");
    }
}
