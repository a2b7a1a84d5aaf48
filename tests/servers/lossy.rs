//! A network between a client and a server that can lose a reply.

#![allow(dead_code, clippy::unwrap_used)]

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Passes on what is sent to a server, and loses the next reply together with its connection when it is told to.
pub struct LossyNetwork {
    pub port: u16,
    pub loses: Arc<AtomicBool>,
}

impl LossyNetwork {
    pub fn before(server: u16) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, loses) = (listener.local_addr().unwrap().port(), Arc::new(AtomicBool::new(false)));
        let lost = Arc::clone(&loses);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (client, lost) = (stream.unwrap(), Arc::clone(&lost));
                let Ok(server) = std::net::TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (mut asks, mut asked) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut asks, &mut asked);
                    let _ = asked.shutdown(std::net::Shutdown::Both);
                });
                std::thread::spawn(move || {
                    let (mut server, mut client) = (server, client);
                    let mut buffer = vec![0; 65536];
                    while let Ok(read @ 1..) = server.read(&mut buffer) {
                        if lost.swap(false, Ordering::SeqCst) || client.write_all(&buffer[..read]).is_err() {
                            break;
                        }
                    }
                    let _ = client.shutdown(std::net::Shutdown::Both);
                });
            }
        });
        Self { port, loses }
    }
}
