//! Measurements as CSV.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use crate::cases::Contest;

const FILE: &str = "measurements.csv";

const HEADER: &str = "operation,data_units,parity_units,shard_bytes,layout,misaligned_by,level,\
contestant,gb_per_s,gb_per_s_least,gb_per_s_most,ratio,ratio_lower_quartile,ratio_upper_quartile,rounds";

/// What a contest was about; with a contestant's name, what a row is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub operation: String,
    pub code: (usize, usize),
    pub shard_len: usize,
    pub layout: String,
    pub misaligned_by: usize,
    pub level: String,
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, code: (k, m), shard_len, layout, misaligned_by, level } = self;
        let aligned = if *misaligned_by == 0 { "" } else { " +1" };
        write!(formatter, "{operation} ({k},{m}), {shard_len} B, {level}, {layout}{aligned}")
    }
}

/// How a contestant did in a contest.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub key: Key,
    pub contestant: String,
    /// Bytes read and written per nanosecond: median, least and most of its turns.
    pub rate: [f64; 3],
    /// Times as fast as the baseline, round by round: median and quartiles. Not a number where the
    /// baseline did not take part.
    pub ratio: [f64; 3],
    pub rounds: usize,
}

impl From<&Contest> for Key {
    fn from(contest: &Contest) -> Self {
        let case = &contest.case;
        Self {
            operation: case.operation.name().to_owned(),
            code: (case.data_units, case.parity_units),
            shard_len: case.shard_len,
            layout: contest.layout.name().to_owned(),
            misaligned_by: contest.misaligned_by,
            level: case.level.clone(),
        }
    }
}

impl Row {
    /// From one number a turn, and one a round.
    pub fn new(contest: &Contest, contestant: &str, rates: Vec<f64>, ratios: Vec<f64>) -> Self {
        Self {
            key: contest.into(),
            contestant: contestant.to_owned(),
            rounds: rates.len(),
            rate: [0.5, 0.0, 1.0].map(|part| quantile(&rates, part)),
            ratio: [0.5, 0.25, 0.75].map(|part| quantile(&ratios, part)),
        }
    }

    fn to_csv(&self) -> String {
        let Key { operation, code: (k, m), shard_len, layout, misaligned_by, level } = &self.key;
        let numbers = self.rate.iter().chain(&self.ratio);
        let numbers: Vec<String> = numbers.map(|number| format!("{number:.4}")).collect();
        let (contestant, numbers, rounds) = (&self.contestant, numbers.join(","), self.rounds);
        format!(
            "{operation},{k},{m},{shard_len},{layout},{misaligned_by},{level},{contestant},{numbers},{rounds}"
        )
    }

    fn from_csv(line: &str) -> Option<Self> {
        let mut fields = line.split(',');
        let mut text = || fields.next().map(str::to_owned);
        let mut key = Key {
            operation: text()?,
            code: (text()?.parse().ok()?, text()?.parse().ok()?),
            shard_len: text()?.parse().ok()?,
            layout: text()?,
            misaligned_by: text()?.parse().ok()?,
            level: String::new(),
        };
        key.level = text()?;
        let contestant = text()?;
        let mut three = || -> Option<[f64; 3]> {
            Some([text()?.parse().ok()?, text()?.parse().ok()?, text()?.parse().ok()?])
        };
        let (rate, ratio) = (three()?, three()?);
        Some(Self { key, contestant, rate, ratio, rounds: text()?.parse().ok()? })
    }
}

/// The value below which that part of the values lies.
fn quantile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (part * (sorted.len().max(1) - 1) as f64).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// The file of measurements, to be added to.
pub struct Record(File);

impl Record {
    /// Opens that of a folder, or begins it.
    pub fn append_to(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE);
        let is_new = !path.exists();
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        if is_new {
            writeln!(file, "{HEADER}")?;
        }
        Ok(Self(file))
    }

    /// Adds what a contest gave.
    pub fn add(&mut self, rows: &[Row]) -> io::Result<()> {
        rows.iter().try_for_each(|row| writeln!(self.0, "{}", row.to_csv()))
    }
}

/// All measurements of a folder. Of what was measured several times, the last.
pub fn read(folder: &Path) -> io::Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for line in fs::read_to_string(folder.join(FILE))?.lines().skip(1) {
        let row =
            Row::from_csv(line).ok_or_else(|| io::Error::other(format!("not a row: {line}")))?;
        rows.retain(|other| (&other.key, &other.contestant) != (&row.key, &row.contestant));
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::contests;

    #[test]
    fn a_row_is_read_as_it_was_written_and_the_last_of_its_kind_counts() {
        let contest = &contests("decode-m", 512, &[(6, 3)]).unwrap()[3];
        let row = |rate: f64| Row::new(contest, "abacus", vec![rate, 8.0, 2.0], vec![0.5, 1.5]);
        let folder = tempfile::tempdir().unwrap();
        for rate in [4.0, 5.0] {
            Record::append_to(folder.path()).unwrap().add(&[row(rate)]).unwrap();
        }
        assert_eq!(read(folder.path()).unwrap(), [row(5.0)]);
        assert_eq!(row(5.0).rate, [5.0, 2.0, 8.0]);
    }
}
