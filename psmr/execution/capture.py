"""A consistent copy of the state while workers go on changing it: copied as it is, put right by the workers' undo notes.

At the position of a capture nothing executes. From then on every worker keeps the notes of its commands
(`psmr.execution.noting`), so for each word that has changed since there is a note with what it held. Section by section
(`psmr.state.field.Section`):

    copy ─► look at all notes there are ─► look once more ─► put back the first old word of what has changed ─► hash, put out

The first look waits, worker by worker, for the end of the command that it is in: whatever the copy can have seen of a command
is noted by then. (The command says that it begins before it writes, with a fence on each side.) So a word of which no note is
found had not changed when it was copied.

Words may be changed by several workers in turn, in synchronous commands. The first old word is that of the lowest position:
positions order all commands that touch one word. But a look goes through the workers one after another, so it may find a
command's note and miss one of a command before it, by a worker looked at earlier. Therefore the second look: whatever came
before anything that the first one found is found by then. What it alone finds puts nothing back: there the copy is right, and
an earlier note of the same word may still be missing.

The body is the canonical content that `Memory.digest` hashes, and behind the pages of each array or table a word `LAST_PAGE`.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import xxhash
from numpy.typing import NDArray

from psmr.execution import layout as at
from psmr.execution.memory import Memory
from psmr.execution.notes import (
    CHUNK_BYTES,
    CHUNK_RECORDS,
    clear_piece,
    copy_piece,
    free_chain,
    has_changed,
    number_pages,
    patch,
    sort_notes,
)
from psmr.execution.restoring import FieldContent
from psmr.execution.waiting import rouse
from psmr.state.array import LAST_PAGE, NUMBERED_PAGE_BYTES
from psmr.state.field import SECTION_BYTES, Section
from psmr.state.frame import COMMANDS, KEPT, MARKER_BYTES, NOTE_BYTES
from psmr.state.region import PAGE_BYTES, Region
from psmr.state.synchronised import fence_now, load, store

_SPINS = 2000
_NAP_S = 50e-6
_GIVE_BACK_BYTES = 1 << 20
_NEVER = 1 << 62
_END_OF_PAGES = memoryview(LAST_PAGE.to_bytes(8, "little", signed=True))


class CaptureAbandoned(Exception):
    """The workers end, or the capture was ended, before it was written."""


@dataclass(frozen=True, slots=True)
class CaptureResult:
    """What was put out: the bytes of the body, what `Engine.digest` was at the position of the capture, and what of the body is
    whose."""

    body_bytes: int
    digest: int
    fields: tuple[FieldContent, ...]


class Capture:
    """The state at one position, to be written once, by one thread, while the engine goes on."""

    def __init__(self, memory: Memory, number: int) -> None:
        self._memory = memory
        self._number = number
        self._lines = [at.worker_line(memory.control, worker) + at.NOTES for worker in range(memory.workers)]
        self._places = list(memory.notes)
        self._given_back = list(memory.notes)
        self._containers = [
            (container, base, container.extents(memory.region, base))
            for base, container in zip(memory.bases, memory.containers.values(), strict=True)
            if container.replicated
        ]
        self._names = [name for name, container in memory.containers.items() if container.replicated]

    def write(self, put: Callable[[int, memoryview], None]) -> CaptureResult:
        """Hand the body to `put(offset, bytes)`, in order and without gaps; a buffer is valid until `put` returns.

        Raises CaptureAbandoned, and whatever `put` raises.
        """
        sections = [[*container.sections(base, extents)] for container, base, extents in self._containers]
        self._prepare([section for several in sections for section in several])
        digest = xxhash.xxh3_64()
        offset = number = 0
        fields: list[FieldContent] = []
        for several, name, (container, _, _) in zip(sections, self._names, self._containers, strict=True):
            start = offset
            for section in several:
                for piece in self._content(number, section):
                    digest.update(piece)
                    put(offset, piece)
                    offset += len(piece)
                number += 1
            content_bytes = offset - start
            if several and several[0].first_page >= 0:
                put(offset, _END_OF_PAGES)
                offset += len(_END_OF_PAGES)
            fields.append(FieldContent(name, container.specification(), content_bytes, offset - start))
        del self._chunks  # a piece of memory as large as all notes
        return CaptureResult(offset, digest.intdigest(), tuple(fields))

    def _prepare(self, sections: list[Section]) -> None:
        self._starts = np.array([section.address for section in sections], np.int64)
        self._ends = self._starts + np.array([section.length for section in sections], np.int64)
        self._heads = np.zeros(len(sections), np.int64)
        self._tails = np.zeros(len(sections), np.int64)
        notes = self._memory.workers * self._memory.notes_bytes // NOTE_BYTES
        self._chunks = Region((notes // CHUNK_RECORDS + len(sections) + 1) * CHUNK_BYTES)
        self._pool = np.array([self._chunks.address, 0], np.int64)
        self._copied = _zeros(SECTION_BYTES).view(np.uint8)
        self._numbered = _zeros(SECTION_BYTES // PAGE_BYTES * NUMBERED_PAGE_BYTES).view(np.uint8)
        self._order = _zeros(SECTION_BYTES)

    def _content(self, number: int, section: Section) -> Iterator[memoryview]:
        """The section as it was at the position of the capture."""
        if section.head:
            yield memoryview(section.head)
        if section.first_page < 0:
            if section.length:
                copy_piece(self._copied.ctypes.data, section.address, section.length)
                self._put_right(number, section)
                yield self._copied[: section.length].data
        elif self._copy_pages(section):
            self._put_right(number, section)
            size = number_pages(
                self._copied.ctypes.data, section.length, section.first_page, self._numbered.ctypes.data
            )
            yield self._numbered[:size].data

    def _copy_pages(self, section: Section) -> bool:
        """Copy the pages that exist; False if there is none. One that comes into being meanwhile held zeros."""
        copied = self._copied.ctypes.data
        parts = [*self._memory.region.allocated(section.address, section.length)]
        if not parts:
            return False
        if parts != [(section.address, section.length)]:
            clear_piece(copied, section.length)
        for address, length in parts:
            copy_piece(copied + address - section.address, address, length)
        return True

    def _put_right(self, number: int, section: Section) -> None:
        fence_now()  # what was copied was read before it is asked how far the workers are
        self._look(number)
        mark = int(self._tails[number])
        mark_used = self._chunks.word(mark + 8) if mark else 0
        self._look(number)
        head, tail = int(self._heads[number]), int(self._tails[number])
        if mark:
            patch(head, mark, mark_used, section.address, self._copied.ctypes.data, self._order)
        if tail:
            free_chain(head, tail, self._pool)
        if load(self._memory.control + at.CAPTURES) != self._number:
            raise CaptureAbandoned("expected a capture under way, found it ended: write before `Engine.end_capture`")

    def _look(self, current: int) -> None:
        """Take in the notes of all commands that had begun, for the sections from the current one on."""
        for worker in range(len(self._lines)):
            self._look_at(worker, current)

    def _look_at(self, worker: int, current: int) -> None:
        line = self._lines[worker]
        self._wait_for_command(line + COMMANDS)
        end = load(line + KEPT) - MARKER_BYTES
        place = self._places[worker]
        sort_notes(place, end, current, self._starts, self._ends, self._heads, self._tails, self._pool)
        self._places[worker] = end
        if end - self._given_back[worker] >= _GIVE_BACK_BYTES:
            self._memory.region.give_back(self._given_back[worker], end - self._given_back[worker])
            self._given_back[worker] = end // PAGE_BYTES * PAGE_BYTES

    def _wait_for_command(self, commands: int) -> None:
        seen = load(commands)
        while seen & 1 and not has_changed(commands, seen, _SPINS):
            if load(self._memory.control + at.STOPPING):
                raise CaptureAbandoned("expected workers that go on, found that they end")
            time.sleep(_NAP_S)


class Captures:
    """The replica's side of all captures of an engine, one at a time: `begin`, `end`, and what is given back after that."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._number = 0
        self.unused_from = _NEVER
        """As soon as so many slots are collected, no worker keeps notes any more, and `give_back` may be called."""

    @property
    def is_open(self) -> bool:
        """Whether a capture is under way."""
        return self._number & 1 == 1

    def begin(self) -> Capture:
        """While nothing executes: have the workers keep their notes from the next slot on."""
        memory = self._memory
        self.give_back()
        for worker, frame in enumerate(memory.frames):
            memory.set(at.worker_line(memory.control, worker) + at.NOTES + KEPT, memory.get(frame + at.FRAME_NOTES))
        self._number += 1
        capture = Capture(memory, self._number)
        store(memory.control + at.CAPTURES, self._number)
        return capture

    def end(self, published: int) -> None:
        """Have the workers keep no notes from the next slot on; `published`: how many slots there are so far."""
        self._number += 1
        store(self._memory.control + at.CAPTURES, self._number)
        for worker in range(self._memory.workers):
            rouse(self._memory.control, worker)
        self.unused_from = published

    def give_back(self) -> None:
        """Free the memory of all notes that were kept."""
        if self.unused_from != _NEVER:
            for place in self._memory.notes:
                self._memory.region.give_back(place, self._memory.notes_bytes)
            self.unused_from = _NEVER


def _zeros(size_bytes: int) -> NDArray[np.int64]:
    """Words that the kernel clears where they are first touched, by code that lets other threads run.

    `numpy.zeros` may clear them at once and lets none: for as much as here that took 10 ms, up to 88 on busy processors.
    """
    return np.frombuffer(mmap.mmap(-1, size_bytes), np.int64)


def warm_up() -> None:
    """Have the copying thread's compiled code in memory; it would otherwise be compiled while the replica serves."""
    words = np.zeros(CHUNK_BYTES // 8, np.int64)
    address = words.ctypes.data
    sort_notes(address, address, 0, words, words, words, words, words)
    words[1] = 0
    patch(address, address, 0, address, address, words)
    copy_piece(address, address, 0)
    clear_piece(address, 0)
    free_chain(address, address, words[2:])
    has_changed(address, 1, 0)
    number_pages(address, 0, 0, address)
