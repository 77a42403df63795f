//! Sources opened, and what follows from the checksums that most of them have.

use core::time::Duration;

use super::buffer::{Buffer, Division};
use super::goal::Goal;
use super::machine::Agreed;
use super::reading::MAX_ROUNDS;
use super::source::{self, State};
use super::{Action, Cause, Reason, Reconstruction, Token};
use crate::Error;
use crate::checksum::ChunkedChecksum;
use crate::hdfs::PacketWriter;

impl<B: Buffer> Reconstruction<B> {
    /// Settles what most sources have for checksums, once enough are open, and what follows from
    /// it.
    pub(super) fn agree(&mut self, now: Duration) -> bool {
        let Some(round) = self.rounds.front().filter(|_| self.agreed.is_none()) else {
            return false;
        };
        let mut units = core::mem::take(&mut self.spare.units);
        units.clear();
        units.extend((0..self.code.data_units()).filter(|&row| self.is_zero(row, &round.span)));
        for source in &self.sources {
            if source.checksum().is_some() {
                for row in self.rows.of_unit(source.unit) {
                    if !units.contains(&row) {
                        units.push(row);
                    }
                }
            }
        }
        let is_enough = self.is_enough(&units, &round.span, self.config.extra_sources);
        self.spare.units = units;
        let Some(checksum) = source::most_common(&self.sources).filter(|_| is_enough) else {
            return false;
        };
        let agreed = match self.agreement(checksum) {
            Ok(agreed) => agreed,
            Err(cause) => {
                self.fail(cause);
                return false;
            }
        };
        self.agreed = Some(agreed);
        self.framing.division = agreed.division;
        let chunks = PacketWriter::chunks_to_write(checksum, self.config.packet_len);
        self.framing.max_data = chunks * agreed.division.chunk;
        // Now the round that sources were opened for can have its length.
        if let Some(span) = self.next_span(agreed.division.chunk, agreed.round_len) {
            self.pass(&span);
            if let Some(round) = self.rounds.front_mut() {
                round.span = span;
                round.is_stale = true;
            }
        }
        self.actions.push_back(Action::Lend { buffers: agreed.buffers, len: agreed.buffer_len });
        for source in 0..self.sources.len() {
            self.refuse_other_checksums(source, now);
        }
        true
    }

    fn agreement(&self, checksum: ChunkedChecksum) -> Result<Agreed, Cause> {
        let (chunk, sum_size) = (checksum.bytes_per_checksum(), checksum.kind().size());
        PacketWriter::without_data(
            checksum,
            PacketWriter::chunks_to_write(checksum, self.config.packet_len),
        )
        .map_err(|source| Cause::Computing { offset: 0, source })?;
        // A source fills at most one buffer for each of its rows in a round, and there are two
        // rounds; a cancelled read holds the source, and so its buffer is one of those. So rounds
        // never lack buffers, however long reads stay out.
        let buffers = MAX_ROUNDS * self.sources.len() * self.rows.subs + self.buffers_for_results();
        let allowed = self.config.max_memory;
        let fitting = allowed / buffers.max(1) / (chunk + sum_size);
        if fitting == 0 {
            let needed = (chunk + sum_size).saturating_mul(buffers);
            return Err(Cause::Memory { needed, allowed });
        }
        let longest = self.longest_round(chunk).div_ceil(chunk as u64);
        let longest = usize::try_from(longest).unwrap_or(usize::MAX);
        let part = self.rows.round_len();
        if part.is_some_and(|part| !part.is_multiple_of(chunk as u64)) {
            let source = Error::Invalid {
                what: "bytes per checksum",
                got: alloc::format!("{chunk}").into(),
                expected: "a divisor of the parts that the code divides cells into",
            };
            return Err(Cause::Computing { offset: 0, source });
        }
        // Targets get their bytes in order: all of a part of a cell, then all of the next one.
        let is_whole_part = part.is_some() && matches!(self.goal, Goal::Targets(_));
        if is_whole_part && longest > fitting {
            let needed = longest.saturating_mul(chunk + sum_size).saturating_mul(buffers);
            return Err(Cause::Memory { needed, allowed });
        }
        let chunks = if is_whole_part {
            longest
        } else {
            (self.config.buffer_len / chunk).min(fitting).min(longest).max(1)
        };
        let round_len = chunks * chunk;
        Ok(Agreed {
            checksum,
            round_len,
            division: Division { sums_at: round_len, sum_size, chunk },
            buffers,
            buffer_len: round_len + chunks * sum_size,
        })
    }

    fn refuse_other_checksums(&mut self, source: usize, now: Duration) {
        let Some(expected) = self.agreed.map(|agreed| agreed.checksum) else { return };
        if let Some(got) = self.sources[source].checksum().filter(|&got| got != expected) {
            self.fail_source(source, Reason::OtherChecksums { got, expected }, now);
        }
    }

    /// The source that a token opens.
    pub(super) fn opening(&self, token: Token) -> Option<usize> {
        self.sources.iter().position(
            |source| matches!(source.state, State::Opening { token: other, .. } if other == token),
        )
    }

    pub(super) fn opened(
        &mut self,
        token: Token,
        checksum: ChunkedChecksum,
        len: Option<u64>,
        now: Duration,
    ) {
        self.opens_out = self.opens_out.saturating_sub(1);
        if self.is_over {
            return;
        }
        let Some(index) = self.opening(token) else { return };
        let source = &mut self.sources[index];
        source.state = State::Open { checksum };
        let expected = self.layout.unit_len(source.unit);
        if let Some(got) = len.filter(|&len| len < expected) {
            self.ended_early(index, got, expected, now);
            if self.sources[index].is_failed() {
                return;
            }
        }
        self.refuse_other_checksums(index, now);
        for round in self.rounds.iter_mut().filter(|round| round.asks(index)) {
            round.quiet_since = Some(now);
        }
    }
}
