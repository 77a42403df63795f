//! `restripe watch`: rules are followed, what happens is told, and SIGTERM ends it.

#![cfg(unix)]

mod common;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use common::{Random, restripe, run_on};
use serde_json::Value;

/// A watch that runs, and the lines that it has told.
struct Watch {
    child: Child,
    lines: Receiver<Value>,
    metrics: String,
}

impl Watch {
    fn new(rules: &Path) -> Self {
        let mut command = restripe();
        command.args(["watch", "--json", "--interval", "1", "--metrics", "127.0.0.1:0", "--rules"]);
        let mut child =
            command.arg(rules).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let mut begun = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        while !begun.ends_with("\n}\n") {
            assert!(output.read_line(&mut begun).unwrap() > 0, "{begun}");
        }
        let report: Value = serde_json::from_str(&begun).unwrap();
        common::assert_fits_the_schema(&report);
        let metrics = report["metrics"].as_str().unwrap().to_owned();
        Self { child, lines, metrics }
    }

    /// Waits for a line about an event.
    #[track_caller]
    fn tells(&self, event: &str) -> Value {
        let until = Instant::now() + Duration::from_secs(60);
        let mut others = Vec::new();
        while let Ok(line) =
            self.lines.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            if line["event"] == event {
                return line;
            }
            others.push(line);
        }
        panic!("nothing of {event} in {others:?}")
    }

    fn metrics(&self, path: &str) -> String {
        let address = self.metrics.strip_prefix("http://").unwrap().strip_suffix("/metrics");
        let mut connection = TcpStream::connect(address.unwrap()).unwrap();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    fn ends_on_sigterm(mut self) {
        let mut kill = Command::new("kill");
        assert!(kill.arg(self.child.id().to_string()).status().unwrap().success());
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), Some(0));
    }
}

fn rules(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("rules.toml");
    fs::write(&path, text).unwrap();
    path
}

fn damage(path: &Path) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[100] ^= 1;
    fs::write(path, bytes).unwrap();
    File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

#[test]
fn new_files_are_protected_damage_is_healed_and_sigterm_ends_it() {
    let work = tempfile::tempdir().unwrap();
    let data = work.path().join("data");
    fs::create_dir(&data).unwrap();
    let film = Random::new(61).bytes(200_000);
    fs::write(data.join("film.raw"), &film).unwrap();
    fs::write(data.join("notes.tmp"), "not meant").unwrap();
    let text = format!(
        "[[rule]]\nname = \"films\"\npath = {data:?}\ninclude = [\"*.raw\"]\n\
         policy = \"RS-3-2-16k\"\nscrub-every = \"1s\"\nrate = \"100MB/s\"\n"
    );
    let watch = Watch::new(&rules(work.path(), &text));
    let line = watch.tells("protected");
    assert_eq!((&line["rule"], &line["files"]), (&"films".into(), &1.into()));
    watch.tells("scrubbed");
    fs::write(data.join("new.raw"), "new").unwrap();
    watch.tells("protected");

    damage(&data.join("film.raw"));
    let line = watch.tells("repaired");
    assert_eq!((&line["group"], &line["data_chunks"]), (&0.into(), &1.into()));
    assert_eq!(line["files"][0], "film.raw");
    let line = watch.tells("scrubbed");
    assert_eq!((&line["healed"], &line["unprotected"]), (&1.into(), &1.into()));
    assert!(fs::read(data.join("film.raw")).unwrap() == film);

    let metrics = watch.metrics("/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
    for expected in [
        "# TYPE restripe_protected_files_total counter",
        "restripe_protected_files_total{rule=\"films\"} 2\n",
        "restripe_healed_files_total{rule=\"films\"} 1\n",
        "restripe_repaired_groups_total{rule=\"films\"} 1\n",
        "restripe_unprotected_files{rule=\"films\"} 1\n",
    ] {
        assert!(metrics.contains(expected), "{expected}: {metrics}");
    }
    assert!(watch.metrics("/").starts_with("HTTP/1.1 404"));
    watch.ends_on_sigterm();
    run_on("scrub", &[&data]).expect(0);
}

#[test]
fn what_fails_is_tried_again_ever_more_seldom_and_others_go_on() {
    let work = tempfile::tempdir().unwrap();
    let data = work.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("file"), "content").unwrap();
    let missing = work.path().join("missing");
    let text = format!(
        "[[rule]]\nname = \"missing\"\npath = {missing:?}\n[[rule]]\nname = \"there\"\npath = {data:?}\n"
    );
    let watch = Watch::new(&rules(work.path(), &text));
    assert_eq!(watch.tells("failed")["again_in_seconds"], 1.0);
    assert_eq!(watch.tells("protected")["rule"], "there");
    assert_eq!(watch.tells("failed")["again_in_seconds"], 2.0);
    fs::create_dir(&missing).unwrap();
    fs::write(missing.join("file"), "found").unwrap();
    assert_eq!(watch.tells("protected")["rule"], "missing");
    watch.ends_on_sigterm();
}

#[test]
fn rules_are_followed_once_where_that_is_asked_and_wrong_ones_are_told() {
    let work = tempfile::tempdir().unwrap();
    let data = work.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("file"), "content").unwrap();
    let hour = "hours = \"00:00-00:00\"\nscrub-every = \"1d\"";
    let text = format!("[[rule]]\nname = \"r\"\npath = {data:?}\n{hour}\n");
    let told = run_on("watch --dry-run --rules", &[&rules(work.path(), &text)]).expect(0);
    for event in ["would protect", "would scrub"] {
        assert!(told.stderr.contains(&format!("\"event\":\"{event}\"")), "{}", told.stderr);
    }
    assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "something was made");
    let once = |text: &str| run_on("watch --once --rules", &[&rules(work.path(), text)]);
    let told = once(&format!("[[rule]]\nname = \"r\"\npath = {data:?}\n")).expect(0);
    assert!(told.stderr.contains("\"event\":\"protected\""), "{}", told.stderr);
    once(&format!("[[rule]]\nname = \"r\"\npath = {:?}\n", work.path().join("no"))).expect(1);
    let hour = "hours = \"00:00-00:00\"";
    let told = once(&format!("[[rule]]\nname = \"r\"\npath = {data:?}\n{hour}\n")).expect(0);
    assert!(told.stderr.is_empty(), "{}", told.stderr);
    for (text, expected) in [
        ("[[rule]]\nname = \"r\"\n", "path"),
        ("[[rule]]\nname = \"r\"\npath = \"/\"\nrate = \"fast\"\n", "fast"),
        ("", "rule"),
    ] {
        let refused = once(text).expect(1);
        assert!(refused.stderr.contains(expected), "{text}: {}", refused.stderr);
    }
    let loopback = restripe()
        .args(["watch", "--once", "--metrics", "0.0.0.0:0", "--rules"])
        .arg(rules(work.path(), &format!("[[rule]]\nname = \"r\"\npath = {data:?}\n")))
        .output()
        .unwrap();
    assert_eq!(loopback.status.code(), Some(1));
}
