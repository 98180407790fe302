"""The log against a list: any sequence of appends, cuts, compactions, reads, reopenings and snapshots of others."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from storage_support import content, make, raws, wait_synced

from psmr.storage import LogStore, Record


class LogAgainstList(RuleBasedStateMachine):
    """`model` is what the log must hold; small segments and a small cache make every path a common one."""

    @initialize(sync=st.booleans(), few_bytes=st.sampled_from([0, 300, 1 << 20]))
    def start(self, sync: bool, few_bytes: int) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr("psmr.storage.log_writer.FEW_BYTES", few_bytes)
        self.folder = tempfile.TemporaryDirectory()
        self.sync = sync
        self.model: list[Record] = []
        self.committed = self.snapshot = 0
        self.lowest = 1
        self.term = 1
        self.open()

    def open(self) -> None:
        self.store = LogStore(
            Path(self.folder.name), self.sync, 1500, base=(self.snapshot, self.term_at(self.snapshot)), cache_bytes=700
        )

    def term_at(self, index: int) -> int:
        return self.model[index - 1].term if index else 0

    @rule(count=st.integers(1, 8), size=st.sampled_from([0, 3, 100, 2000]), newer=st.booleans())
    def append(self, count: int, size: int, newer: bool) -> None:
        self.term += newer
        first = len(self.model) + 1
        records = [make(index, self.term, size) for index in range(first, first + count)]
        self.store.append(records)
        self.model += records

    @precondition(lambda self: len(self.model) > self.committed)
    @rule(data=st.data())
    def truncate(self, data: st.DataObject) -> None:
        from_index = data.draw(st.integers(self.committed + 1, len(self.model)))
        self.store.truncate(from_index)
        del self.model[from_index - 1 :]
        self.term += 1

    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        self.committed = max(self.committed, data.draw(st.integers(0, len(self.model))))
        self.store.mark_committed(self.committed)

    @rule(data=st.data())
    def compact(self, data: st.DataObject) -> None:
        self.snapshot = data.draw(st.integers(self.snapshot, self.committed))
        before = self.store.first_index
        assert before <= self.store.compact(self.snapshot) <= max(before, self.snapshot)
        self.lowest = self.store.first_index

    @rule(ahead=st.integers(1, 9))
    def replace_by_snapshot(self, ahead: int) -> None:
        self.store.close()
        self.term += 1
        first = len(self.model) + 1
        self.model += [make(index, self.term) for index in range(first, first + ahead)]
        self.snapshot = self.committed = len(self.model)
        self.open()
        self.lowest = self.snapshot + 1
        assert self.store.recovered is not None or first == 1 or self.store.size_bytes == 0

    @precondition(lambda self: self.store.written_index < len(self.model))
    @rule()
    def wait(self) -> None:
        assert wait_synced(self.store, len(self.model)) == (len(self.model), self.model[-1].term)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.open()
        assert self.store.recovered is None
        # Opening may take the oldest record for the base, whose term is then known.
        assert self.lowest <= self.store.first_index <= self.lowest + (self.lowest > 1)
        self.lowest = self.store.first_index
        assert self.store.written_index == len(self.model)
        assert self.store.committed_index <= self.committed

    @rule(data=st.data(), max_bytes=st.integers(0, 5000))
    def read(self, data: st.DataObject, max_bytes: int) -> None:
        first = data.draw(st.integers(self.lowest, len(self.model) + 1))
        found = self.store.read(first, max_bytes)
        assert raws(found) == raws(self.model[first - 1 :][: len(found)])
        size = sum(len(record.raw) for record in found)
        following = self.model[first - 1 + len(found) : first + len(found)]
        assert size <= max_bytes or len(found) == 1
        assert not following or size + len(following[0].raw) > max_bytes or not max_bytes

    @invariant()
    def holds_the_same(self) -> None:
        if not hasattr(self, "model"):
            return
        assert (self.store.first_index, self.store.last_index) == (self.lowest, len(self.model))
        assert self.store.base == (self.lowest - 1, self.term_at(self.lowest - 1))
        kept = self.model[self.lowest - 1 :]
        assert content(self.store) == raws(kept)
        terms = [record.term for record in kept]
        changes = [i for i, term in enumerate(terms) if i == 0 or term != terms[i - 1]]
        assert self.store.term_runs() == [(self.lowest + i, terms[i]) for i in changes]

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()
            self.patch.undo()


LogAgainstList.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestLogAgainstList = LogAgainstList.TestCase
