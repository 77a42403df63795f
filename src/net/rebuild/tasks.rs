//! Reconstructions awaited by tasks of a tokio runtime.
//!
//! Reading, computing and sending block, and so are done by the [`Rebuilder`]'s own threads, within
//! the same limits as for callers that are threads. The task only waits for the time to pass, gives
//! on what is delivered, and gets a turn and memory: nothing of that keeps a thread of the runtime.

use std::boxed::Box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::vec::Vec;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::budget::{Budget, Share};
use super::rebuilder::{Shared, cancelled, deliver_to};
use super::run::{ForCaller, GRACE, Prepared, Run, TICK, Waiting};
use super::{RangeRead, Rebuild, RebuildError, Rebuilder};
use crate::layout::Layout;
use crate::round::{Delivery, Event, Failure, Progress};

/// How often whoever waits for a turn or for memory is asked whether to go on.
const ASK_EVERY: Duration = Duration::from_millis(100);

impl Rebuilder {
    /// [`run`](Self::run) for a task of a tokio runtime with a timer (feature `tokio`). Dropped, the
    /// future cancels the reconstruction; what it used is free once its threads have let go of it.
    ///
    /// ```no_run
    /// # use restripe::layout::StripedLayout;
    /// # use restripe::net::{Rebuild, RebuildError, Rebuilder};
    /// # async fn example(
    /// #     rebuilder: Rebuilder,
    /// #     rebuild: Rebuild<StripedLayout>,
    /// # ) -> Result<(), RebuildError> {
    /// let summary = rebuilder.run_async(rebuild, |_| true).await?;
    /// assert!(summary.targets[0].is_rebuilt);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_async<L: Layout + Send + Sync + 'static>(
        &self,
        rebuild: Rebuild<L>,
        mut watch: impl FnMut(&Progress) -> bool,
    ) -> Result<Progress, RebuildError> {
        let urgency = rebuild.urgency();
        let nothing = Progress::default();
        let turn = take(&self.shared.running, 1, urgency, || watch(&nothing)).await;
        let Some(_running) = turn else { return Err(cancelled()) };
        let waiting = Waiting { urgency, watch, deliver: |_: &Delivery<_>| true };
        Ok(run(&self.shared, rebuild.prepare()?, waiting).await?)
    }

    /// [`read`](Self::read) for a task of a tokio runtime with a timer (feature `tokio`). Dropped,
    /// the future cancels the read. `sink` is called by the task, and should not block.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub async fn read_async(
        &self,
        read: RangeRead,
        sink: impl FnMut(u64, &[u8]) -> bool,
    ) -> Result<Progress, RebuildError> {
        let deliver = deliver_to(read.layout, sink);
        let waiting = Waiting { urgency: 0, watch: |_: &Progress| true, deliver };
        Ok(run(&self.shared, read.prepare()?, waiting).await?)
    }
}

/// Waits for an amount. `None` once `go_on`, which is asked now and then, says no.
async fn take(
    budget: &Budget,
    amount: u64,
    urgency: usize,
    mut go_on: impl FnMut() -> bool,
) -> Option<Share<'_>> {
    let place = budget.queue(amount, urgency);
    let mut asked = Instant::now();
    loop {
        if let Some(share) = place.try_take() {
            return Some(share);
        }
        sleep(TICK).await;
        if asked.elapsed() >= ASK_EVERY {
            asked = Instant::now();
            if !go_on() {
                return None;
            }
        }
    }
}

/// Cancels a reconstruction that nobody waits for any more.
struct CancelOnDrop<'a>(&'a Arc<Run>);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        // It changes nothing where it is over.
        self.0.tell(Event::Cancel);
    }
}

async fn run(
    shared: &Arc<Shared>,
    prepared: Prepared,
    mut waiting: Waiting<impl FnMut(&Progress) -> bool, impl FnMut(&Delivery<Vec<u8>>) -> bool>,
) -> Result<Progress, Failure> {
    let (sender, mut messages) = mpsc::unbounded_channel();
    // Where nobody waits for the reconstruction any more, it is over.
    let run = Run::begin(shared, prepared, Box::new(move |message| drop(sender.send(message))));
    let _cancelled = CancelOnDrop(&run);
    let mut told = Instant::now();
    // Kept until the buffers are back.
    let mut memory = None;
    let mut lent = 0;
    loop {
        // The sender is this run's: there is no other error than the time's end.
        match timeout(run.wait(), messages.recv()).await.ok().flatten() {
            Some(ForCaller::Lend { buffers, len }) => {
                let go_on = || (waiting.watch)(&run.progress());
                let bytes = buffers as u64 * len as u64;
                memory = take(&shared.bytes, bytes, waiting.urgency, go_on).await;
                lent = run.lend(memory.is_some(), buffers, len);
            }
            Some(ForCaller::Deliver(delivery)) => {
                let goes_on = (waiting.deliver)(&delivery);
                run.delivered(delivery, goes_on);
            }
            Some(ForCaller::Done(outcome)) => {
                let end = Instant::now() + GRACE;
                while run.is_awaited(&mut lent, end) {
                    let message = timeout(TICK, messages.recv()).await;
                    if let Ok(Some(ForCaller::Deliver(delivery))) = message {
                        run.delivered(delivery, true);
                    }
                }
                drop(memory);
                return outcome;
            }
            Some(ForCaller::Home) => {}
            None => shared.io.hurry(),
        }
        run.attend(&mut told, &mut waiting.watch)?;
    }
}
