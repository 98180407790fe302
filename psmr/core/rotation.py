"""Which replica a client talks to next, and what each of them answered: pure."""

from __future__ import annotations

from collections.abc import Sequence

from psmr.errors import ConfigurationError


class Rotation:
    """Addresses in turn. `current` is the one in use; `answers` maps each that was tried to what came of it."""

    def __init__(self, addresses: Sequence[str]) -> None:
        if not addresses:
            raise ConfigurationError("expected at least one replica address, found none")
        self._seeds = tuple(dict.fromkeys(addresses))
        self._addresses = list(self._seeds)
        self.current = self._addresses[0]
        self.answers: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._addresses)

    def learn(self, members: Sequence[str]) -> None:
        """The cluster's members take their turn before the given addresses, which stay as a last resort."""
        self._addresses = list(dict.fromkeys((*members, *self._seeds)))

    def go_to(self, address: str) -> str:
        """Make `address` the current one."""
        self.current = address
        return address

    def advance(self) -> str:
        """Make the address after the current one the current one."""
        position = self._addresses.index(self.current) if self.current in self._addresses else -1
        return self.go_to(self._addresses[(position + 1) % len(self._addresses)])

    def record(self, answer: str) -> None:
        """Remember what came of talking to the current address."""
        self.answers[self.current] = answer

    def account(self) -> str:
        """Who was tried and what each answered, for an error message."""
        if not self.answers:
            return "no replica was tried yet"
        return "tried " + "; ".join(f"{address}: {answer}" for address, answer in self.answers.items())
