//! Targets: packets sent, acknowledged, given up.

use core::time::Duration;

use super::buffer::{Buffer, Lent};
use super::target::State;
use super::{Action, OutgoingPacket, Reason, Reconstruction};

impl<B: Buffer> Reconstruction<B> {
    /// Hands out the packets that are ready.
    pub(super) fn send(&mut self, now: Duration) {
        if self.is_over {
            return;
        }
        for (index, target) in self.targets.iter_mut().enumerate() {
            loop {
                let spare = self.spare.packets.pop();
                match target.next_packet(index, &self.framing, now, spare) {
                    Ok(packet) => {
                        self.packets_out += 1;
                        self.actions.push_back(Action::Send(packet));
                    }
                    Err(spare) => {
                        self.spare.packets.extend(spare);
                        break;
                    }
                }
            }
        }
    }

    pub(super) fn sent(&mut self, mut packet: OutgoingPacket<B>, now: Duration) {
        let target = packet.target();
        let Some(receiver) = self.targets.get_mut(target) else {
            // Not one of this reconstruction's.
            return;
        };
        self.totals.sending += receiver.took_packet(now);
        self.packets_out = self.packets_out.saturating_sub(1);
        for buffer in packet.take_apart() {
            self.release(target, buffer);
        }
        self.spare.packets.push(packet);
    }

    pub(super) fn acked(&mut self, index: usize, seqno: i64) {
        let Some(target) = self.targets.get_mut(index).filter(|target| target.is_live()) else {
            return;
        };
        match target.acked(seqno) {
            Ok(false) => {}
            Ok(true) => {
                target.state = State::Done;
                target.progress.is_rebuilt = true;
                self.actions.push_back(Action::FinishTarget { target: index });
            }
            Err(reason) => self.fail_target(index, reason),
        }
    }

    /// Gives a target up; the others go on.
    pub(super) fn fail_target(&mut self, index: usize, reason: Reason) {
        let Some(target) = self.targets.get_mut(index).filter(|target| target.is_live()) else {
            return;
        };
        if self.is_over {
            return;
        }
        target.progress.failure = Some(reason.clone());
        self.failed_targets.push((index, reason));
        self.drop_target(index);
    }

    /// Breaks a target off.
    pub(super) fn drop_target(&mut self, index: usize) {
        self.targets[index].state = State::Failed;
        self.actions.push_back(Action::DropTarget { target: index });
        while let Some(buffer) = self.targets[index].take_queued() {
            self.release(index, buffer);
        }
    }

    /// Takes back what a packet or a queue held of a target's buffer.
    pub(super) fn release(&mut self, target: usize, buffer: Lent<B>) {
        if self.bring_home(buffer)
            && let Some(target) = self.targets.get_mut(target)
        {
            target.held = target.held.saturating_sub(1);
        }
    }
}
