"""A history cut by key, each part to be checked by itself (Horn, Kroening, *Faster Linearizability Checking via
P-Compositionality*, FORTE 2015).

A command without a key that writes (clear) is put into every part, or into those that the model names (`Parting`).
Its reply may tell of all keys at once (how many
were removed), which no part can judge, so there it is taken as given. A command without a key that only reads (size)
would say nothing in any part: it is left out, and counted.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from psmr.checking.history import Operation
from psmr.checking.model import Model, Parting


class Split(NamedTuple):
    """The parts by key, and what they do not check."""

    parts: dict[Hashable, list[Operation]]
    left_out: int
    replies_unchecked: int


class Anything:
    """Equal to every reply."""

    def __eq__(self, other: object) -> bool:
        return True

    def __repr__(self) -> str:
        return "(not checked)"


ANYTHING = Anything()


def whole(operations: Iterable[Operation]) -> Split:
    """One part, under the key None."""
    return Split({None: list(operations)}, left_out=0, replies_unchecked=0)


def split(operations: Iterable[Operation], model: Model) -> Split:
    """A part for each key that occurs; the whole in one part when none does."""
    operations = list(operations)
    parts: dict[Hashable, list[Operation]] = {}
    everywhere: list[Operation] = []
    left_out = parted = 0
    key_of = model.key
    for operation in operations:
        key = key_of(operation[3], operation[4])
        if key is not None:
            part = parts.get(key)
            if part is None:
                parts[key] = [*everywhere, operation]
            else:
                part.append(operation)
        elif operation[3] in model.read_only:
            left_out += 1
        elif isinstance(model, Parting):
            parted += 1
            for key, arguments in model.parts(operation[3], operation[4]).items():
                parts.setdefault(key, [*everywhere]).append(operation._replace(arguments=arguments, reply=ANYTHING))
        else:
            # At once, not at the end: within a batch all times are equal, and a session's order is that of the list.
            everywhere.append(Operation(*operation[:5], ANYTHING))
            for part in parts.values():
                part.append(everywhere[-1])
    return Split(parts, left_out, len(everywhere) + parted) if parts else whole(operations)
