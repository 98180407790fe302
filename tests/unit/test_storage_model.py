"""The log against a list: any sequence of appends, cuts, reads and reopenings."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from storage_support import content, make, raws, wait_synced

from psmr.storage import LogStore, Record


class LogAgainstList(RuleBasedStateMachine):
    """`model` is what the log must hold; small segments and a small cache make every path a common one."""

    @initialize(sync=st.booleans())
    def start(self, sync: bool) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.sync = sync
        self.model: list[Record] = []
        self.committed = 0
        self.term = 1
        self.open()

    def open(self) -> None:
        self.store = LogStore(Path(self.folder.name), self.sync, 1500, cache_bytes=700)

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

    @precondition(lambda self: self.store.written_index < len(self.model))
    @rule()
    def wait(self) -> None:
        assert wait_synced(self.store, len(self.model)) == (len(self.model), self.model[-1].term)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.open()
        assert self.store.recovered is None
        assert self.store.written_index == len(self.model)
        assert self.store.committed_index <= self.committed

    @rule(data=st.data(), max_bytes=st.integers(0, 5000))
    def read(self, data: st.DataObject, max_bytes: int) -> None:
        first = data.draw(st.integers(1, len(self.model) + 1))
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
        assert (self.store.first_index, self.store.last_index) == (1, len(self.model))
        assert content(self.store) == raws(self.model)
        terms = [record.term for record in self.model]
        changes = [i for i, term in enumerate(terms) if i == 0 or term != terms[i - 1]]
        assert self.store.term_runs() == [(i + 1, terms[i]) for i in changes]

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()


LogAgainstList.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestLogAgainstList = LogAgainstList.TestCase
