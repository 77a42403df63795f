//! What was measured as one HTML page that loads nothing.

use std::fmt::Write as _;

use crate::chart::{self, Chart, Line, escaped};
use crate::report::{BenchReport, CodeSpeed, CoresSpeed};
use crate::size::{exact, human};

const PAGE_STYLE: &str = "\
body{background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,sans-serif;\
max-width:1120px;margin:0 auto;padding:24px 16px}\
h1{font-size:24px;margin:0}h2{font-size:18px;margin:32px 0 4px}p{margin:4px 0;color:var(--faint)}\
.charts{display:flex;flex-wrap:wrap;gap:24px 32px;margin-top:12px}\
.charts svg{max-width:100%;height:auto}\
.tables{overflow-x:auto}table{border-collapse:collapse;margin-top:12px;font-variant-numeric:tabular-nums}\
th,td{padding:3px 12px;text-align:right;border-bottom:1px solid var(--grid)}\
th{color:var(--faint);font-weight:500}td:nth-child(-n+2),th:nth-child(-n+2){text-align:left}";

/// Width and height of a chart, and of the names at its right.
const CHART: (f64, f64) = (528.0, 300.0);
const NAMES: f64 = 110.0;

/// The page.
#[must_use]
pub fn page(report: &BenchReport) -> String {
    let cpu = escaped(report.cpu.as_deref().unwrap_or("unknown CPU"));
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>restripe on {cpu}</title><style>{}{PAGE_STYLE}</style></head><body>\
         <h1>restripe on {cpu}</h1><p>{} cores; kernel chosen: {}; restripe {}. \
         GB/s are bytes of all shards that are read and written.</p>",
        chart::STYLE,
        report.cores,
        report.kernel,
        env!("CARGO_PKG_VERSION"),
    );
    section(
        &mut html,
        "Encode, one core",
        "By shard length and kernel level. Dashed: memcpy of as many bytes.",
        by_kernel(&report.rows("encode")),
    );
    section(
        &mut html,
        "Rebuild as many units as may be lost, one core",
        "With a kept plan. Dashed: memcpy of as many bytes.",
        by_kernel(&report.rows("rebuild")),
    );
    let share = |operation, title: &str| share_of_copying(&report.rows(operation), title);
    section(
        &mut html,
        "Share of the machine's limit",
        "The best kernel's speed in percent of that of memcpy for as many bytes, one core. In the \
         nearest caches arithmetic is the limit, in memory it is copying.",
        vec![share("encode", "Encode"), share("rebuild", "Rebuild")],
    );
    section(
        &mut html,
        "Cores",
        "All threads together, each with shards of its own; one memory bus feeds them all.",
        vec![on_cores(report)],
    );
    html += "<h2>What copying gives</h2><p>memcpy, bytes read and written, one core.</p>\
             <div class=\"tables\"><table><tr><th>within</th><th>bytes</th><th>GB/s</th></tr>";
    for copy in &report.copying {
        let size = human(copy.bytes as u64);
        let _ = write!(
            html,
            "<tr><td>{}</td><td>{size}</td><td>{:.1}</td></tr>",
            copy.place, copy.gb_per_s
        );
    }
    html += "</table></div>";
    for (operation, title) in [("encode", "Encode"), ("rebuild", "Rebuild")] {
        let _ = write!(html, "<h2>{title}, GB/s</h2>{}", table(&report.rows(operation)));
    }
    html + "</body></html>\n"
}

fn section(html: &mut String, title: &str, text: &str, charts: Vec<Chart>) {
    let _ = write!(html, "<h2>{title}</h2><p>{text}</p><div class=\"charts\">");
    for chart in charts {
        *html += &chart.draw(0.0, 0.0, CHART.0, CHART.1);
    }
    *html += "</div>";
}

type Rows<'a> = [Vec<&'a CodeSpeed>];

/// The rows of each code.
fn by_code<'a, 'b>(rows: &'b Rows<'a>) -> impl Iterator<Item = &'b Rows<'a>> {
    rows.chunk_by(|one, other| one[0].code() == other[0].code())
}

/// One chart a code, with a line for every kernel.
fn by_kernel(rows: &Rows<'_>) -> Vec<Chart> {
    let chart = |rows: &Rows<'_>| {
        let kernels = rows[0].iter().enumerate();
        let mut lines: Vec<Line> = kernels
            .map(|(column, speed)| {
                line(speed.kernel.to_owned(), rows.iter().map(|row| row[column].gb_per_s))
            })
            .collect();
        let copying = rows.iter().map(|row| row[0].copy_gb_per_s);
        lines.push(Line { limit: true, ..line("memcpy".to_owned(), copying) });
        // Kernels differ by factors.
        Chart { logarithmic: true, ..by_shard_len(rows[0][0].code(), "GB/s", rows, lines) }
    };
    by_code(rows).map(chart).collect()
}

/// A line for every code.
fn share_of_copying(rows: &Rows<'_>, title: &str) -> Chart {
    let share = |row: &Vec<&CodeSpeed>| 100.0 * row[0].gb_per_s / row[0].copy_gb_per_s;
    let of_code = |rows: &Rows<'_>| line(rows[0][0].code(), rows.iter().map(share));
    let lines = by_code(rows).map(of_code).collect();
    let first_code = by_code(rows).next().unwrap_or_default();
    by_shard_len(title.to_owned(), "% of memcpy", first_code, lines)
}

/// A line for every shard length.
fn on_cores(report: &BenchReport) -> Chart {
    let lens: Vec<_> =
        report.on_cores.chunk_by(|one, other| one.shard_bytes == other.shard_bytes).collect();
    let of_len = |speeds: &&[CoresSpeed]| {
        let name = exact(speeds[0].shard_bytes as u64);
        line(name, speeds.iter().map(|speed| speed.gb_per_s))
    };
    let threads = lens.first().copied().unwrap_or_default();
    Chart {
        title: "Encode, by threads".to_owned(),
        places: threads.iter().map(|speed| speed.threads.to_string()).collect(),
        unit: "GB/s".to_owned(),
        logarithmic: false,
        lines: lens.iter().map(of_len).collect(),
        names_width: NAMES,
    }
}

fn line(name: String, values: impl Iterator<Item = f64>) -> Line {
    Line { name, values: values.map(Some).collect(), limit: false }
}

fn by_shard_len(title: String, unit: &str, rows: &Rows<'_>, lines: Vec<Line>) -> Chart {
    let place = |row: &Vec<&CodeSpeed>| exact(row[0].shard_bytes as u64);
    Chart {
        title,
        places: rows.iter().map(place).collect(),
        unit: unit.to_owned(),
        logarithmic: false,
        lines,
        names_width: NAMES,
    }
}

fn table(rows: &Rows<'_>) -> String {
    let mut html = "<div class=\"tables\"><table><tr><th>code</th><th>shard</th>".to_owned();
    for speed in rows.first().into_iter().flatten() {
        let _ = write!(html, "<th>{}</th>", speed.kernel);
    }
    html += "<th>memcpy</th></tr>";
    for row in rows {
        let (code, shard) = (row[0].code(), exact(row[0].shard_bytes as u64));
        let _ = write!(html, "<tr><td>{code}</td><td>{shard}</td>");
        for speed in row {
            let _ = write!(html, "<td>{:.1}</td>", speed.gb_per_s);
        }
        let _ = write!(html, "<td>{:.1}</td></tr>", row[0].copy_gb_per_s);
    }
    html + "</table></div>"
}
