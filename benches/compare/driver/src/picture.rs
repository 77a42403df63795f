//! Measurements as a picture.

use worker::Operation;

use crate::cases::{BEST, SHARD_LENS};
use crate::chart::{Chart, Line, document, legend};
use crate::record::Row;
use crate::rivals::{LIMITS, RIVALS};
use crate::table::{for_means, geometric_mean, length};

/// Smaller ratios would leave no room for the others.
const LEAST_DRAWN: f64 = 0.05;

/// One chart an operation, side by side: how many times as fast as ISA-L everybody is.
pub fn draw(machine: &str, rows: &[Row]) -> String {
    let names: Vec<&str> =
        RIVALS.iter().map(|rival| rival.name).filter(|name| !LIMITS.contains(name)).collect();
    let chart = |operation: Operation, title: &str| Chart {
        title: title.to_owned(),
        places: SHARD_LENS
            .map(|len| length(len).replace("KiB", "K").replace("MiB", "M").replace(" B", ""))
            .to_vec(),
        unit: "times ISA-L, by bytes of a shard".to_owned(),
        logarithmic: true,
        lines: names
            .iter()
            .map(|name| Line {
                name: (*name).to_owned(),
                values: SHARD_LENS
                    .map(|len| {
                        let rows = for_means(rows, name, operation.name(), len, BEST);
                        let mean = geometric_mean(rows.iter().map(|row| row.ratio[0]));
                        mean.filter(|&ratio| ratio >= LEAST_DRAWN)
                    })
                    .to_vec(),
                limit: false,
            })
            .collect(),
        names_width: 0.0,
    };
    let charts = [
        chart(Operation::Encode, "Encode"),
        chart(Operation::DecodeOne, "Decode one lost unit"),
        chart(Operation::DecodeAll, "Decode m lost units"),
    ];
    let mut elements: String = (0..3_u8)
        .zip(charts)
        .map(|(column, chart)| chart.draw(16.0 + 320.0 * f64::from(column), 12.0, 304.0, 300.0))
        .collect();
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    elements += &legend(16.0, 336.0, &names);
    // The machine's first line is the CPU.
    let cpu = machine.lines().next().unwrap_or_default().trim_start_matches("- CPU: ");
    let cpu = crate::chart::escaped(cpu);
    for (y, text) in [
        (362, format!("One core of {cpu}.")),
        (
            380,
            format!(
                "Geometric means over (3,2), (6,3), (10,4), (17,3) and two layouts of the shards in \
                 memory; what is below {LEAST_DRAWN} is not drawn."
            ),
        ),
    ] {
        elements += &format!(
            "<g class=\"chart\"><text class=\"faint\" x=\"16\" y=\"{y}\">{text}</text></g>"
        );
    }
    document(992.0, 394.0, &elements)
}
