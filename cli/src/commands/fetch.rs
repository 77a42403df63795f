//! `restripe fetch`: a block, or a range of one, from a datanode.

use std::io::{BufWriter, Write as _};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use restripe::hdfs::{BlockFileName, ExtendedBlock, ReadBlock};
use restripe::net::BlockReader;

use super::Done;
use super::decode::Place;
use crate::args::{Fetch, Output};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::report::{FetchReport, Report};
use crate::sums::SumKind;

pub(super) fn run(asked: &Fetch, output: &Output) -> Result<Done> {
    let name = BlockFileName::Data { id: asked.block.id }.to_string();
    let failed = || Failure::network(format!("cannot fetch {name} from {}", asked.from));
    let start = asked.range.map_or(0, |range| range.start());
    let end = asked.range.and_then(|range| range.end());
    let len = end.map_or(ReadBlock::TO_THE_END, |end| end - start);
    let block = ExtendedBlock {
        pool_id: asked.pool.clone(),
        id: asked.block.id,
        generation_stamp: asked.block.generation_stamp,
        len: 0,
    };
    let read = ReadBlock::new(block, "restripe", start, len);
    let timeout = Duration::from_secs(asked.timeout.into());
    let mut reader = open(&addresses(&asked.from)?, &read, timeout).map_err(failed())?;

    let place = Place::open(&asked.file, asked.force)?;
    let progress = Progress::new(output, "fetching", end.map(|_| len));
    let written = |error| Failure::io("write", &asked.file, error);
    let mut sink = BufWriter::new(place.file());
    let mut fetched = 0;
    while let Some(data) = reader.next_data().map_err(failed())? {
        sink.write_all(data).map_err(written)?;
        progress.add(data.len() as u64);
        fetched += data.len() as u64;
    }
    sink.flush().map_err(written)?;
    drop((sink, progress));
    let piped = matches!(place, Place::Output(_));
    place.finish(&asked.file, !asked.no_fsync)?;
    let sums = SumKind::from(reader.checksum());
    let report = FetchReport {
        block: name,
        from: asked.from.clone(),
        file: asked.file.display().to_string(),
        start,
        end: start + fetched,
        checksum: sums.name(),
        bytes_per_checksum: sums.bytes_per_checksum() as u64,
    };
    Ok(Done { report: Some(Report::Fetch(report)), exit: Exit::Success, piped })
}

fn addresses(name: &str) -> Result<Vec<SocketAddr>> {
    let advice = "write it as HOST:PORT; datanodes listen at port 9866 unless configured otherwise";
    let addresses = name
        .to_socket_addrs()
        .map_err(|error| Failure::asked(format!("cannot find {name}: {error}"), advice))?;
    Ok(addresses.collect())
}

/// Asks the first address that answers.
fn open(
    addresses: &[SocketAddr],
    read: &ReadBlock,
    timeout: Duration,
) -> restripe::net::Result<BlockReader> {
    use restripe::net::Error;
    let mut opened = None;
    for &address in addresses {
        let attempt = BlockReader::open(address, read, timeout);
        let is_gone = matches!(attempt, Err(Error::PeerGone { during: "the connection", .. }));
        opened = Some(attempt);
        if !is_gone {
            break;
        }
    }
    opened.unwrap_or_else(|| {
        let source = std::io::Error::other("its name stands for no address");
        Err(Error::PeerGone { peer: "the datanode".into(), during: "the connection", source })
    })
}
