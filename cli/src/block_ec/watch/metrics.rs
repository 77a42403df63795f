//! Metrics in the text form of Prometheus, for whoever asks on this machine.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a metric is called, what it means, and whether it only rises.
const KNOWN: [(&str, &str, &str); 11] = [
    ("restripe_protected_files_total", "counter", "Files whose parity was made."),
    ("restripe_protected_bytes_total", "counter", "Bytes of files whose parity was made."),
    ("restripe_scrubs_total", "counter", "Scrubs that came to their end."),
    ("restripe_read_bytes_total", "counter", "Bytes of data and parity read by scrubs."),
    ("restripe_healed_files_total", "counter", "Files that were healed."),
    ("restripe_repaired_groups_total", "counter", "Groups of which something was rebuilt."),
    ("restripe_failures_total", "counter", "Rounds of a rule that failed, and are tried again."),
    ("restripe_damaged_files", "gauge", "Files that the last scrub left damaged."),
    ("restripe_unprotected_files", "gauge", "Files that the last scrub found without parity."),
    ("restripe_clean_files", "gauge", "Files that the last scrub found clean."),
    ("restripe_last_scrub_seconds", "gauge", "When the last scrub ended, in seconds since 1970."),
];

/// Numbers by rule.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<BTreeMap<(&'static str, String), f64>>>);

impl Metrics {
    /// Adds to what rises.
    pub fn add(&self, metric: &'static str, rule: &str, number: u64) {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *values.entry((metric, rule.to_owned())).or_default() += number as f64;
    }

    /// Says how something stands.
    pub fn set(&self, metric: &'static str, rule: &str, number: f64) {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.insert((metric, rule.to_owned()), number);
    }

    /// All of it as text.
    #[must_use]
    pub fn text(&self) -> String {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (name, kind, help) in KNOWN {
            let of_it = values.iter().filter(|((metric, _), _)| *metric == name);
            // Writing to a String does not fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for ((_, rule), value) in of_it {
                let rule = rule.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
                let _ = writeln!(text, "{name}{{rule=\"{rule}\"}} {value}");
            }
        }
        text
    }

    /// Answers at an address of this machine from now on. Returns the address, whose port the
    /// system chose where 0 was asked for.
    ///
    /// # Errors
    ///
    /// What the system says, and for an address that others can reach.
    pub fn serve(&self, address: SocketAddr) -> io::Result<SocketAddr> {
        if !address.ip().is_loopback() {
            return Err(io::Error::other("metrics are for this machine only: use 127.0.0.1"));
        }
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let metrics = self.clone();
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                // Who asks and goes, or asks for nothing, is no concern of ours.
                let _ = metrics.answer(connection);
            }
        });
        Ok(address)
    }

    fn answer(&self, mut connection: TcpStream) -> io::Result<()> {
        const PATIENCE: Duration = Duration::from_secs(5);
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        let mut request = Vec::new();
        let mut buffer = [0; 1024];
        while !request.windows(4).any(|end| end == b"\r\n\r\n") && request.len() < 16 << 10 {
            match connection.read(&mut buffer)? {
                0 => break,
                read => request.extend_from_slice(&buffer[..read]),
            }
        }
        let (status, body) = if request.starts_with(b"GET /metrics ") {
            ("200 OK", self.text())
        } else {
            ("404 Not Found", "metrics are at /metrics\n".to_owned())
        };
        let len = body.len();
        write!(
            connection,
            "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
             Content-Length: {len}\r\nConnection: close\r\n\r\n{body}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rules_are_escaped_and_every_metric_has_its_help() {
        let metrics = Metrics::default();
        metrics.add("restripe_scrubs_total", "a \"b\" \\", 2);
        metrics.add("restripe_scrubs_total", "a \"b\" \\", 1);
        let text = metrics.text();
        assert!(text.contains("restripe_scrubs_total{rule=\"a \\\"b\\\" \\\\\"} 3\n"), "{text}");
        assert_eq!(text.matches("# HELP").count(), KNOWN.len());
        assert!(metrics.serve("0.0.0.0:0".parse().unwrap()).is_err());
    }
}
