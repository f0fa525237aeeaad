//! The servers that are measured: how they are built, started and ended.

use std::{
    collections::BTreeMap,
    env, fs,
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Result, bail, ensure};

/// A server to measure.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    /// Where one subscribes and publishes.
    pub(crate) paths: (&'static str, &'static str),
    /// Whether it can resume.
    pub(crate) resumes: bool,
    pub(crate) arguments: fn(port: u16) -> Vec<String>,
}

pub(crate) const PEERS: [Peer; 3] = [
    Peer {
        name: "tidewire",
        paths: ("/events/fan", "/events/fan"),
        resumes: true,
        arguments: |port| {
            vec![
                "--no-demo".into(),
                // Its figures are those of delivery, from before there was a log on disk.
                "--memory".into(),
                "--log".into(),
                "warn".into(),
                format!("--listen=127.0.0.1:{port}"),
            ]
        },
    },
    Peer {
        name: "axum",
        paths: ("/sub", "/pub"),
        resumes: false,
        arguments: |port| vec![port.to_string()],
    },
    Peer {
        name: "raw",
        paths: ("/sub", "/pub"),
        resumes: false,
        arguments: |port| vec![port.to_string(), "batch".into()],
    },
];

/// The programs.
pub(crate) struct Built {
    pub(crate) rig: PathBuf,
    pub(crate) servers: BTreeMap<&'static str, PathBuf>,
}

impl Built {
    pub(crate) fn new(source: &Path) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let target = root.join("target");
        // Not within this repository: cargo would take it for a part of the workspace.
        let rig = env::temp_dir().join("tidewire-rig");
        fs::create_dir_all(&rig)?;
        let copied = Command::new("cp")
            .arg("-r")
            .arg(source.join("."))
            .arg(&rig)
            .status()?;
        ensure!(copied.success(), "cannot copy the rig from {}", source.display());
        let peers = rig.join("peers");
        for folder in [&rig, &peers.join("axum-naive"), &peers.join("rawlimit")] {
            build(folder, &[])?;
        }
        build(&root, &["--package", "tidewire-cli"])?;
        let release = |folder: PathBuf, name| folder.join("target/release").join(name);
        Ok(Self {
            rig: release(rig, "sserig"),
            servers: BTreeMap::from([
                ("tidewire", target.join("release/tidewire")),
                ("axum", release(peers.join("axum-naive"), "axum-naive")),
                ("raw", release(peers.join("rawlimit"), "rawlimit")),
            ]),
        })
    }
}

fn build(folder: &Path, more: &[&str]) -> Result<()> {
    let mut cargo = Command::new("cargo");
    let built = cargo
        .args(["build", "--release"])
        .args(more)
        .current_dir(folder)
        .status()?;
    ensure!(built.success(), "cannot build {}", folder.display());
    Ok(())
}

/// A running server, which ends with this.
pub(crate) struct Server(pub(crate) Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    pub(crate) fn start(program: &Path, peer: &Peer, port: u16) -> Result<Self> {
        let mut command = Command::new("taskset");
        command
            .args(["-c", "0"])
            .arg(program)
            .args((peer.arguments)(port));
        let server = Self(command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?);
        for _ in 0..200 {
            sleep(Duration::from_millis(50));
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                sleep(Duration::from_millis(300));
                return Ok(server);
            }
        }
        bail!("{} does not listen", peer.name)
    }
}
