"""Calls of several commands, collected row by row for one batch of the log."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from proxies.encoding import Encoded, joined
from psmr.client.commands import CommandProxy, check_size, have_it_tell
from psmr.client.replies import Replies
from psmr.core.reply import Reply
from psmr.errors import InvalidCall


class BatchBuilder:
    """Calls in the order in which they are to be executed. What does not fit is refused when it is added."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, method in vars(cls).items():
            if isinstance(method, FunctionType) and not name.startswith("_"):
                have_it_tell(method, f"batch().{name}")

    def __init__(self) -> None:
        self._calls: list[tuple[CommandProxy, int]] = []
        self._encoded: list[Encoded] = []
        self._rows = 0
        self._stride = 0
        self._blob_bytes = 0
        self._taken = False

    def __len__(self) -> int:
        """How many rows it has."""
        return self._rows

    def _add(self, proxy: CommandProxy, *arguments: object) -> None:
        """Add one call, or a column of calls."""
        self._append(proxy, proxy.one_or_many(arguments, self._blob_bytes))

    def _repeat(self, proxy: CommandProxy, count: int) -> None:
        """Add `count` calls of a command without parameters."""
        self._append(proxy, proxy.many((count,)))

    def _append(self, proxy: CommandProxy, encoded: Encoded) -> None:
        if self._taken:
            raise InvalidCall("expected a batch that was not sent yet, found a sent one; make another with batch()")
        rows = self._rows + encoded.count
        stride = max(self._stride, encoded.stride)
        blob_bytes = self._blob_bytes + len(encoded.blob)
        check_size(f"batch with {proxy.name}", proxy.rows_max, rows, rows * stride + blob_bytes)
        self._calls.append((proxy, encoded.count))
        self._encoded.append(encoded)
        self._rows, self._stride, self._blob_bytes = rows, stride, blob_bytes

    @property
    def _reads(self) -> bool:
        """Whether every call in it only reads."""
        return all(proxy.reads for proxy, _ in self._calls)

    def _take(self) -> Encoded:
        """All rows, to be sent; once."""
        if self._taken:
            raise InvalidCall("expected a batch that was not sent yet, found a sent one; make another with batch()")
        self._taken = True
        return joined(self._encoded)

    def _replies(self, reply: Reply | None) -> list[Replies[Any, Any]]:
        """The replies by call; `reply` is None where there was no row to send."""
        found, start = [], 0
        for proxy, count in self._calls:
            found.append(proxy.replies(reply, start, count) if reply is not None else proxy.no_replies())
            start += count
        return found
