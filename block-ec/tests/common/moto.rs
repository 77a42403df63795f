//! moto's server, which speaks S3, on this machine.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server of its own, ended with the test.
pub struct Moto {
    server: Child,
    pub port: u16,
}

impl Moto {
    /// None where there is no such server; `skip` is told why.
    pub fn start(skip: impl Fn(&str)) -> Option<Self> {
        // Taken and let go: the server is told a port that is free.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("moto_server");
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let Ok(server) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
            skip("moto_server is not there (pip install 'moto[server,s3]')");
            return None;
        };
        let mut moto = Self { server, port };
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if moto.server.try_wait().unwrap().is_some() {
                skip("moto_server ends at once");
                return None;
            }
            assert!(Instant::now() < until, "moto_server does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(moto)
    }

    /// Sends a request as the owner, which moto takes at its word, and returns the answer's body.
    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let len = body.len();
        write!(
            connection,
            "{method} /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=owner/20260101/us-east-1/s3/aws4_request, \
             SignedHeaders=host, Signature=0\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        connection.write_all(body).unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        assert!(head.contains(" 200 ") || head.contains(" 204 "), "{method} {path}: {head}");
        answer.split_off(end)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
