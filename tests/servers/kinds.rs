//! The kinds of servers that a room is kept on: a cluster of three, one that sentinels name, one behind TLS.

#![allow(dead_code, unused_imports, unused_macros, clippy::expect_used, clippy::unwrap_used)]

use super::{RedisServer, START};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Where a test, run again as a process of its own, finds the server that it is about.
const OVER_TLS: &str = "HEADRACE_TEST_OVER_TLS";
const SLOTS: u32 = 16384;

/// A test for each kind of server; it calls `conforms` with the server's address.
macro_rules! conforms_on_every_kind {
    ($conforms:expr) => {
        #[test]
        fn it_passes_the_conformance_suite() {
            let Some(server) = RedisServer::start(&[]) else { return };
            $conforms(&server.url());
        }

        #[test]
        fn a_cluster_passes_the_conformance_suite() {
            let Some(server) = RedisServer::start_cluster() else { return };
            $conforms(&server.url().replace("redis://", "redis+cluster://"));
        }

        #[test]
        fn a_cluster_of_three_passes_the_conformance_suite() {
            servers::kinds::with_a_cluster_of_three($conforms);
        }

        #[test]
        fn a_server_that_sentinels_name_passes_the_conformance_suite() {
            servers::kinds::with_a_sentinel($conforms);
        }

        #[test]
        fn a_server_behind_tls_passes_the_conformance_suite() {
            servers::kinds::with_tls("a_server_behind_tls_passes_the_conformance_suite", $conforms);
        }

        #[test]
        fn valkey_passes_the_conformance_suite() {
            let Some(server) = RedisServer::start_valkey() else { return };
            $conforms(&server.url());
        }

        #[test]
        fn upstash_passes_the_conformance_suite() {
            let Some(server) = RedisServer::start(&[]) else { return };
            let upstash = FakeUpstash::start(&server.url());
            $conforms(&upstash.url());
        }
    };
}
pub(crate) use conforms_on_every_kind;

fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < START, "it did not come about: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Calls `check` with the address of a cluster of three.
pub fn with_a_cluster_of_three(check: impl FnOnce(&str)) {
    let start = || RedisServer::start(&["--cluster-enabled", "yes"]);
    let (Some(first), Some(second), Some(third)) = (start(), start(), start()) else { return };
    let servers = [first, second, third];
    for (n, server) in (0..).zip(&servers) {
        let (from, to) = (SLOTS * n / 3, SLOTS * (n + 1) / 3 - 1);
        assert_eq!(server.tell(&format!("CLUSTER ADDSLOTSRANGE {from} {to}")), "+OK");
        assert_eq!(server.tell(&format!("CLUSTER SET-CONFIG-EPOCH {}", n + 1)), "+OK");
        assert_eq!(server.tell(&format!("CLUSTER MEET 127.0.0.1 {}", servers[0].port)), "+OK");
    }
    for server in &servers {
        // Each knows of all slots, and that the others serve theirs.
        until("a cluster of three", || {
            let told = server.tell_all("CLUSTER INFO");
            told.contains("cluster_state:ok") && told.contains("cluster_size:3")
        });
    }
    let hosts: Vec<_> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
    check(&format!("redis+cluster://{}", hosts.join(",")));
}

/// Calls `check` with the address of sentinels, of which there is one.
pub fn with_a_sentinel(check: impl FnOnce(&str)) {
    let Some(server) = RedisServer::start(&[]) else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("sentinel.conf");
    std::fs::write(&config, format!("sentinel monitor ours 127.0.0.1 {} 1\n", server.port)).unwrap();
    let Some(sentinel) = RedisServer::start_sentinel(&config) else { return };
    check(&format!("redis+sentinel://127.0.0.1:{}/ours", sentinel.port));
}

/// Calls `check` with the address of a server that speaks TLS alone, in a process of its own that trusts its certificate:
/// `test` is the full name of the test that calls this.
pub fn with_tls(test: &str, check: impl FnOnce(&str)) {
    if let Ok(url) = std::env::var(OVER_TLS) {
        return check(&url);
    }
    let directory = tempfile::tempdir().unwrap();
    let (key, certificate) = (directory.path().join("key.pem"), directory.path().join("certificate.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status();
    if !made.is_ok_and(|made| made.success()) {
        eprintln!("skipped: there is no openssl on this machine, which makes a certificate");
        return;
    }
    let (key, trusted) = (key.to_str().unwrap(), certificate.to_str().unwrap());
    let Some(server) =
        RedisServer::start_tls(&["--tls-cert-file", trusted, "--tls-key-file", key, "--tls-auth-clients", "no"])
    else {
        return;
    };
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(OVER_TLS, format!("rediss://localhost:{}", server.port))
        .env("SSL_CERT_FILE", &certificate)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(String::from_utf8_lossy(&ran.stdout).contains("1 passed"), "no test is called {test}");
}
