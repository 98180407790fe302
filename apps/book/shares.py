"""What share of a LOBSTER file's messages is what: `python -m apps.book.shares FILE`. The generated flow is drawn from these."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from apps.book.lobster import Message, Messages, Type
from apps.book.rules import Side

DISTANCES = (0, 1, 5, 20, 100)
"""Up to so many ticks behind the best price of its side an order is counted as of one class."""
LOTS = (1, 10, 99, 100, 1000)


def measured(messages: Iterable[Message]) -> dict[str, dict[str, float]]:
    """Shares of types; of submissions, by lots and by ticks behind the best price then (negative: they improved it)."""
    types: Counter[str] = Counter()
    lots: Counter[str] = Counter()
    distances: Counter[str] = Counter()
    left: dict[int, tuple[Side, int, int]] = {}
    at: dict[Side, Counter[int]] = {side: Counter() for side in Side}
    for message in messages:
        types[message.type.name.lower()] += 1
        if message.type is Type.SUBMISSION:
            distances[_distance(at[message.side], message)] += 1
            lots[_class(message.size, LOTS)] += 1
            left[message.order] = (message.side, message.price, message.size)
            at[message.side][message.price] += 1
        elif message.order in left:
            side, price, size = left[message.order]
            size = 0 if message.type is Type.DELETION else size - message.size
            left[message.order] = (side, price, size)
            if size <= 0:
                del left[message.order]
                at[side][price] -= 1
                if at[side][price] == 0:
                    del at[side][price]
    return {name: _shares(counts) for name, counts in (("types", types), ("lots", lots), ("distances", distances))}


def _distance(levels: Counter[int], message: Message) -> str:
    if not levels:
        return "first"
    behind = max(levels) - message.price if message.side is Side.BUY else message.price - min(levels)
    return "better" if behind < 0 else _class(behind, DISTANCES)


def _class(number: int, ends: tuple[int, ...]) -> str:
    return next((f"up to {end}" for end in ends if number <= end), f"over {ends[-1]}")


def _shares(counts: Counter[str]) -> dict[str, float]:
    return {name: round(count / counts.total(), 5) for name, count in counts.most_common()}


if __name__ == "__main__":
    for name, shares in measured(Messages(Path(sys.argv[1]))).items():
        print(name, *(f"{share:8.3%}  {what}" for what, share in shares.items()), sep="\n")
