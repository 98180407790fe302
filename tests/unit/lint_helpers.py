"""What services of the corpus import from another module of their project."""

from __future__ import annotations

import os
import random as chance
from time import perf_counter as ticks

REGION = os.environ.get("REGION", "north")  # fault ConstantOfAnotherModule: environment
LIMITS = {1: 10, 2: 20}
SALT = 7


def stamp() -> int:
    return int(ticks())  # fault FunctionOfAnotherModule: clock


def drawn(limit: int) -> int:
    return _deeper(limit)


def _deeper(limit: int) -> int:
    return chance.randint(0, limit)  # fault FarAway: random


def mixed(value: int) -> int:
    return value * 31 + SALT


class Journal:
    def __init__(self, path: str) -> None:
        self.path = path

    def write(self, text: str) -> None:
        with open(self.path, "a") as file:  # fault MethodOfAnInstance: file
            file.write(text)
