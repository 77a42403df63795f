//! Line charts as SVG, for pages that load nothing and are read in the light and in the dark.

use std::fmt::Write as _;

/// Colours of lines and text. Of a page or an SVG document it stands once, in a `<style>`.
pub const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1f2328;--faint:#656d76;--grid:#d8dee4;--paper:#ffffff;\
--c0:#cf222e;--c1:#0969da;--c2:#1a7f37;--c3:#9a6700;--c4:#8250df;--c5:#bc4c00;--c6:#57606a;--c7:#bf3989}\
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--faint:#8d96a0;--grid:#30363d;\
--paper:#0d1117;--c0:#ff7b72;--c1:#58a6ff;--c2:#3fb950;--c3:#d29922;--c4:#bc8cff;--c5:#f0883e;\
--c6:#8b949e;--c7:#f778ba}}\
.chart text{font:12px system-ui,sans-serif;fill:var(--ink)}\
.chart .title{font-weight:600;font-size:14px}\
.chart .faint{fill:var(--faint)}\
.chart .grid{stroke:var(--grid)}\
.chart .line{fill:none;stroke-width:2;stroke-linejoin:round}\
.chart .first{stroke-width:3}\
.chart .limit{stroke-dasharray:5 4}";

/// Colours that [`STYLE`] has.
const COLOURS: usize = 8;

/// Height of the letters, and the least distance of two of them one above the other.
const LINE_HEIGHT: f64 = 15.0;

/// A line through a value at each place of the x axis.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is called.
    pub name: String,
    /// Its values, all positive; `None` where there is none.
    pub values: Vec<Option<f64>>,
    /// A limit: drawn with dashes.
    pub limit: bool,
}

/// A line chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// The places of the x axis.
    pub places: Vec<String>,
    /// What the y axis counts.
    pub unit: String,
    /// Equal distances are equal ratios; otherwise the axis begins at 0.
    pub logarithmic: bool,
    /// The lines; the first is drawn strongest.
    pub lines: Vec<Line>,
    /// Names at the ends of the lines, in this many pixels; without them see [`legend`].
    pub names_width: f64,
}

impl Chart {
    /// The chart as an SVG element of that size, at a place of the one that it stands in.
    #[must_use]
    pub fn draw(&self, x: f64, y: f64, width: f64, height: f64) -> String {
        let (left, right) = (44.0, width - 14.0 - self.names_width);
        let (top, bottom) = (46.0, height - 28.0);
        let ticks = self.ticks();
        let (low, high) = (self.position(ticks[0]), self.position(ticks[ticks.len() - 1]));
        let height_of =
            |value: f64| bottom - (self.position(value) - low) / (high - low) * (bottom - top);
        let step = (right - left) / (self.places.len().max(2) - 1) as f64;
        let place = |index: usize| left + step * index as f64;

        let mut svg = format!(
            "<svg class=\"chart\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{0}\">\
             <text class=\"title\" x=\"0\" y=\"16\">{0}</text>\
             <text class=\"faint\" x=\"0\" y=\"33\">{1}</text>",
            escaped(&self.title),
            escaped(&self.unit)
        );
        for &tick in &ticks {
            let y = height_of(tick);
            let _ = write!(
                svg,
                "<path class=\"grid\" d=\"M{left:.1} {y:.1}H{right:.1}\"/>\
                 <text class=\"faint\" text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{tick}</text>",
                left - 6.0,
                y + 4.0
            );
        }
        for (index, name) in self.places.iter().enumerate() {
            let _ = write!(
                svg,
                "<text class=\"faint\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                place(index),
                bottom + 18.0,
                escaped(name)
            );
        }
        // The first line last, so that it lies on top.
        for (number, line) in self.lines.iter().enumerate().rev() {
            let points = line.values.iter().enumerate();
            let points = points.filter_map(|(at, value)| Some((place(at), height_of((*value)?))));
            let class = class(number, line.limit);
            let mut path = String::new();
            for (x, y) in points.clone() {
                let _ = write!(path, "{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' });
            }
            let colour = colour(number);
            let _ = write!(svg, "<path class=\"{class}\" stroke=\"{colour}\" d=\"{path}\"/>");
            if !line.limit {
                for (x, y) in points {
                    let _ = write!(
                        svg,
                        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"
                    );
                }
            }
        }
        if self.names_width > 0.0 {
            svg += &self.names(right + 8.0, top, bottom, height_of);
        }
        svg + "</svg>"
    }

    /// The names of the lines where these end, as far apart as letters need.
    fn names(&self, x: f64, top: f64, bottom: f64, height_of: impl Fn(f64) -> f64) -> String {
        let end = |line: &Line| line.values.iter().rev().find_map(|value| *value).map(&height_of);
        let lines = self.lines.iter().enumerate();
        let mut ends: Vec<(f64, usize)> =
            lines.filter_map(|(number, line)| Some((end(line)?, number))).collect();
        ends.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut lowest_free = top - LINE_HEIGHT;
        for (y, _) in &mut ends {
            *y = y.max(lowest_free);
            lowest_free = *y + LINE_HEIGHT;
        }
        let mut highest_free = bottom;
        for (y, _) in ends.iter_mut().rev() {
            *y = y.min(highest_free);
            highest_free = *y - LINE_HEIGHT;
        }
        let name = |(y, number): &(f64, usize)| {
            let name = escaped(&self.lines[*number].name);
            let colour = colour(*number);
            format!("<text x=\"{x:.1}\" y=\"{:.1}\" style=\"fill:{colour}\">{name}</text>", y + 4.0)
        };
        ends.iter().map(name).collect()
    }

    /// Where a value lies on the y axis, in any unit.
    fn position(&self, value: f64) -> f64 {
        if self.logarithmic { value.ln() } else { value }
    }

    /// Round numbers that enclose all values, ascending; two at least.
    fn ticks(&self) -> Vec<f64> {
        let values = || self.lines.iter().flat_map(|line| line.values.iter().copied().flatten());
        let most = values().fold(f64::MIN_POSITIVE, f64::max);
        if self.logarithmic {
            let least = values().fold(most, f64::min);
            let decades = least.log10().floor() as i32..=most.log10().ceil() as i32;
            let all: Vec<f64> = decades
                .flat_map(|decade| [1, 2, 5].map(|digit| format!("{digit}e{decade}")))
                .filter_map(|number| number.parse().ok())
                .collect();
            let first = all.iter().rposition(|&tick| tick <= least).unwrap_or(0);
            let last = all.iter().position(|&tick| tick >= most).unwrap_or(all.len() - 1);
            return all[first.min(last.saturating_sub(1))..=last.max(1)].to_vec();
        }
        let rough = most / 4.0;
        let decade = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * decade);
        let step = steps.into_iter().find(|&step| step >= rough).unwrap_or(10.0 * decade);
        (0..=(most / step).ceil() as i32).map(|index| f64::from(index) * step).collect()
    }
}

