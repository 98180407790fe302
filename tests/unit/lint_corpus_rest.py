"""Failures caught, ends and texts of objects, loops, late code: one fault a service, marked at its line, `# fault CLASS: CODE`."""

# ruff: noqa: B012, BLE001, E722, SIM105

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from typing import Annotated

from psmr import Map, Max, StateMachine, dependent, u64

Word = Annotated[bytes, Max(16)]
EMPTY = b""


class BareExcept(StateMachine):
    table = Map(u64, u64, capacity=100)

    @dependent
    def make(self, key: u64) -> None:
        try:
            self.table.put(key, key)
        except:  # fault BareExcept: swallowed
            pass


class BroadExcept(StateMachine):
    table = Map(u64, u64, capacity=100)

    @dependent
    def make(self, key: u64) -> bool:
        try:
            self.table.put(key, key)
        except (KeyError, Exception):  # fault BroadExcept: swallowed
            return False
        return True


class Suppressed(StateMachine):
    table = Map(u64, u64, capacity=100)

    @dependent
    def make(self, key: u64) -> None:
        with contextlib.suppress(Exception):  # fault Suppressed: swallowed
            self.table.put(key, key)


class DeepRecursion(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        try:
            return self._down(key)
        except RecursionError:  # fault DeepRecursion: swallowed
            return u64(0)

    def _down(self, key: u64) -> u64:
        return self._down(key - u64(1)) if key else u64(1)


class Reference(StateMachine):
    @dependent
    def make(self, key: u64) -> bool:
        return weakref.ref(Token())() is None  # fault Reference: finalizer


class Token:
    pass


class Collects(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        return u64(gc.collect())  # fault Collects: finalizer


class Closing:
    def __del__(self) -> None:
        return None


class HasADestructor(StateMachine):
    @dependent
    def make(self, key: u64) -> None:
        Closing()  # fault HasADestructor: finalizer


class TextOfAnObject(StateMachine):
    @dependent
    def make(self, key: u64) -> Word:
        return repr(Token()).encode()[:16]  # fault TextOfAnObject: address


class TextInsideText(StateMachine):
    @dependent
    def make(self, key: u64) -> Word:
        token = Token()
        return f"{token}".encode()[:16]  # fault TextInsideText: address


class IsANumber(StateMachine):
    @dependent
    def make(self, key: u64, other: u64) -> bool:
        return key is other  # fault IsANumber: is


class IsText(StateMachine):
    @dependent
    def make(self, key: Word) -> bool:
        return key is EMPTY  # fault IsText: is


class RunsALoop(StateMachine):
    @dependent
    def make(self, key: u64) -> None:
        asyncio.run(None)  # fault RunsALoop: async


class Evaluates(StateMachine):
    @dependent
    def make(self, text: Word) -> u64:
        return u64(eval(text))  # fault Evaluates: dynamic


class ImportsInside(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        import lint_never_loaded  # fault ImportsInside: import

        return u64(lint_never_loaded.value())


class SwallowedByFinally(StateMachine):
    table = Map(u64, u64, capacity=100)

    @dependent
    def make(self, key: u64) -> bool:
        try:
            self.table.put(key, key)
        finally:
            return True  # fault SwallowedByFinally: swallowed


class WeakSet(StateMachine):
    @dependent
    def make(self, key: u64) -> u64:
        return u64(len(weakref.WeakSet([Token()])))  # fault WeakSet: finalizer
