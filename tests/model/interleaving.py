"""Several processors over one memory, in one deterministic order that chance chooses: which goes on, which store is seen when.

As on x86: each processor's stores wait in a queue of its own, it sees them itself, the others when they leave it, in order.
A fence, an atomic addition and a call of the system empty the queue. A sleeper is woken only by who wakes it, never by time:
a lost wake-up is found as a state in which nobody can go on.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

STEPS_MAX = 20_000
SPEEDS = (1.0, 1.0, 0.02)
"""Some processors are slow: as if what else runs on the machine had taken theirs."""


class Stuck(AssertionError):
    """Nobody can go on, or nobody comes to an end."""


class _Ended(BaseException):
    """Another processor has failed: this one is not needed any more."""


class _Processor:
    def __init__(self, job: Callable[[], None], speed: float) -> None:
        self.job = job
        self.speed = speed
        self.turn = threading.Semaphore(0)
        self.stores: deque[tuple[int, int]] = deque()
        self.asleep: Any = None
        self.is_done = False


class Machine:
    """`run(*jobs)` runs each job on a processor of its own; what is below they use, one at a time."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.memory: dict[int, int] = {}
        self._processors: list[_Processor] = []
        self._running: _Processor | None = None
        self._failure: BaseException | None = None
        self._over = threading.Semaphore(0)
        self._steps = 0

    def run(self, *jobs: Callable[[], None]) -> None:
        """Raises what a job raises, and Stuck."""
        self._processors = [_Processor(job, self.chance.choice(SPEEDS)) for job in jobs]
        threads = [threading.Thread(target=self._work, args=(processor,)) for processor in self._processors]
        for thread in threads:
            thread.start()
        self._hand_over(self.chance.choice(self._processors))
        self._over.acquire()
        for thread in threads:
            thread.join()
        if self._failure is not None:
            raise self._failure

    def load(self, address: int) -> int:
        """A plain load: one's own queue first."""
        for place, value in reversed(self._me().stores):
            if place == address:
                return value
        return self.memory.get(address, 0)

    def store(self, address: int, value: int) -> None:
        """A plain store."""
        self._me().stores.append((address, value))

    def load_acquire(self, address: int) -> int:
        self.pause()
        return self.load(address)

    def store_release(self, address: int, value: int) -> None:
        self.store(address, value)
        self.pause()

    def fence(self) -> None:
        self._empty(self._me())
        self.pause()

    def add_atomic(self, address: int, amount: int) -> int:
        self._empty(self._me())
        before = self.memory.get(address, 0)
        self.memory[address] = before + amount
        self.pause()
        return before

    def sleep_while(self, word: int, value: int, timeout_ns: int) -> None:
        """futex(2): compare and sleep are one step."""
        self._empty(self._me())
        self.pause()
        if self.memory.get(word, 0) & 0xFFFFFFFF == value & 0xFFFFFFFF:
            self.sleep(word)

    def wake(self, word: Any) -> None:
        """Whoever sleeps on `word` may go on."""
        self._empty(self._me())
        for processor in self._processors:
            if processor.asleep == word:
                processor.asleep = None
        self.pause()

    def sleep(self, word: Any) -> None:
        """Until woken."""
        me = self._me()
        self._empty(me)
        me.asleep = word
        self._go_on_with(self._next())

    def pause(self) -> None:
        """Here another processor may go on, and stores may become visible."""
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise Stuck("no end after so many steps")
        if self.chance.random() < 0.5:
            stores = self.chance.choice(self._processors).stores
            if stores:
                address, value = stores.popleft()
                self.memory[address] = value
        if self.chance.random() < 0.4:
            self._go_on_with(self._next())

    def _me(self) -> _Processor:
        assert self._running is not None
        return self._running

    def _empty(self, processor: _Processor) -> None:
        self.memory.update(processor.stores)
        processor.stores.clear()

    def _next(self) -> _Processor:
        ready = [processor for processor in self._processors if not processor.is_done and processor.asleep is None]
        if not ready:
            raise Stuck("everybody sleeps, and nobody will wake anybody")
        return self.chance.choices(ready, [processor.speed for processor in ready])[0]

    def _go_on_with(self, processor: _Processor) -> None:
        me = self._me()
        if processor is not me:
            self._hand_over(processor)
            me.turn.acquire()
            if self._failure is not None:
                raise _Ended

    def _hand_over(self, processor: _Processor) -> None:
        self._running = processor
        processor.turn.release()

    def _work(self, me: _Processor) -> None:
        me.turn.acquire()
        try:
            if self._failure is None:
                me.job()
                self._empty(me)
        except _Ended:
            pass
        except BaseException as failure:  # noqa: BLE001 - `run` raises it
            self._failure = failure
        me.is_done = True
        self._leave()

    def _leave(self) -> None:
        """One after the other ends: by itself, or because one has failed."""
        waiting = [processor for processor in self._processors if not processor.is_done]
        if not waiting:
            self._over.release()
            return
        if self._failure is None:
            try:
                self._hand_over(self._next())
                return
            except Stuck as stuck:
                self._failure = stuck
        self._hand_over(waiting[0])
