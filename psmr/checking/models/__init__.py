"""Models by name, for histories of any system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psmr.checking.models.bank import Bank
from psmr.checking.models.keyed import Cell, keyed
from psmr.checking.models.meaning import Meant, RecordedModel, UnlikeTheModel
from psmr.checking.models.mutex import Mutex
from psmr.checking.models.queues import Queue, UnorderedQueue
from psmr.checking.models.registers import CasRegister, ForeseeingRegister
from psmr.checking.models.sets import Set

MODELS: dict[str, Callable[..., Any]] = {
    "register": ForeseeingRegister,
    "cas-register": CasRegister,
    "kv": Cell,
    "mutex": Mutex,
    "queue": Queue,
    "unordered-queue": UnorderedQueue,
    "set": Set,
    "bank": Bank,
}
"""By name, how to make one. Those of `TAKES_INITIAL` take the initial state; `kv` is one key's part (`keyed`)."""
TAKES_INITIAL = frozenset({"register", "cas-register", "kv", "bank"})

__all__ = ["MODELS", "TAKES_INITIAL", "Meant", "RecordedModel", "UnlikeTheModel", "keyed"]
