"""What a replica does beside its loop: in threads of its own, which ring when something is done."""

from __future__ import annotations

import os
from _thread import start_new_thread
from collections.abc import Callable
from contextlib import suppress
from threading import Event
from typing import Protocol


class Work(Protocol):
    """Something under way beside the loop."""

    def is_alive(self) -> bool:
        """Whether it goes on."""

    def join(self) -> None:
        """Wait until it has ended."""


class Beside(Protocol):
    """Where work goes that would hold the loop up: to threads; in a simulation, to later moments of virtual time."""

    def start(self, work: Callable[[], None], name: str) -> Work:
        """Begin `work`; an error in it ends it alone."""

    def bell(self) -> Bell:
        """A bell for work to ring at its end, and the loop to hear."""


class Bell(Protocol):
    """Rung from beside the loop."""

    def sources(self) -> list[int]:
        """Descriptors that are readable while it rings."""

    def ring(self) -> None:
        """Wake the loop."""

    def silence(self) -> None:
        """It was heard."""

    def close(self) -> None:
        """Nobody rings any more."""


class Threads:
    """A thread for each."""

    def start(self, work: Callable[[], None], name: str) -> Work:
        """Begin `work` in a thread that ends with the process."""
        return _Apart(work, name)

    def bell(self) -> Bell:
        """One with a descriptor."""
        return _EventBell()


class _Apart:
    """A thread that its maker does not wait for.

    `Thread.start` returns once the thread runs, and where processors are busy that took up to 99 ms of a loop's time.
    """

    def __init__(self, work: Callable[[], None], name: str) -> None:
        self._work = work
        self._name = name
        self._ended = Event()
        start_new_thread(self._run, ())

    def __repr__(self) -> str:
        return f"<thread {self._name}>"  # what stderr calls it, after an error

    def is_alive(self) -> bool:
        return not self._ended.is_set()

    def join(self) -> None:
        self._ended.wait()

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._ended.set()


class _EventBell:
    def __init__(self) -> None:
        self._event_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def sources(self) -> list[int]:
        return [self._event_fd]

    def ring(self) -> None:
        os.eventfd_write(self._event_fd, 1)

    def silence(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self._event_fd)

    def close(self) -> None:
        os.close(self._event_fd)
