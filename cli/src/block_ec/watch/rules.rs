//! The rules of `restripe watch`: which files, by which policy, when and how fast.

use std::path::{Path, PathBuf};
use std::time::Duration;

use glob::{MatchOptions, Pattern};
use jiff::civil::Time;
use restripe::layout::Policy;
use restripe_block_ec::Entry;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use crate::block_ec::rate::BytesPerSecond;
use crate::failure::{Failure, Result};
use crate::size::Size;

/// A file of rules.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The rules, in the order in which they are followed.
    #[serde(rename = "rule")]
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// What it is called in metrics and log lines.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// Files are meant whose paths within the folder match one of these; all where there are none.
    #[serde(default, deserialize_with = "patterns")]
    pub include: Vec<Pattern>,
    /// But for those that match one of these.
    #[serde(default, deserialize_with = "patterns")]
    pub exclude: Vec<Pattern>,
    /// Files that have not been written for so long.
    #[serde(default, deserialize_with = "duration")]
    pub older_than: Option<Duration>,
    /// Files of at least so many bytes.
    #[serde(default, deserialize_with = "parsed")]
    pub larger_than: Option<Size>,
    /// Files of at most so many bytes.
    #[serde(default, deserialize_with = "parsed")]
    pub smaller_than: Option<Size>,
    /// Files of one owner: the number of a user.
    pub owner: Option<u32>,
    /// The policy of new parity.
    #[serde(default = "default_policy", deserialize_with = "policy")]
    pub policy: Policy,
    /// How often everything is read, and what is damaged healed; never where it is not said.
    #[serde(default, deserialize_with = "duration")]
    pub scrub_every: Option<Duration>,
    /// The most to read per second.
    #[serde(default, deserialize_with = "parsed")]
    pub rate: Option<BytesPerSecond>,
    /// Hours of the day, local time, in which to work.
    #[serde(default, deserialize_with = "parsed")]
    pub hours: Option<Hours>,
    /// The metastore, if not that in the folder.
    pub store: Option<PathBuf>,
    /// The folder of the parity files, if not that beside the metastore.
    pub parity_dir: Option<PathBuf>,
}

fn default_policy() -> Policy {
    // Nothing in it can be refused.
    Policy::new(restripe::layout::Codec::Rs, 6, 3, 4 << 20).unwrap_or_else(|_| unreachable!())
}

impl Rules {
    /// Reads a file of rules.
    ///
    /// # Errors
    ///
    /// [`Failure::Io`], and [`Failure::Folder`] with the line for what is no rule.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::io("read the rules", path, error))?;
        let rules: Self = toml::from_str(&text).map_err(|error| {
            let what = error.to_string();
            Failure::folder(path, what.trim_end(), "restripe watch --help shows a file of rules")
        })?;
        if rules.rules.is_empty() {
            return Err(Failure::folder(path, "it has no rules", "add a [[rule]]"));
        }
        let mut names: Vec<&str> = rules.rules.iter().map(|rule| &*rule.name).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            let advice = "give each rule a name of its own";
            return Err(Failure::folder(path, "two rules have one name", advice));
        }
        Ok(rules)
    }
}

impl Rule {
    /// Whether a file is meant, whose path within the rule's folder is given.
    #[must_use]
    pub fn takes(&self, path: &str, entry: &Entry, now_nanoseconds: i64) -> bool {
        // A star stands for part of a name, two for any folders.
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        let matches = |patterns: &[Pattern]| {
            patterns.iter().any(|pattern| pattern.matches_with(path, options))
        };
        let age = now_nanoseconds.saturating_sub(entry.identity.modified);
        let len = entry.identity.len;
        (self.include.is_empty() || matches(&self.include))
            && !matches(&self.exclude)
            && self.older_than.is_none_or(|older| i128::from(age) >= older.as_nanos().cast_signed())
            && self.larger_than.is_none_or(|size| len >= size.0)
            && self.smaller_than.is_none_or(|size| len <= size.0)
            && self.owner.is_none_or(|owner| entry.owner == owner.to_string())
    }
}

/// Hours of a day: `22:00-06:00`. They may go past midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    begin: Time,
    end: Time,
}

