//! A progress bar for whoever watches, nothing for whoever does not.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::args::{Colour, Output};

const COUNTER: &str = "{msg} {spinner} {bytes} {bytes_per_sec}";
const BAR: &str = "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";

/// Tells how far a command is: on a terminal only, on standard error.
#[derive(Clone, Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// One that shows nothing.
    #[must_use]
    pub fn hidden() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    /// A bar up to `total` bytes, or a counter where the total is not known.
    #[must_use]
    pub fn new(output: &Output, what: &'static str, total: Option<u64>) -> Self {
        Self::shown(output, what, || match total {
            Some(total) => (ProgressBar::new(total), BAR),
            None => (ProgressBar::no_length(), COUNTER),
        })
    }

    /// A bar up to a number of steps.
    #[must_use]
    pub fn steps(output: &Output, what: &'static str, total: usize) -> Self {
        let template = "{msg} {wide_bar} {pos}/{len} {eta}";
        Self::shown(output, what, || (ProgressBar::new(total as u64), template))
    }

    /// A bar up to a number of bytes that is found out on the way.
    #[must_use]
    pub fn growing(output: &Output, what: &'static str) -> Self {
        // No bar yet: one of nothing would be full.
        Self::shown(output, what, || (ProgressBar::new(0), COUNTER))
    }

    /// Counts what is found and what is done.
    pub fn follow(&self, progress: restripe_block_ec::Progress) {
        match progress {
            restripe_block_ec::Progress::Found(bytes) => {
                if self.bar.length() == Some(0)
                    && let Ok(style) = ProgressStyle::with_template(BAR)
                {
                    self.bar.set_style(style);
                }
                self.bar.inc_length(bytes);
            }
            restripe_block_ec::Progress::Done(bytes) => self.bar.inc(bytes),
        }
    }

    fn shown(
        output: &Output,
        what: &'static str,
        bar: impl FnOnce() -> (ProgressBar, &'static str),
    ) -> Self {
        let watched = std::io::stderr().is_terminal()
            && !output.json
            && !output.quiet
            && output.color != Colour::Never;
        if !watched {
            return Self::hidden();
        }
        let (bar, template) = bar();
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    /// Counts bytes, or steps, done.
    pub fn add(&self, done: u64) {
        self.bar.inc(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
