//! Measurements as tables in Markdown.

use std::fmt::Write as _;

use crate::cases::{BEST, CODES, FORCED_LEVELS, SHARD_LENS};
use crate::record::Row;
use crate::rivals::{BASELINE, COPY, LIMITS, OURS, PRODUCTS, RIVALS};

/// The codes over which means are taken.
pub const MEAN_OVER: [(usize, usize); 4] = [(3, 2), (6, 3), (10, 4), (17, 3)];

/// Rows of a contestant at a level, aligned, of the codes over which means are taken.
pub fn for_means<'a>(
    rows: &'a [Row],
    contestant: &str,
    operation: &str,
    shard_len: usize,
    level: &str,
) -> Vec<&'a Row> {
    let of_these = |row: &&Row| {
        row.contestant == contestant
            && (row.key.operation.as_str(), row.key.shard_len) == (operation, shard_len)
            && (row.key.level.as_str(), row.key.misaligned_by) == (level, 0)
            && MEAN_OVER.contains(&row.key.code)
    };
    rows.iter().filter(of_these).collect()
}

/// The geometric mean; `None` of nothing, or where a value is not a number.
pub fn geometric_mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let logarithms: Vec<f64> = values.map(f64::ln).collect();
    let mean = (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp();
    mean.is_finite().then_some(mean)
}

/// A length as it stands in tables.
pub fn length(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// The document.
pub fn write(machine: &str, rows: &[Row]) -> String {
    let mut text = format!("# restripe beside other erasure coders, one core\n\n{machine}\n");
    text += "GB/s are bytes of all shards that a call reads and writes, medians of the turns (of an \
             even number the upper one). Ratios are to ISA-L: medians round by round, in brackets \
             their quartiles. Means are geometric, over (3,2), (6,3), (10,4), (17,3) and both layouts, \
             aligned; in brackets stand the least and the greatest ratio among these cells.\n";
    means(&mut text, rows);
    limits(&mut text, rows);
    forced_levels(&mut text, rows);
    losses(&mut text, rows);
    every_cell(&mut text, rows);
    text
}

fn heading(text: &mut String, title: &str, columns: &[&str]) {
    let _ = write!(
        text,
        "\n## {title}\n\n| {} |\n|{}\n",
        columns.join(" | "),
        "---|".repeat(columns.len())
    );
}

fn mean_of_ratios(rows: &[&Row]) -> String {
    let ratios = || rows.iter().map(|row| row.ratio[0]);
    let (least, most) = (ratios().fold(f64::MAX, f64::min), ratios().fold(0.0, f64::max));
    let mean = geometric_mean(ratios());
    let text = |mean| format!("{} ({}–{})", figures(mean), figures(least), figures(most));
    mean.map_or("–".to_owned(), text)
}

/// Two decimals, or what is left of a ratio that has none.
fn figures(ratio: f64) -> String {
    match ratio {
        _ if ratio.is_nan() => "–".to_owned(),
        ..0.095 => format!("{ratio:.4}"),
        _ => format!("{ratio:.2}"),
    }
}

/// Where restripe is not ahead: nothing is left out.
fn losses(text: &mut String, rows: &[Row]) {
    let ours: Vec<&Row> = rows.iter().filter(|row| row.contestant == OURS).collect();
    let mut lost = Vec::new();
    for row in &ours {
        for other in rows.iter().filter(|other| other.key == row.key) {
            let ahead = match other.contestant.as_str() {
                BASELINE => row.ratio[0] < 1.05,
                OURS | PRODUCTS | COPY => false,
                // By more than the spread.
                _ => other.ratio[1] > row.ratio[2],
            };
            if ahead {
                lost.push((row, other));
            }
        }
    }
    let contests = ours.len();
    let title = format!(
        "Where restripe is less than 1.05 times ISA-L, or behind another by more than the quartiles: \
         {} of {contests} contests",
        lost.len()
    );
    heading(text, &title, &["contest", "to ISA-L", "the other", "to ISA-L"]);
    for (row, other) in lost {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            row.key,
            quartiles(row),
            other.contestant,
            quartiles(other)
        );
    }
}

fn quartiles(row: &Row) -> String {
    let [ratio, low, high] = row.ratio.map(figures);
    format!("{ratio} ({low}–{high})")
}

