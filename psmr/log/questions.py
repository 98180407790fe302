"""The questions about reading that a member has asked and that are not answered yet. Pure."""

from __future__ import annotations

from psmr.core.raft.election_timer import mix

_NEVER_US = 1 << 62


class Questions:
    """Each is answered once, or given up after `patience_us`; those that are neither are `open`.

    Numbers on the wire begin somewhere else after every start (`seed` differs each time): an answer to a question from
    before a restart is late and too low, and must not pass for one to a question of now.
    """

    def __init__(self, seed: int, patience_us: int) -> None:
        self._next = mix(seed & (2**64 - 1)) >> 2
        self._patience_us = patience_us
        self.open: dict[int, tuple[int, int]] = {}  # by number, oldest first: (token, when to give up)
        self._answered: list[tuple[int, int | None]] = []

    def ask(self, token: int) -> int:
        """The number of a new question; its time runs from the next `expire` on."""
        number = self._next
        self._next += 1
        self.open[number] = (token, _NEVER_US)
        return number

    def drop(self, number: int) -> None:
        """The question was not asked after all."""
        self.open.pop(number, None)

    def answer(self, number: int, index: int | None) -> None:
        """An answer came; one to no open question says nothing."""
        found = self.open.pop(number, None)
        if found is not None:
            self._answered.append((found[0], index))

    def expire(self, now_us: int) -> int:
        """Give up what is overdue; when the next one will be."""
        next_us = _NEVER_US
        if not self.open:
            return next_us
        for number, (token, due_us) in list(self.open.items()):
            if due_us == _NEVER_US:
                due_us = now_us + self._patience_us
                self.open[number] = (token, due_us)
            if due_us <= now_us:
                del self.open[number]
                self._answered.append((token, None))
            else:
                next_us = min(next_us, due_us)
        return next_us

    def take(self) -> list[tuple[int, int | None]]:
        """(token, index or None) of questions that ended since the last call."""
        if not self._answered:
            return []
        answered, self._answered = self._answered, []
        return answered