impl Hours {
    /// Whether a time of the day lies within.
    #[must_use]
    pub fn contain(self, time: Time) -> bool {
        if self.begin <= self.end {
            (self.begin..self.end).contains(&time)
        } else {
            time >= self.begin || time < self.end
        }
    }
}

impl std::str::FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = || format!("{text:?} are no hours: 22:00-06:00 are");
        let (begin, end) = text.split_once('-').ok_or_else(wrong)?;
        let time = |text: &str| Time::strptime("%H:%M", text.trim()).map_err(|_| wrong());
        Ok(Self { begin: time(begin)?, end: time(end)? })
    }
}

/// A time span: a number and `s`, `m`, `h` or `d`.
fn span(text: &str) -> std::result::Result<Duration, String> {
    let wrong = || format!("{text:?} is no time span: 90s, 15m, 12h or 30d are");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].trim().parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

fn duration<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    span(&text).map(Some).map_err(D::Error::custom)
}

fn patterns<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Vec<Pattern>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts
        .iter()
        .map(|text| {
            Pattern::new(text).map_err(|error| D::Error::custom(format!("{text:?}: {error}")))
        })
        .collect()
}

fn policy<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Policy, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}

fn parsed<'de, D, T>(from: D) -> std::result::Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr<Err = String>,
{
    String::deserialize(from)?.parse().map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use restripe_block_ec::Identity;

    fn rule(text: &str) -> Rule {
        let text = format!("[[rule]]\nname = \"r\"\npath = \"/srv\"\n{text}");
        toml::from_str::<Rules>(&text).unwrap_or_else(|error| panic!("{error}")).rules.remove(0)
    }

    fn entry(len: u64, modified: i64) -> Entry {
        let identity = Identity { len, modified, ..Identity::default() };
        Entry { path: String::new(), identity, owner: "1000".to_owned() }
    }

    #[test]
    fn a_rule_takes_files_by_pattern_age_size_and_owner() {
        let day = 86_400_000_000_000;
        let some = rule(
            "include = [\"*.raw\", \"2024/**\"]\nexclude = [\"**/tmp-*\"]\nolder-than = \"7d\"\n\
             larger-than = \"1k\"\nsmaller-than = \"1MiB\"\nowner = 1000",
        );
        let takes = |path: &str, len, age| some.takes(path, &entry(len, 0), age);
        assert!(takes("a.raw", 5000, 8 * day) && takes("2024/x/y", 5000, 8 * day));
        assert!(!takes("b/a.raw", 5000, 8 * day), "a star is within a name");
        assert!(!takes("2024/x/tmp-1", 5000, 8 * day) && !takes("a.jpg", 5000, 8 * day));
        assert!(!takes("a.raw", 1023, 8 * day) && !takes("a.raw", 2 << 20, 8 * day));
        assert!(!takes("a.raw", 5000, 6 * day));
        assert!(!rule("owner = 7").takes("a", &entry(1, 0), 0));
        assert!(rule("").takes("any/thing", &entry(0, 0), 0));
        assert_eq!(rule("").policy.to_string(), "RS-6-3-4096k");
    }

    #[test]
    fn hours_may_go_past_midnight() {
        let time = |text: &str| Time::strptime("%H:%M", text).unwrap();
        let night: Hours = "22:00-06:00".parse().unwrap();
        let noon: Hours = "11:30 - 12:30".parse().unwrap();
        for (hours, at, expected) in [
            (night, "21:59", false),
            (night, "22:00", true),
            (night, "00:00", true),
            (night, "05:59", true),
            (night, "06:00", false),
            (noon, "11:29", false),
            (noon, "12:00", true),
            (noon, "12:30", false),
        ] {
            assert_eq!(hours.contain(time(at)), expected, "{hours:?} {at}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_with_the_reason() {
        for (text, expected) in [
            ("older-than = \"7 weeks\"", "time span"),
            ("hours = \"night\"", "22:00-06:00"),
            ("rate = \"fast\"", "50MB/s"),
            ("policy = \"RS\"", "RS-6-3-1024k"),
            ("include = [\"a**\"]", "a**"),
            ("colour = \"blue\"", "colour"),
        ] {
            let text = format!("[[rule]]\nname = \"r\"\npath = \"/srv\"\n{text}");
            let error = toml::from_str::<Rules>(&text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