fn means(text: &mut String, rows: &[Row]) {
    let contestants: Vec<&str> = RIVALS
        .iter()
        .map(|rival| rival.name)
        .filter(|name| *name != BASELINE && !LIMITS.contains(name))
        .collect();
    let columns = [&["operation", "shard"][..], &contestants].concat();
    heading(text, "Ratio to ISA-L, geometric means", &columns);
    for operation in worker::Operation::ALL {
        for shard_len in SHARD_LENS {
            let cell = |name: &&str| {
                mean_of_ratios(&for_means(rows, name, operation.name(), shard_len, BEST))
            };
            let cells: Vec<String> = contestants.iter().map(cell).collect();
            let (operation, shard) = (operation.name(), length(shard_len));
            let _ = writeln!(text, "| {operation} | {shard} | {} |", cells.join(" | "));
        }
    }
}

/// The rate of another contestant in the same contest.
fn beside(rows: &[Row], row: &Row, contestant: &str) -> f64 {
    rows.iter()
        .find(|other| other.key == row.key && other.contestant == contestant)
        .map_or(f64::NAN, |other| other.rate[0])
}

fn percent(part: Option<f64>) -> String {
    part.filter(|part| part.is_finite())
        .map_or("–".to_owned(), |part| format!("{:.0} %", 100.0 * part))
}

fn limits(text: &mut String, rows: &[Row]) {
    let columns = [
        "shard",
        "of the products issued",
        "of memory copied",
        "0.95 of the lower, as a ratio to ISA-L",
    ];
    heading(text, "encode: restripe's share of what the machine gives, geometric means", &columns);
    for shard_len in SHARD_LENS {
        let ours = for_means(rows, OURS, "encode", shard_len, BEST);
        let share = |limit: &str| {
            geometric_mean(ours.iter().map(|row| row.rate[0] / beside(rows, row, limit)))
        };
        let bound = geometric_mean(ours.iter().map(|row| {
            let lower =
                LIMITS.map(|limit| beside(rows, row, limit)).into_iter().fold(f64::MAX, f64::min);
            0.95 * lower / beside(rows, row, BASELINE)
        }));
        let bound = bound.map_or("–".to_owned(), |bound| format!("{bound:.2}"));
        let (products, copied) = (percent(share(PRODUCTS)), percent(share(COPY)));
        let _ = writeln!(text, "| {} | {products} | {copied} | {bound} |", length(shard_len));
    }
}

fn forced_levels(text: &mut String, rows: &[Row]) {
    heading(
        text,
        "encode at forced levels, ratio to ISA-L's function for the level",
        &["shard", "avx2_gfni", "avx2", "ssse3"],
    );
    for shard_len in SHARD_LENS {
        let cell = |level| mean_of_ratios(&for_means(rows, OURS, "encode", shard_len, level));
        let cells = FORCED_LEVELS.map(cell);
        let _ = writeln!(text, "| {} | {} |", length(shard_len), cells.join(" | "));
    }
}

fn every_cell(text: &mut String, rows: &[Row]) {
    let others: Vec<&str> =
        RIVALS[2..RIVALS.len() - LIMITS.len()].iter().map(|rival| rival.name).collect();
    let columns =
        [
            &[
                "code",
                "layout",
                "ISA-L GB/s",
                "restripe GB/s",
                "ratio",
                "of products",
                "of copying",
            ][..],
            &others,
        ]
        .concat();
    for level in [&[BEST][..], &FORCED_LEVELS].concat() {
        for operation in worker::Operation::ALL {
            for shard_len in SHARD_LENS {
                let ours: Vec<&Row> = rows
                    .iter()
                    .filter(|row| {
                        row.contestant == OURS
                            && (row.key.operation.as_str(), row.key.shard_len)
                                == (operation.name(), shard_len)
                            && row.key.level == level
                    })
                    .collect();
                if ours.is_empty() {
                    continue;
                }
                let title = format!("{}, {}, {level}", operation.name(), length(shard_len));
                heading(text, &title, &columns);
                for (k, m) in CODES {
                    for row in ours.iter().filter(|row| row.key.code == (k, m)) {
                        let aligned = if row.key.misaligned_by == 0 { "" } else { " +1" };
                        let _ = write!(
                            text,
                            "| ({k},{m}) | {}{aligned} | {:.1} | {:.1} | {} | {} | {} |",
                            row.key.layout,
                            beside(rows, row, BASELINE),
                            row.rate[0],
                            quartiles(row),
                            percent(Some(row.rate[0] / beside(rows, row, PRODUCTS))),
                            percent(Some(row.rate[0] / beside(rows, row, COPY))),
                        );
                        for other in &others {
                            let ratio = beside(rows, row, other) / beside(rows, row, BASELINE);
                            let _ = write!(text, " {} |", figures(ratio));
                        }
                        text.push('\n');
                    }
                }
            }
        }
    }
}
