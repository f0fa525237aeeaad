//! What several benches need: the server that is measured, on a core of its own, and what it costs.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

/// Builds the server; where it is.
pub fn build() -> Result<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let built = Command::new("cargo")
        .args(["build", "--release", "--package", "tidewire-cli"])
        .current_dir(&root)
        .status()?;
    ensure!(built.success(), "cannot build the server");
    Ok(root.join("target/release/tidewire"))
}

/// A running server, which ends with this.
pub struct Server {
    process: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts it on core 0, with these arguments, and waits until it answers.
    pub fn start(program: &Path, arguments: &[String]) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(program);
        command
            .args([
                "serve",
                "--no-demo",
                "--log",
                "warn",
                &format!("--listen={address}"),
            ])
            .args(arguments);
        let process = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn()?;
        let server = Self { process, address };
        for _ in 0..200 {
            sleep(Duration::from_millis(50));
            if TcpStream::connect(address).is_ok() {
                sleep(Duration::from_millis(500));
                return Ok(server);
            }
        }
        bail!("the server does not listen")
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Gives a process a core.
pub fn pin(process: u32, cores: &str) -> Result<()> {
    let done = Command::new("taskset")
        .args(["-a", "-c", "-p", cores, &process.to_string()])
        .stdout(Stdio::null())
        .status()?;
    ensure!(done.success(), "cannot give a process its core");
    Ok(())
}

/// The seconds of a processor that a process has used.
pub fn cpu(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit_once(')').context("no such process")?.1;
    let fields: Vec<f64> = after_name
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    // The state, a letter, is left out: user time is the 10th number, system time the 11th; in ticks of 10 ms.
    Ok((fields[10] + fields[11]) / 100.0)
}

/// The memory that a process has, in bytes.
pub fn resident(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no such line")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib * 1024.0)
}
