"""A service that is soon full, and the same a version later."""

from __future__ import annotations

from typing import Annotated

from psmr import Map, Max, StateMachine, dependent, partially_dependent, u64

Word = Annotated[bytes, Max(8)]


class Small(StateMachine):
    """Room for one key in each group, and a few more by chance."""

    seats = Map(u64, u64, capacity=64)
    words = Map[bytes, u64](Max(8), u64, capacity=64)

    @partially_dependent("seat")
    def take(self, seat: u64, who: u64) -> bool:
        """Set who has a seat; True if nobody had it."""
        fresh = seat not in self.seats
        self.seats.put(seat, who)
        return fresh

    @partially_dependent("word")
    def say(self, word: Word) -> bool:
        """Keep a word."""
        self.words.put(word, u64(1))
        return True

    @dependent(access="read")
    def taken(self) -> u64:
        """How many seats are taken."""
        return u64(len(self.seats))


class Later:
    """What the service's source looks like after a change."""

    class Small(StateMachine):
        """One command more, another one's parameter with a new name."""

        seats = Map(u64, u64, capacity=64)

        @partially_dependent("seat")
        def take(self, seat: u64, guest: u64) -> bool:
            """Set who has a seat."""
            self.seats.put(seat, guest)
            return True

        @partially_dependent("seat")
        def leave(self, seat: u64) -> bool:
            """Free a seat."""
            return self.seats.remove(seat)
