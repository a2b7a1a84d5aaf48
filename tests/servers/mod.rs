//! A redis-server of a test's own, on a free port.

#![allow(dead_code, clippy::expect_used, clippy::unwrap_used)]

pub mod kinds;
pub mod lossy;
pub mod upstash;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to start on a busy machine.
const START: Duration = Duration::from_mins(1);

/// How a server listens.
#[derive(Clone, Copy, PartialEq)]
enum Listens {
    Plain,
    Tls,
}

pub struct RedisServer {
    child: Child,
    pub port: u16,
    directory: tempfile::TempDir,
    program: &'static str,
    listens: Listens,
    extra: Vec<String>,
}

impl RedisServer {
    /// Starts one; None, with a word, where there is none on this machine.
    pub fn start(extra: &[&str]) -> Option<Self> {
        Self::start_as("redis-server", Listens::Plain, extra)
    }

    /// Starts Valkey.
    pub fn start_valkey() -> Option<Self> {
        Self::start_as("valkey-server", Listens::Plain, &[])
    }

    /// Starts one that speaks TLS alone.
    pub fn start_tls(extra: &[&str]) -> Option<Self> {
        Self::start_as("redis-server", Listens::Tls, extra)
    }

    /// Starts a sentinel, with a file of settings that it may write.
    pub fn start_sentinel(config: &Path) -> Option<Self> {
        Self::start_as("redis-server", Listens::Plain, &[config.to_str().unwrap(), "--sentinel"])
    }

    fn start_as(program: &'static str, listens: Listens, extra: &[&str]) -> Option<Self> {
        if Command::new(program).arg("--version").stdout(Stdio::null()).status().is_err() {
            eprintln!("skipped: there is no {program} on this machine (apt-get install {program})");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let extra: Vec<String> = extra.iter().map(ToString::to_string).collect();
        // Between the look for a free port and the start, another may take it.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if port > 55_000 {
                // A cluster's second port is 10,000 higher.
                continue;
            }
            if let Some(child) = spawn(program, listens, port, &directory, &extra) {
                return Some(Self { child, port, directory, program, listens, extra });
            }
        }
        panic!("no {program} would start");
    }

    /// Starts a cluster of one.
    pub fn start_cluster() -> Option<Self> {
        let server = Self::start(&["--cluster-enabled", "yes"])?;
        assert_eq!(server.tell("CLUSTER ADDSLOTSRANGE 0 16383"), "+OK");
        let started = Instant::now();
        while server.tell("SET probe 1") != "+OK" {
            assert!(started.elapsed() < START, "the cluster did not form");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(server)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Sends a command in words, over a connection of its own; the first line of its reply.
    pub fn tell(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// The same; all of its reply.
    pub fn tell_all(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// A number that `INFO` tells.
    pub fn info(&self, name: &str) -> u64 {
        let text = self.tell_all("INFO");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.trim().parse().unwrap()
    }

    pub fn signal(&self, signal: i32) {
        Command::new("kill").args([format!("-{signal}"), self.child.id().to_string()]).status().unwrap();
    }

    /// Ends it at once, and starts it again on its files.
    pub fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn start_again(&mut self) {
        self.child =
            spawn(self.program, self.listens, self.port, &self.directory, &self.extra).expect("its port is free again");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[allow(clippy::zombie_processes)] // The server waits for it when it is dropped.
fn spawn(program: &str, listens: Listens, port: u16, directory: &tempfile::TempDir, extra: &[String]) -> Option<Child> {
    let port_text = port.to_string();
    let ports: &[&str] = match listens {
        Listens::Plain => &["--port", &port_text],
        Listens::Tls => &["--port", "0", "--tls-port", &port_text],
    };
    // A file of settings comes before all others.
    let (file, extra) = extra.split_at(usize::from(extra.first().is_some_and(|first| !first.starts_with("--"))));
    let mut child = Command::new(program)
        .args(file)
        .args(ports)
        .args(["--bind", "127.0.0.1", "--dir", directory.path().to_str().unwrap(), "--daemonize", "no"])
        // A sentinel writes no data, and refuses to be told so.
        .args(if file.is_empty() { &["--save", "", "--appendonly", "no"][..] } else { &[] })
        .args(extra)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while started.elapsed() < START {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(child);
        }
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}
