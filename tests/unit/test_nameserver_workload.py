"""The nameserver's workloads and models."""

from __future__ import annotations

import lzma
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.nameserver import APPLICATION, Nameserver
from apps.nameserver.meaning import NameserverMeaning
from apps.nameserver.model import NameserverModel
from apps.nameserver.packing import ADD, REMOVE, Change, Record, pack_changes, pack_records, unpack_changes, unpack_page
from apps.parameters import InvalidParameterError
from cdep import service_of
from psmr.workload import Segment, WorkloadOptions

ZONE = "a. 60 IN NS b.\nb. 60 IN A 1.2.3.4\n"
STREAM = "@ one\n- b. 60 IN A 1.2.3.4\n+ c. 5 IN A 1.2.3.5\n@ two\n+ d. 5 IN A 1.2.3.6\n+ e. 5 IN A 1.2.3.7\n"


def run(model: NameserverModel, segments: list[Segment]) -> list[Any]:
    replies = []
    for segment in segments:
        columns = (values.tolist() if isinstance(values, np.ndarray) else values for values in segment.columns.values())
        replies += [model.apply(segment.command, row) for row in zip(*columns, strict=True)]
    return replies


def written(tmp_path: Path, *, stream: str | None = STREAM) -> Path:
    (tmp_path / "root.zone").write_text(ZONE)
    if stream is not None:
        (tmp_path / "updates.txt.xz").write_bytes(lzma.compress(stream.encode()))
    return tmp_path


def test_the_generated_calls_have_their_shares_and_no_update_fails() -> None:
    workload = APPLICATION.workload(WorkloadOptions(batch=64, parameters={"names": "200"}))
    model = NameserverModel()
    for batch in workload.preload():
        run(model, list(batch))
    names = len(model.records)
    counts = Counter[str]()
    streams = [islice(workload.batches(client), 300) for client in range(2)]
    for pair in zip(*streams, strict=True):
        for batch in pair:
            run(model, list(batch))
            counts.update({s.command: 0 for s in batch})
            for segment in batch:
                counts[segment.command] += segment.count
    assert counts["lookup"] / counts.total() == pytest.approx(0.9, abs=0.01)
    assert counts["update_zone"] == model.serial > 10
    assert counts["list_type"] > 10
    assert len(model.records) == names
    assert max(len(pack_records(records)) for records in model.records.values()) < 1024


def test_the_same_options_give_the_same_calls() -> None:
    first, second = (list(islice(APPLICATION.workload(WorkloadOptions()).batches(0), 20)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert [s.command for s in one] == [s.command for s in other]
        for left, right in zip(one, other, strict=True):
            assert all(np.array_equal(left.columns[name], right.columns[name]) for name in left.columns)


def test_a_stream_is_one_update_a_block_and_ends(tmp_path: Path) -> None:
    workload = APPLICATION.workload(WorkloadOptions(batch=4, input_file=written(tmp_path)))
    model = NameserverModel()
    for batch in workload.preload():
        assert run(model, list(batch)) == [True] * batch[0].count
    assert [s.command for batch in workload.batches(1) for s in batch] == ["lookup"] * 2
    for batch in workload.batches(0):
        run(model, list(batch))
    assert (model.serial, sorted(model.records)) == (2, [b"a.", b"c.", b"d.", b"e."])


def test_a_stream_with_a_small_limit_is_cut_between_names(tmp_path: Path) -> None:
    big = "".join(f"+ big{n}. 5 IN TYPE99 \\# 1000 {'ab' * 1000}\n" for n in range(12))
    options = WorkloadOptions(input_file=written(tmp_path, stream=f"@ one\n{big}"), parameters={"limit": "8192"})
    update = next(iter(APPLICATION.workload(options).batches(0)))[0]
    assert update.count == 2
    assert sum(len(list(unpack_changes(packed))) for packed in update.columns["changes"]) == 12


def test_a_zone_without_a_stream_is_looked_up_without_end(tmp_path: Path) -> None:
    workload = APPLICATION.workload(WorkloadOptions(input_file=written(tmp_path, stream=None)))
    assert {s.command for batch in islice(workload.batches(0), 20) for s in batch} == {"lookup"}


def test_parameters_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="names: expected a whole number"):
        APPLICATION.workload(WorkloadOptions(parameters={"names": "0"}))
    with pytest.raises(InvalidParameterError, match="limit: expected a whole number from 8192"):
        APPLICATION.workload(WorkloadOptions(input_file=written(tmp_path), parameters={"limit": "10"}))


ADDRESS, OTHER = Record(1, 60, b"1234"), Record(1, 60, b"1299")


def test_the_model_replies_as_the_documentation_says() -> None:
    model = NameserverModel()
    assert model.apply("lookup", (b"a.", 1)) is None
    assert model.apply("add", (b"a.", *ADDRESS)) is True
    assert model.apply("add", (b"a.", 1, 5, b"1234")) is False
    assert model.apply("lookup", (b"a.", 255)) == pack_records([Record(1, 5, b"1234")])
    assert model.apply("lookup", (b"a.", 2)) == b""
    assert model.apply("add", (b"b.", 2, 5, b"x")) is True
    assert unpack_page(model.apply("list_type", (1, b""))) == [b"a."]
    assert model.apply("list_type", (1, b"a.")) == b""
    assert model.apply("remove", (b"a.", 1, b"12")) is False
    assert model.apply("remove", (b"a.", 1, b"1234")) is True
    assert model.apply("lookup", (b"a.", 255)) is None
    assert model.apply("serial", ()) == 0


def test_an_update_is_all_or_nothing() -> None:
    model = NameserverModel()
    added = pack_changes([(b"a.", [Change(ADD, *ADDRESS), Change(ADD, *OTHER)])])
    assert model.apply("update_zone", (added,)) == 1
    before = model.state()
    wrong = [b"", added[:-1]]
    wrong += [
        pack_changes([(b"b.", [Change(ADD, *ADDRESS)]), (b"a.", [Change(REMOVE, 1, 0, data)])])
        for data in (b"12", b"5", b"12345")
    ]
    for changes in wrong:
        with pytest.raises(ValueError, match=r"."):
            model.apply("update_zone", (changes,))
        assert model.state() == before
    assert model.apply("update_zone", (pack_changes([(b"a.", [Change(REMOVE, 1, 0, b"123")])]),)) == 2
    assert model.records == {b"a.": (OTHER,)}


def test_a_checkers_step_and_the_model_agree() -> None:
    workload = APPLICATION.workload(WorkloadOptions(batch=16, seed=3, parameters={"names": "10"}))
    model, meaning, state = NameserverModel(), NameserverMeaning(), NameserverMeaning.initial
    for batch in (*workload.preload(), *islice(workload.batches(0), 200)):
        for segment in batch:
            columns = (v.tolist() if isinstance(v, np.ndarray) else v for v in segment.columns.values())
            for row in zip(*columns, strict=True):
                before = state
                state, reply = meaning.step(state, segment.command, row)
                assert reply == model.apply(segment.command, row)
                assert segment.command not in meaning.read_only or state == before
    assert dict(state.names) == model.records
    assert state.serial == model.serial > 0


def test_the_classes_of_the_commands_are_those_of_the_readme() -> None:
    classes = {command.name: (command.kind, command.access) for command in service_of(Nameserver).commands}
    assert classes == {
        "lookup": ("partial", "read"),
        "add": ("partial", "write"),
        "remove": ("partial", "write"),
        "list_type": ("dependent", "read"),
        "update_zone": ("dependent", "write"),
        "serial": ("dependent", "read"),
    }
