"""Real key streams: every access once, puts where they are due, clear words for a bad file."""

from __future__ import annotations

import lzma
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from apps.kv import APPLICATION, VARIANTS
from apps.kv.trace import MalformedTraceError
from psmr.workload import WorkloadOptions

KEYS = [7, 7, 9, 7, 1 << 31, 9, 9, 7, 7, 5]


def stream(path: Path, keys: list[int]) -> Path:
    content = np.array(keys, "<u4").tobytes()
    path.write_bytes(lzma.compress(content) if path.suffix == ".xz" else content)
    return path


def calls(path: Path, client: int, clients: int, **parameters: str) -> list[tuple[str, int]]:
    options = WorkloadOptions(clients=clients, batch=3, input_file=path, parameters=parameters)
    workload = VARIANTS["integer"].workload(options)
    return [
        (segment.command, int(key))
        for batch in workload.batches(client)
        for segment in batch
        for key in segment.columns["key"]
    ]


@pytest.mark.parametrize("name", ["keys.trace", "keys.trace.xz"])
def test_an_access_is_a_get_and_the_first_of_a_key_a_put_too(tmp_path: Path, name: str) -> None:
    found = calls(stream(tmp_path / name, KEYS), 0, 1, put_every="1000")
    assert [key for command, key in found if command == "get"] == KEYS
    assert [key for command, key in found if command == "put"] == [7, 9, 1 << 31, 5]
    assert found[:3] == [("get", 7), ("put", 7), ("get", 7)]


def test_every_nth_access_puts_too(tmp_path: Path) -> None:
    found = calls(stream(tmp_path / "keys.trace", [3] * 9), 0, 1, put_every="4")
    assert [command for command, _ in found] == ["get", "put", *["get"] * 3, "put", *["get"] * 4, "put", "get"]


def test_clients_share_the_stream_by_turns(tmp_path: Path) -> None:
    path = stream(tmp_path / "keys.trace", KEYS)
    first, second = ([key for command, key in calls(path, client, 2) if command == "get"] for client in range(2))
    assert first == KEYS[0:3] + KEYS[6:9]
    assert second == KEYS[3:6] + KEYS[9:]


def test_byte_keys_are_distinct_as_the_numbers_are(tmp_path: Path) -> None:
    options = WorkloadOptions(clients=1, input_file=stream(tmp_path / "keys.trace", KEYS))
    workload = APPLICATION.workload(options)
    columns: list[Any] = [segment.columns["key"] for batch in workload.batches(0) for segment in batch]
    counted = Counter(key for keys in columns for key in keys)
    assert list(workload.preload()) == []
    assert counted[b"user7"] == KEYS.count(7) + 1


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    missing, odd, unpacked = tmp_path / "none.trace", tmp_path / "odd.trace", tmp_path / "plain.trace.xz"
    odd.write_bytes(b"12345")
    unpacked.write_bytes(b"12345678")
    with pytest.raises(FileNotFoundError, match=r"none\.trace: expected a stream of 32-bit keys"):
        calls(missing, 0, 1)
    with pytest.raises(MalformedTraceError, match=r"odd\.trace: expected keys of 4 bytes each, found 5 bytes"):
        calls(odd, 0, 1)
    with pytest.raises(MalformedTraceError, match=r"plain\.trace\.xz: expected a file compressed by xz"):
        calls(unpacked, 0, 1)
