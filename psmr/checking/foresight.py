"""What a model may tell of what lies ahead: which reads a state can still come to.

A state that no read ahead can come from is as good as any other such; a write whose value no read ahead can come from need
never be seen, so that its place is no question; and a state that leaves a read without any explanation is a dead end at once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple, Protocol, TypeGuard

from psmr.checking.model import Model

Call = tuple[str, tuple[Any, ...]]
"""A command and its arguments."""


class Reach(NamedTuple):
    """The replies of reads, numbered such that what a state may come to is a range of them."""

    ranks: Mapping[Any, int]
    """The number of each reply."""
    range_of: Callable[[Any], tuple[int, int]]
    """The replies, from and up to, that commands which do not begin anew could make of a state; (n, n) where none."""


class Foreseeing(Protocol):
    """What a model adds for this. It then has three kinds of commands, whose replies tell nothing but what reads see:

    those of `read_only`, which reply the state of their key; those of `begins_anew`; and others, which make the state longer.
    A part of a history that holds any others has no reach.
    """

    @property
    def begins_anew(self) -> Collection[str]:
        """Names of the commands after which the state of their key does not depend on what it was before."""

    def reach(self, writes: Iterable[Call], replies: Collection[Any], /) -> Reach | None:
        """What leads to which of `replies`, all different; None where that cannot be told.

        Given, each of `writes` has the reply None in whatever state they lead to.
        """

    def contributes(self, arguments: tuple[Any, ...], reply: Any, /) -> bool:
        """Whether a command that does not begin anew could be among those that led to `reply`."""


def foresees(model: object) -> TypeGuard[Foreseeing]:
    """Whether it is one."""
    return hasattr(model, "reach")


def equal_only(replies: Collection[Any]) -> Reach:
    """A state comes to the reply that it is."""
    ranks = {reply: rank for rank, reply in enumerate(replies)}

    def range_of(state: Any) -> tuple[int, int]:
        rank = ranks.get(state)
        return (0, 0) if rank is None else (rank, rank + 1)

    return Reach(ranks, range_of)


def by_beginning(replies: Collection[Any], sequence_of: Callable[[Any], Any]) -> Reach | None:
    """A state comes to the replies that begin with it; `sequence_of` gives what is compared, strings or tuples of integers."""
    found = sorted((sequence_of(reply), place) for place, reply in enumerate(replies))
    sequences = [sequence for sequence, _ in found]
    if len(set(sequences)) < len(sequences):
        return None
    in_order = list(replies)
    ranks = {in_order[place]: rank for rank, (_, place) in enumerate(found)}

    def range_of(state: Any) -> tuple[int, int]:
        beginning = sequence_of(state)
        length = len(beginning)
        low = bisect_left(sequences, beginning)
        return low, bisect_right(sequences, beginning, low, key=lambda sequence: sequence[:length])

    return Reach(ranks, range_of)


class _Blind:
    """What a model means, and nothing of what may come later."""

    def __init__(self, model: Model) -> None:
        self.initial = model.initial
        self.read_only = model.read_only
        self.step = model.step
        self.key = model.key


def without_foresight(model: Model) -> Model:
    """The same model, unable to tell what a later read may come of."""
    blind: Model = _Blind(model)
    return blind if foresees(model) else model
