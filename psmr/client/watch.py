"""When a client that waits in vain asks whether its replica is there, and how long it waits for the answer: pure.

A hello costs a replica next to nothing, however much work it has; sending everything again to another one costs it all of that
work twice. So silence is first answered by a hello: a replica that says welcome is slow, not dead, and is left alone; and
what it says of the leader tells when another one was elected.
"""

from __future__ import annotations

from typing import Final

NEVER_US: Final = 1 << 62
_ASK_STRETCH: Final = 4
"""A replica that has nothing new to say is asked less and less often, down to every so many times `ask_us`."""
_ROUNDS: Final = 2
"""A far replica is given so many times what its last welcome took."""


class Watch:
    """Of one connection: `ask_at_us` and `give_up_at_us` are when its user has to act; NEVER_US while there is no need."""

    def __init__(self, ask_us: int, patience_us: int, patience_us_max: int) -> None:
        self.ask_at_us = NEVER_US
        self.give_up_at_us = NEVER_US
        self.waits_us = patience_us
        self._ask_us = ask_us
        self._interval_us = ask_us
        self._patience_us = patience_us
        self._patience_us_min = patience_us
        self._patience_us_max = patience_us_max
        self._asked_at_us = NEVER_US
        self._round_us = 0

    def dial(self, now_us: int) -> None:
        """A hello is sent to another replica."""
        self._round_us = 0
        self._interval_us = self._ask_us
        self.ask(now_us)

    def ask(self, now_us: int) -> None:
        """A hello is sent: the answer is waited for."""
        self.waits_us = min(max(self._patience_us, _ROUNDS * self._round_us), self._patience_us_max)
        self._asked_at_us = now_us
        self.ask_at_us = NEVER_US
        self.give_up_at_us = now_us + self.waits_us

    def rest(self) -> None:
        """Nobody is talked to."""
        self.ask_at_us = self.give_up_at_us = NEVER_US

    def welcome(self, now_us: int, *, has_news: bool) -> None:
        """The replica answered a hello; without `has_news`, nothing has changed or is about to: there is no need to hurry."""
        self._round_us = max(0, now_us - self._asked_at_us)  # unasked: 0
        self._asked_at_us = NEVER_US
        self._interval_us = self._ask_us if has_news else min(2 * self._interval_us, _ASK_STRETCH * self._ask_us)
        self.ask_at_us = self.give_up_at_us = NEVER_US

    def hear(self) -> None:
        """The replica said something: it is there."""
        self.give_up_at_us = NEVER_US

    def progress(self) -> None:
        """Something that was waited for came."""
        self.ask_at_us = self.give_up_at_us = NEVER_US
        self._interval_us = self._ask_us
        self._patience_us = self._patience_us_min

    def expect(self, now_us: int, *, is_waiting: bool) -> None:
        """Whether anything is waited for, after whatever else there was to note."""
        if not is_waiting:
            self.ask_at_us = self.give_up_at_us = NEVER_US
        elif self.ask_at_us == NEVER_US == self.give_up_at_us:
            self.ask_at_us = now_us + self._interval_us

    def fail(self) -> None:
        """A search came to nothing: the next has more patience, lest a slow cluster be kept busy with greetings."""
        self._patience_us = min(2 * self._patience_us, self._patience_us_max)
