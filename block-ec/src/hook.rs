//! A seam before every act that changes something.

use std::fmt;
use std::io;
use std::sync::Arc;

type Function = dyn Fn(&'static str) -> io::Result<()> + Send + Sync;

/// Called before every change that a local store or the metastore makes, with a word for it. An
/// error keeps the change from being made.
///
/// The tests stop the process, or everything that it does from then on, at each of these in turn.
///
/// ```
/// use restripe_block_ec::Hook;
/// let hook = Hook::new(|act| {
///     println!("about to {act}");
///     Ok(())
/// });
/// assert!(hook.before("rename").is_ok());
/// ```
#[derive(Clone, Default)]
pub struct Hook(Option<Arc<Function>>);

impl Hook {
    /// One that calls `function`.
    pub fn new(function: impl Fn(&'static str) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(function)))
    }

    /// Is called before `act`.
    ///
    /// # Errors
    ///
    /// What the function returns.
    pub fn before(&self, act: &'static str) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |function| function(act))
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Hook" } else { "no hook" })
    }
}
