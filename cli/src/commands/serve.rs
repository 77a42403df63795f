//! `restripe serve`: the blocks of a folder, to whoever may reach the address.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use restripe::net::{BlockServer, BlockStore, Event, ServerOptions, Throttler, Way};

use super::{Done, finish};
use crate::args::{Output, Serve};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::report::{Report, ServeReport};

pub(super) fn run(asked: &Serve, output: &Output) -> Result<Done> {
    let failed = || Failure::network("cannot serve blocks");
    let store = if asked.allow_write {
        BlockStore::open_for_writing(&asked.folder)
    } else {
        BlockStore::open(&asked.folder)
    };
    let throttler = asked.bandwidth.and_then(|bandwidth| NonZeroU64::new(bandwidth.0));
    let quiet = output.quiet;
    let report = move |event: &Event| {
        if !quiet {
            eprintln!("restripe: {event}");
        }
    };
    let options = ServerOptions {
        way: if asked.verify { Way::Normal } else { Way::ZeroCopy },
        timeout: Duration::from_secs(asked.timeout.into()),
        max_connections: asked.connections.into(),
        throttler: throttler.map(|bandwidth| Arc::new(Throttler::new(bandwidth))),
        report: Some(Arc::new(report)),
        ..ServerOptions::default()
    };
    let server =
        store.and_then(|store| BlockServer::bind(asked.listen, store, options)).map_err(failed())?;
    if !server.address().ip().is_loopback() {
        eprintln!(
            "restripe: warning: whoever reaches {} can read every block{}",
            server.address(),
            if asked.allow_write { " and add some" } else { "" }
        );
    }
    let report = ServeReport {
        folder: asked.folder.display().to_string(),
        address: server.address().to_string(),
        writable: asked.allow_write,
    };
    // It is said now: there is no end at which it could be.
    finish(Ok(Done::new(Report::Serve(report), Exit::Success)), output);
    server.run();
    Ok(Done::silent())
}
