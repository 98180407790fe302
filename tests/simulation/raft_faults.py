"""Faults planted in Raft, each of them one that implementations have had; the simulation must find every one."""

from __future__ import annotations

from msgspec.structs import replace

from psmr.core.raft import (
    Append,
    AppendAccepted,
    AppendEntries,
    AppendRejected,
    ConfirmRead,
    Effect,
    Event,
    Membership,
    Message,
    PreVoteRequest,
    Raft,
    ReadConfirmed,
    Receive,
    Role,
    SaveHardState,
    Send,
    Synced,
    VoteRequest,
)

Changes = tuple[tuple[int, Membership], ...]


class AcknowledgesBeforeSync(Raft):
    """A follower says of everything that it is on disk."""

    def handle(self, event: Event) -> list[Effect]:
        return [_unsynced(effect) for effect in super().handle(event)]


def _unsynced(effect: Effect) -> Effect:
    if not isinstance(effect, Send) or not isinstance(effect.message, AppendAccepted):
        return effect
    answer = effect.message
    return Send(effect.to, AppendAccepted(answer.term, answer.round, answer.verified_index, answer.verified_index))


class TakesWrittenForDurable(Raft):
    """A follower answers when it has written, not when it has synced."""

    def handle(self, event: Event) -> list[Effect]:
        effects = super().handle(event)
        if self.role is not Role.LEADER and any(isinstance(effect, Append) for effect in effects):
            effects += super().handle(Synced(self.last_index, self.last_term, self.truncations))
        return effects


class LeaderCountsItselfBeforeSync(Raft):
    """A leader takes what it wrote for durable."""

    def handle(self, event: Event) -> list[Effect]:
        effects = super().handle(event)
        if self.role is Role.LEADER and any(isinstance(effect, Append) for effect in effects):
            effects += super().handle(Synced(self.last_index, self.last_term, self.truncations))
        return effects


class CommitsOlderTermsByCounting(Raft):
    """A leader commits an entry of an earlier term because a majority has it: the paper's figure 8."""

    def _may_commit(self, index: int) -> bool:
        return True


class VotesTwiceInATerm(Raft):
    """A node forgets its vote when another candidate asks."""

    def handle(self, event: Event) -> list[Effect]:
        if isinstance(event, Receive) and isinstance(event.message, VoteRequest) and self.role is Role.FOLLOWER:
            self._voted_for = None
        return super().handle(event)


class ForgetsItsVoteAtACrash(Raft):
    """A node saves the term but not whom it voted for."""

    def handle(self, event: Event) -> list[Effect]:
        effects = super().handle(event)
        return [replace(one, voted_for=None) if isinstance(one, SaveHardState) else one for one in effects]


class VotesForAShorterLog(Raft):
    """A node votes for a candidate that lacks entries."""

    def _is_up_to_date(self, message: PreVoteRequest | VoteRequest) -> bool:
        return True


class CommitsUnverifiedEntries(Raft):
    """A follower takes the leader's commit index for its own log, whose tail the leader may not have."""

    def _on_append_entries(
        self, sender: int, message: AppendEntries, payloads: tuple[object, ...], changes: Changes
    ) -> None:
        super()._on_append_entries(sender, message, payloads, changes)
        if self.leader == sender and message.term == self.term:
            self._advance_commit(min(message.commit, self.last_index))


class BelievesOldSyncs(Raft):
    """A node takes a sync from before a truncation for one of what it appended since."""

    def handle(self, event: Event) -> list[Effect]:
        if isinstance(event, Synced) and event.index <= self.last_index:
            term = self._log.term_at(event.index)
            event = Synced(event.index, 0 if term is None else term)
        return super().handle(event)


class NeverGoesBack(Raft):
    """A leader ignores that a follower lacks what came before."""

    def _on_append_rejected(self, sender: int, message: AppendRejected) -> None:
        return


class TakesAnyPreviousEntry(Raft):
    """A follower looks only at the index of the entry before."""

    def _on_receive(self, sender: int, message: Message, payloads: tuple[object, ...], changes: Changes) -> None:
        if isinstance(message, AppendEntries) and not message.entry_terms:
            super()._on_receive(sender, message, payloads, changes)
            return
        if isinstance(message, AppendEntries) and 0 < message.prev_index <= self.last_index:
            own_term = self._log.term_at(message.prev_index) or message.prev_term
            terms = (own_term, *message.entry_terms, message.term)
            if list(terms) == sorted(terms):
                message = AppendEntries(
                    message.term, message.round, message.prev_index, own_term, message.entry_terms, message.commit
                )
        super()._on_receive(sender, message, payloads, changes)


class LeaderTakesOverwrites(Raft):
    """A leader lets an answer from a follower that lacks entries shorten its own log."""

    def _on_append_rejected(self, sender: int, message: AppendRejected) -> None:
        super()._on_append_rejected(sender, message)
        if self.role is Role.LEADER and self.commit < message.hint_index < self.last_index - 1:
            self._append(self.last_index, (self.term,), ("overwritten",))


class ReadsWithoutConfirming(Raft):
    """A leader answers for reading at once: it may have been deposed and not know it."""

    def _on_confirm_read(self, event: ConfirmRead) -> None:
        if self.role is Role.LEADER:
            self._effects.append(ReadConfirmed(event.token, event.origin, self.commit))


class ReadsBeforeItKnowsWhatIsCommitted(Raft):
    """A new leader answers for reading with the commit index it had as a follower."""

    def _knows_commit(self) -> bool:
        return True


class ReadsAtARoundUnderWay(Raft):
    """A leader lets a round that began before the question answer it."""

    def _on_confirm_read(self, event: ConfirmRead) -> None:
        if self._leadership is not None and self._knows_commit():
            self._reads.hold(event.token, event.origin)
            self._reads.round_begins(self._leadership.majority_round(), self.commit)
            self._serve_reads(self._leadership)
