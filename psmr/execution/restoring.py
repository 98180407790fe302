"""A captured body back into an empty state. The indexes of maps are no part of it: they are made anew from the entries.

The body may be of an earlier version of the service. Then what is whose goes by name: a field that both versions have in one
form gets its content, a new one begins empty, one that is gone is passed over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import xxhash

from psmr.errors import ConfigurationError, LogDamaged
from psmr.execution.memory import Memory
from psmr.state.field import Body

_THREADS_MAX = 8
_ADVICE = "use another snapshot of this service, or one of another replica"


class FieldContent(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A field's part of a body: `content_bytes` of it are the canonical content, which digests are of, at its beginning."""

    name: str
    specification: str
    content_bytes: int
    body_bytes: int


def restore(memory: Memory, content: memoryview, digest: int, fields: Sequence[FieldContent] | None = None) -> None:
    """Fill the state of an engine whose workers are not forked yet. No thread is left when it returns.

    `fields`: in their order in the body; by default those of this very service. Raises, with nothing filled, LogDamaged when
    the content does not fit the containers or has another digest, ConfigurationError when a field has another form now.
    """
    if fields is not None:
        _check_forms(memory, fields)
    found = xxhash.xxh3_64()
    jobs: list[Callable[[], None]] = []
    name, place = "length", 0
    try:
        body = Body(content)
        for name, size_bytes in _order(memory, fields):
            content_end, end, more = _restored(memory, name, body, place, size_bytes)
            found.update(content[place:content_end])
            jobs += more
            place = end
    except ValueError as error:
        raise LogDamaged(f"captured state, {name}, from byte {place} on: {error}; {_ADVICE}") from None
    if place != len(content):
        raise LogDamaged(f"captured state: expected {place} bytes, found {len(content)}; {_ADVICE}")
    if found.intdigest() != digest:
        raise LogDamaged(f"captured state: expected digest {digest:016x}, found {found.intdigest():016x}; {_ADVICE}")
    _perform(jobs)


def changed_forms(before: Sequence[tuple[str, str]], after: Sequence[tuple[str, str]]) -> list[str]:
    """Fields, as (name, specification), that both have but not in one form: one line each, naming both forms."""
    known = dict(before)
    return [
        f"field {name!r} was {known[name]} and is {specification} now"
        for name, specification in after
        if known.get(name, specification) != specification
    ]


def _check_forms(memory: Memory, fields: Sequence[FieldContent]) -> None:
    now = [(name, container.specification()) for name, container in memory.containers.items()]
    changes = changed_forms([(field.name, field.specification) for field in fields], now)
    if changes:
        raise ConfigurationError(
            f"captured state: {'; '.join(changes)}: leave a field as it is and give the new one another name"
        )


def _order(memory: Memory, fields: Sequence[FieldContent] | None) -> list[tuple[str, tuple[int, int] | None]]:
    """The fields of the body, with their content's and whole length where that is known."""
    if fields is None:
        return [(name, None) for name, container in memory.containers.items() if container.replicated]
    return [(field.name, (field.content_bytes, field.body_bytes)) for field in fields]


def _restored(
    memory: Memory, name: str, body: Body, place: int, size_bytes: tuple[int, int] | None
) -> tuple[int, int, Sequence[Callable[[], None]]]:
    """Where a field's content ends, where the next one's begins, and what fills it. Raises ValueError."""
    container = memory.containers.get(name)
    if container is not None and container.replicated:
        base = memory.bases[list(memory.containers).index(name)]
        restored = container.restore(memory.region, base, body, place)
        found = restored.content_end - place, restored.end - place
        if size_bytes not in (None, found):
            raise ValueError(f"expected (content, whole) of {size_bytes} bytes, found {found}")
        return restored.content_end, restored.end, restored.jobs
    content_bytes, body_bytes = size_bytes or (0, 0)
    if not 0 <= content_bytes <= body_bytes <= len(body.content) - place:
        raise ValueError(f"expected {body_bytes} bytes of a field that is gone, found {len(body.content) - place}")
    return place + content_bytes, place + body_bytes, ()


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
