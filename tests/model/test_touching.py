"""Maps so large that what the next keys lead to is fetched ahead: replies and state are those of interpreted execution."""

from __future__ import annotations

import random

import pytest
from execution_support import Batch, engines, execute

from apps.kv import KV, IntegerKV
from cdep import StateMachine
from psmr.execution.engine import Engine
from psmr.state.map_core import HEADER_BYTES
from psmr.state.touching import LARGE_LEVEL

KEYS = 60_000
BATCH = 2_000
_LEVEL = 24


def log_of(owner: type[StateMachine]) -> list[Batch]:
    """Every key put; then gets, puts and deletions, of keys that are there and of keys that are not."""
    draw = random.Random(5)
    is_integer = owner is IntegerKV

    def key(number: int) -> int | bytes:
        return number * 0x9E3779B97F4A7C15 % (1 << 64) if is_integer else b"key %d" % number

    def call() -> tuple[str, tuple[int | bytes, ...]]:
        number = draw.randrange(KEYS + KEYS // 8)
        name = draw.choice(("get", "get", "put", "delete"))
        value = draw.randrange(1 << 32) if is_integer else b"%d" % draw.randrange(1 << 32)
        return (name, (key(number), value)) if name == "put" else (name, (key(number),))

    puts = [("put", (key(number), number if is_integer else b"%d" % number)) for number in range(KEYS)]
    filling = [puts[start : start + BATCH] for start in range(0, KEYS, BATCH)]
    return filling + [[call() for _ in range(BATCH)] for _ in range(5)]


def is_touched(engine: Engine) -> bool:
    return engine.memory.get(engine.memory.bases[0] + HEADER_BYTES + _LEVEL) >= LARGE_LEVEL


@pytest.mark.parametrize("owner", [KV, IntegerKV])
def test_touching_ahead_changes_neither_replies_nor_state(owner: type[StateMachine]) -> None:
    log = log_of(owner)
    with engines(owner, (1, 2), (True,)) as compiled, engines(owner, (1,), (False,)) as interpreted:
        (plain,) = interpreted.values()
        expected = execute(plain, log)
        for name, engine in compiled.items():
            assert execute(engine, log) == expected, name
            assert engine.digest() == plain.digest(), name
            assert is_touched(engine), "the map is too small for anything to be touched ahead"