/// The names of lines in their colours, side by side.
#[must_use]
pub fn legend(x: f64, y: f64, names: &[String]) -> String {
    let mut svg = format!("<g class=\"chart\" transform=\"translate({x} {y})\">");
    let mut x = 0.0;
    for (number, name) in names.iter().enumerate() {
        let _ = write!(
            svg,
            "<path class=\"{}\" stroke=\"{}\" d=\"M{x:.1} -4h18\"/><text x=\"{:.1}\" y=\"0\">{}</text>",
            class(number, false),
            colour(number),
            x + 24.0,
            escaped(name)
        );
        // Near enough for letters of that size.
        x += 44.0 + 6.6 * name.chars().count() as f64;
    }
    svg + "</g>"
}

/// Elements as a document of their own.
#[must_use]
pub fn document(width: f64, height: f64, elements: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\"><style>{STYLE}</style>\
         <rect width=\"100%\" height=\"100%\" fill=\"var(--paper)\"/>{elements}</svg>\n"
    )
}

/// Text as it stands in HTML and SVG.
#[must_use]
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn colour(number: usize) -> String {
    format!("var(--c{})", number % COLOURS)
}

fn class(number: usize, limit: bool) -> &'static str {
    match (number, limit) {
        (_, true) => "line limit",
        (0, false) => "line first",
        _ => "line",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[f64], logarithmic: bool) -> Chart {
        let line = Line {
            name: "a<b".to_owned(),
            values: values.iter().copied().map(Some).collect(),
            limit: false,
        };
        Chart {
            title: "title".to_owned(),
            places: values.iter().map(f64::to_string).collect(),
            unit: "GB/s".to_owned(),
            logarithmic,
            lines: vec![line],
            names_width: 100.0,
        }
    }

    #[test]
    fn ticks_are_round_and_enclose_all_values() {
        for (values, logarithmic, ticks) in [
            (vec![3.0, 95.0], false, vec![0.0, 25.0, 50.0, 75.0, 100.0]),
            (vec![0.13, 1.9], true, vec![0.1, 0.2, 0.5, 1.0, 2.0]),
            (vec![7.0], true, vec![5.0, 10.0]),
            (vec![1.0], true, vec![1.0, 2.0]),
        ] {
            assert_eq!(chart(&values, logarithmic).ticks(), ticks, "{values:?}");
        }
    }

    #[test]
    fn higher_values_lie_higher_and_text_is_escaped() {
        for logarithmic in [false, true] {
            let svg = chart(&[10.0, 20.0, 40.0], logarithmic).draw(0.0, 0.0, 400.0, 300.0);
            let heights: Vec<f64> = svg
                .split("cy=\"")
                .skip(1)
                .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
                .collect();
            assert!(heights.len() == 3 && heights.is_sorted_by(|a, b| a > b), "{heights:?}");
            assert!(svg.contains("a&lt;b") && !svg.contains("a<b"));
        }
    }
}
