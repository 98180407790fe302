"""The log's newest records in memory: all that are not yet written, and of the others as many as a bound allows."""

from __future__ import annotations

from psmr.storage.record import Record


class RecordCache:
    """A run of consecutive records that ends at the log's end; it may be empty."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._records: dict[int, Record] = {}
        self._lowest = 0
        self._size_bytes = 0

    def add(self, record: Record) -> None:
        """Take the record that follows the newest one."""
        if not self._records:
            self._lowest = record.index
        self._records[record.index] = record
        self._size_bytes += len(record.raw)

    def get(self, index: int) -> Record | None:
        """The record at `index`, if it is still here."""
        return self._records.get(index)

    def cut(self, from_index: int, last_index: int) -> None:
        """Forget `from_index` to `last_index`, the newest."""
        for index in range(max(from_index, self._lowest), last_index + 1):
            record = self._records.pop(index, None)
            self._size_bytes -= len(record.raw) if record is not None else 0

    def shrink(self, written_index: int) -> None:
        """Forget the oldest records down to the bound, but none above `written_index`."""
        while self._size_bytes > self._limit_bytes and self._records and self._lowest <= written_index:
            self._size_bytes -= len(self._records.pop(self._lowest).raw)
            self._lowest += 1
