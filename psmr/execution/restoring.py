"""A captured body back into an empty state. The indexes of maps are no part of it: they are made anew from the entries."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import xxhash

from psmr.errors import LogDamaged
from psmr.execution.memory import Memory
from psmr.state.field import Body

_THREADS_MAX = 8
_ADVICE = "use another snapshot of this service, or one of another replica"


def restore(memory: Memory, content: memoryview, digest: int) -> None:
    """Fill the state of an engine whose workers are not forked yet. No thread is left when it returns.

    Raises LogDamaged, with nothing filled, when the content does not fit the service's containers or has another digest.
    """
    found = xxhash.xxh3_64()
    jobs: list[Callable[[], None]] = []
    name, place = "length", 0
    try:
        body = Body(content)
        for field, base in zip(memory.containers, memory.bases, strict=True):
            name, container = field, memory.containers[field]
            if container.replicated:
                restored = container.restore(memory.region, base, body, place)
                found.update(content[place : restored.content_end])
                jobs += restored.jobs
                place = restored.end
    except ValueError as error:
        raise LogDamaged(f"captured state, {name}, from byte {place} on: {error}; {_ADVICE}") from None
    if place != len(content):
        raise LogDamaged(f"captured state: expected {place} bytes, found {len(content)}; {_ADVICE}")
    if found.intdigest() != digest:
        raise LogDamaged(f"captured state: expected digest {digest:016x}, found {found.intdigest():016x}; {_ADVICE}")
    _perform(jobs)


def _perform(jobs: list[Callable[[], None]]) -> None:
    """All jobs, on all processors that this process may use: they let go of the interpreter's lock."""
    threads = min(_THREADS_MAX, len(os.sched_getaffinity(0)), len(jobs))
    if threads < 2:
        for job in jobs:
            job()
        return
    jobs[0]()  # compiles what is to be compiled, or loads it, once
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(job) for job in jobs[1:]]:
            done.result()
