"""Services of fixed-size bytes, as peers' benchmarks use them: values that travel inside the record."""

from __future__ import annotations

from typing import Annotated

from psmr import Map, Size, StateMachine, partially_dependent, u64

KEY_BYTES = 16
VALUE_BYTES = 32
PAYLOAD_BYTES = 92

Key = Annotated[bytes, Size(KEY_BYTES)]
Value = Annotated[bytes, Size(VALUE_BYTES)]
Payload = Annotated[bytes, Size(PAYLOAD_BYTES)]


class Records(StateMachine):
    """Values of 32 bytes under keys of 16."""

    table = Map[bytes, bytes](Size(KEY_BYTES), Size(VALUE_BYTES), capacity=4_000_000)

    @partially_dependent("key", access="read")
    def get(self, key: Key) -> Value | None:
        """The key's value, or None."""
        return self.table.get(key)

    @partially_dependent("key")
    def put(self, key: Key, value: Value) -> bool:
        """Set the key's value; True if the key is new."""
        fresh = key not in self.table
        self.table.put(key, value)
        return fresh


class Messages(StateMachine):
    """The last message of each sender: commands of 100 bytes, 8 of them the key."""

    last = Map[u64, bytes](u64, Size(PAYLOAD_BYTES), capacity=1_000_000)

    @partially_dependent("sender")
    def publish(self, sender: u64, payload: Payload) -> bool:
        """Keep the message; True if it is its sender's first."""
        fresh = sender not in self.last
        self.last.put(sender, payload)
        return fresh
