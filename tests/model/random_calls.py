"""Random calls of the services under test, from pools small enough that keys meet."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
from digest_services import ROWS
from execution_support import Batch

from apps.nameserver.packing import ADD, REMOVE, Change, pack_changes
from cdep.hashing import groups_of_u64

Draw = Callable[[random.Random], tuple[str, tuple[Any, ...]]]


def random_log(draw: Draw, seed: int, calls: int) -> list[Batch]:
    """Batches of 1 to 60 calls."""
    chosen = random.Random(seed)
    log: list[Batch] = []
    while calls > 0:
        size = min(calls, chosen.randint(1, 60))
        log.append([draw(chosen) for _ in range(size)])
        calls -= size
    return log


def _pick(chosen: random.Random, weights: dict[str, int]) -> str:
    return chosen.choices(list(weights), list(weights.values()))[0]


_KEYS = [bytes([97 + number % 26]) * (number % 33) for number in range(50)]
_VALUES = [bytes(length) for length in (0, 1, 7, 8, 9)] + [b"v" * 256, b"w" * 255, b"12345678"]


def byte_store_call(chosen: random.Random) -> tuple[str, tuple[Any, ...]]:
    """A call of KV."""
    name = _pick(chosen, {"get": 20, "put": 40, "delete": 20, "compare_and_set": 20, "size": 2, "clear": 1})
    key, values = chosen.choice(_KEYS), (chosen.choice(_VALUES), chosen.choice(_VALUES))
    arguments = {"put": (key, values[0]), "compare_and_set": (key, *values), "size": (), "clear": ()}
    return name, arguments.get(name, (key,))


def integer_store_call(chosen: random.Random) -> tuple[str, tuple[Any, ...]]:
    """A call of IntegerKV."""
    name, arguments = byte_store_call(chosen)
    key = chosen.choice([chosen.randrange(300), (1 << 64) - 1 - chosen.randrange(3)])
    values = (chosen.choice([0, 1, 1 << 63]), chosen.choice([1, 2, (1 << 64) - 1]))
    return name, (key, *values)[: len(arguments)]


_NAMES = [b".", b"a.", b"b.", b"com.", b"ns.com.", b"x" * 255, b"y" * 254, b""]
_DATA = [b"", b"1", b"12", b"123", b"2", b"d" * 900, b"e" * 1024]


def nameserver_call(chosen: random.Random) -> tuple[str, tuple[Any, ...]]:
    """A call of Nameserver."""
    weights = {"lookup": 30, "add": 40, "remove": 20, "list_type": 3, "update_zone": 10, "serial": 1}
    name = _pick(chosen, weights)
    kind, owner, data = chosen.choice([1, 2, 300]), _name(chosen), chosen.choice(_DATA)
    arguments: dict[str, tuple[Any, ...]] = {
        "lookup": (owner, chosen.choice([kind, 255])),
        "add": (owner, kind, chosen.choice([0, 60, (1 << 32) - 1]), data),
        "remove": (owner, kind, data),
        "list_type": (kind, chosen.choice([b"", owner])),
        "update_zone": (_changes(chosen),),
        "serial": (),
    }
    return name, arguments[name]


def _name(chosen: random.Random) -> bytes:
    return chosen.choice(_NAMES) if chosen.random() < 0.5 else b"name-%d.of.some.length." % chosen.randrange(200)


def _changes(chosen: random.Random) -> bytes:
    packed = pack_changes((_name(chosen), _some_changes(chosen)) for _ in range(chosen.randrange(4)))
    if packed and chosen.random() < 0.2:
        return packed[: chosen.randrange(len(packed))]
    if packed and chosen.random() < 0.2:
        place = chosen.randrange(len(packed))
        return packed[:place] + bytes([chosen.randrange(256)]) + packed[place + 1 :]
    return packed


def _some_changes(chosen: random.Random) -> list[Change]:
    changes = []
    for _ in range(chosen.randrange(4)):
        kind, data = chosen.choice([1, 2, 300]), chosen.choice(_DATA)
        changes.append(Change(ADD, kind, chosen.randrange(1 << 32), data))
        if chosen.random() < 0.4:
            changes.append(Change(REMOVE, kind, 0, data[: chosen.choice([0, 1, len(data)])]))
    if chosen.random() < 0.2:
        changes.append(Change(REMOVE, chosen.choice([1, 2]), 0, chosen.choice(_DATA)))
    return changes


_NOTES = [b"", b"late", b"a note", b"eleven byte"]
_TEXTS = [b"", b"x", b"xyz", b"y", b"text", b"t" * 24, b"12345678", b"123456789"]


def everything_call(chosen: random.Random) -> tuple[str, tuple[Any, ...]]:
    """A call of the service that uses everything."""
    name = _pick(chosen, {name: _SHARES.get(name, 4) for name in _EVERYTHING})
    return name, _EVERYTHING[name](chosen)


_NUMBERS = np.arange(1 << 11, dtype=np.uint64)
_CROWD = _NUMBERS[groups_of_u64(_NUMBERS) == 7][:14].tolist()
"""More numbers of one group than their map has room for in a group."""


def _row(chosen: random.Random) -> int:
    return chosen.randrange(ROWS + 9) if chosen.random() < 0.3 else chosen.randrange(8)


def _wide(chosen: random.Random) -> int:
    return chosen.choice([chosen.randint(-100, 100), chosen.randint(-(1 << 63), (1 << 63) - 1)])


def _number(chosen: random.Random) -> int:
    return chosen.choice(_CROWD) if chosen.random() < 0.7 else chosen.randrange(900)


_SHARES = {"note_number": 16, "write_row": 8, "row_text": 8, "reset": 1, "summary": 2}
"""Of commands; others have 4."""

_EVERYTHING: dict[str, Callable[[random.Random], tuple[Any, ...]]] = {
    "write_row": lambda chosen: (
        _row(chosen),
        _wide(chosen),
        chosen.random() < 0.5,
        chosen.choice([0.0, -0.0, 1.5, -1e300, chosen.random()]),
        chosen.randbytes(10),
        chosen.choice(_NOTES),
    ),
    "row_text": lambda chosen: (_row(chosen),),
    "row_weight": lambda chosen: (_row(chosen),),
    "row_small": lambda chosen: (_row(chosen),),
    "move": lambda chosen: (_row(chosen), _row(chosen), chosen.randrange(256)),
    "note_number": lambda chosen: (_number(chosen), _wide(chosen)),
    "forget_number": lambda chosen: (_number(chosen),),
    "put_signed": lambda chosen: (chosen.choice([-3, -2, 5, 300, -32768]), chosen.choice([*_NOTES, b"s" * 16])),
    "get_signed": lambda chosen: (chosen.choice([-3, -2, 5, 0]),),
    "put_flag": lambda chosen: (chosen.random() < 0.5, b"code-%d" % chosen.randrange(10), chosen.random()),
    "take_code": lambda chosen: (b"code-%d" % chosen.randrange(10),),
    "put_text": lambda chosen: (chosen.choice(_TEXTS), chosen.randbytes(8), chosen.choice(_TEXTS)),
    "swap_tag": lambda chosen: (chosen.choice(_TEXTS), chosen.randbytes(8)),
    "write_item": lambda chosen: (chosen.choice([1, 2, chosen.randrange(2000)]), chosen.randrange(1 << 16)),
    "read_item": lambda chosen: (chosen.choice([1, 2, chosen.randrange(2000)]),),
    "divide": lambda chosen: (max(_wide(chosen), 1 - (1 << 63)), chosen.choice([0, 1, -1, -2, 7])),
    "echo": lambda chosen: (chosen.choice([*_NOTES, b"s" * 16]),),
    "now": lambda chosen: (),
    "nothing": lambda chosen: (),
    "summary": lambda chosen: (),
    "reset": lambda chosen: (chosen.random() < 0.5,),
}
