"""All the memory of one replica's execution, taken from one region before the workers are forked."""

from __future__ import annotations

import struct

import xxhash

from cdep import StateMachine
from proxies.layout import ServiceLayout
from psmr.execution import layout as at
from psmr.state import frame as frames
from psmr.state.access import STAGING_BYTES, Access
from psmr.state.compiled_machine import containers_of
from psmr.state.event import Event
from psmr.state.field import Container, round_up
from psmr.state.region import PAGE_BYTES, Region
from psmr.state.scratch import Scratch

TOTALS_BYTES = 16
NOTES_BYTES = 1 << 30
"""What a worker may note while the state is captured, before it has to wait for the end of that: memory comes with its use."""
_SLOT = struct.Struct(f"<{at.SLOT_WORDS}q")


class Memory:
    """Addresses of control block, slots, frames, delivery ring and state; see `psmr.execution.layout`."""

    def __init__(
        self,
        owner: type[StateMachine],
        layout: ServiceLayout,
        workers: int,
        ring_bytes: int,
        notes_bytes: int = NOTES_BYTES,
    ) -> None:
        self.containers: dict[str, Container] = containers_of(owner)
        self.workers = workers
        self.ring_bytes = ring_bytes
        # Whatever is kept, the largest command must find room behind it.
        self.notes_bytes = round_up(notes_bytes, PAGE_BYTES) + frames.NOTE_BYTES * frames.UNDO_ENTRIES + PAGE_BYTES
        private = (
            self.notes_bytes
            + 16 * frames.UNDO_ENTRIES
            + frames.ARENA_BYTES
            + STAGING_BYTES
            + at.REPLY_RING_BYTES
            + 8 * at.SLOTS
            + at.DIGESTS_BYTES
        )
        self.has_events = any(isinstance(container, Event) for container in self.containers.values())
        private += at.EVENT_AREA_BYTES + 16 * at.SLOTS if self.has_events else 0
        state = sum(round_up(container.size_bytes, PAGE_BYTES) for container in self.containers.values())
        common = at.CONTROL_BYTES + at.SLOTS * at.SLOT_BYTES + TOTALS_BYTES + ring_bytes
        slack = PAGE_BYTES * (16 + 12 * workers)
        self.region = Region(common + state + workers * (private + at.FRAME_TOTAL_BYTES) + slack)
        self.control = self.region.take(at.CONTROL_BYTES)
        self.slots = self.region.take(at.SLOTS * at.SLOT_BYTES)
        self.totals = self.region.take(TOTALS_BYTES)
        self.table = self.region.take(2 * 65)
        self.ring = self.region.take(ring_bytes)
        self.frames = [self.region.take(at.FRAME_TOTAL_BYTES) for _ in range(workers)]
        self.staging = [self.region.take(STAGING_BYTES) for _ in range(workers)]
        self.reply_rings = [self.region.take(at.REPLY_RING_BYTES) for _ in range(workers)]
        self.digests = [self.region.take(at.DIGESTS_BYTES) for _ in range(workers)]
        self.reply_starts: list[int] = []
        self.notes: list[int] = []
        self.event_areas: list[int] = []
        self.event_pieces: list[int] = []
        self._lay_frames(layout)
        if self.has_events:
            self._lay_events()
        self.bases = tuple(self._lay_state())

    def _lay_frames(self, layout: ServiceLayout) -> None:
        for worker, frame in enumerate(self.frames):
            arena = self.region.take(frames.ARENA_BYTES)
            self.set(frame + frames.UNDO_CAPACITY, frames.UNDO_ENTRIES)
            self.set(frame + at.FRAME_UNDO, self.region.take(16 * frames.UNDO_ENTRIES))
            self.set(frame + frames.UNDO_BASE, self.get(frame + at.FRAME_UNDO))
            self.notes.append(self.region.take(self.notes_bytes))
            self.set(frame + at.FRAME_NOTES, self.notes[worker] + frames.MARKER_BYTES)
            self.set(frame + at.FRAME_NOTES_END, self.notes[worker] + self.notes_bytes)
            self.set(frame + frames.NOTES_LINE, at.worker_line(self.control, worker) + at.NOTES)
            self.set(frame + frames.ARENA_NEXT, arena)
            self.set(frame + frames.ARENA_BASE, arena)
            self.set(frame + frames.ARENA_END, arena + frames.ARENA_BYTES)
            self.set(frame + at.FRAME_CONTROL, self.control)
            self.set(frame + at.FRAME_SLOTS, self.slots)
            self.set(frame + at.FRAME_WORKER, worker)
            self.set(frame + at.FRAME_WORKERS, self.workers)
            self.set(frame + at.FRAME_REPLY_RING, self.reply_rings[worker])
            self.set(frame + at.FRAME_REPLY_RING_BYTES, at.REPLY_RING_BYTES)
            self.set(frame + at.FRAME_REPLY_SOFT_BYTES, at.REPLY_RING_SOFT_BYTES)
            self.reply_starts.append(self.region.take(8 * at.SLOTS))
            self.set(frame + at.FRAME_REPLY_STARTS, self.reply_starts[worker])
            self.set(frame + at.FRAME_REPLY_STRIDE, layout.reply_stride)

    def _lay_events(self) -> None:
        for frame in self.frames:
            self.event_areas.append(self.region.take(at.EVENT_AREA_BYTES))
            self.event_pieces.append(self.region.take(16 * at.SLOTS))
            self.set(frame + at.FRAME_EVENT_AREA, self.event_areas[-1])
            self.set(frame + at.FRAME_EVENT_PIECES, self.event_pieces[-1])
            self.set(frame + frames.EVENT_NEXT, self.event_areas[-1])

    def _lay_state(self) -> list[int]:
        bases: list[int] = []
        scratches = events = 0
        for container in self.containers.values():
            if isinstance(container, Scratch):
                if scratches == frames.SCRATCHES:
                    raise TypeError(
                        f"expected at most {frames.SCRATCHES} Scratch fields in a service; build values in turn"
                    )
                bases.append(scratches)
                scratches += 1
            elif isinstance(container, Event):
                bases.append(events)
                events += 1
            else:
                bases.append(0)
        # What is no part of the replicated state lies behind it: `FRAME_STATE_BYTES` says where that begins.
        start = end = self.region.take(0)
        for is_replicated in (True, False):
            for place, container in enumerate(self.containers.values()):
                if not isinstance(container, Scratch | Event) and container.replicated is is_replicated:
                    bases[place] = self.region.take(container.size_bytes)
                    container.prepare(self.region, bases[place])
            end = self.region.take(0) if is_replicated else end
        for frame in self.frames:
            self.set(frame + at.FRAME_STATE, start)
            self.set(frame + at.FRAME_STATE_BYTES, end - start)
        return bases

    def get(self, address: int) -> int:
        """The aligned word at `address`."""
        return self.region.word(address)

    def words(self, address: int, count: int) -> list[int]:
        """`count` aligned words from `address` on."""
        place = (address - self.region.address) >> 3
        return self.region.words[place : place + count].tolist()

    def set(self, address: int, value: int) -> None:
        """Set an aligned word that no other process reads yet, or that only the calling process writes."""
        self.region.words[(address - self.region.address) >> 3] = value

    def write_slot(self, slot: int, *words: int) -> None:
        """Fill a slot's descriptor; it is read only once it is published."""
        place = self.slots + (slot % at.SLOTS) * at.SLOT_BYTES
        _SLOT.pack_into(self.region.memory, place - self.region.address, *words)

    def access(self, worker: int) -> Access:
        """Interpreted access for one worker."""
        return Access(self.region, self.frames[worker], self.staging[worker])

    def digest(self) -> int:
        """xxh3-64 of the whole replicated state, in a canonical order; only while nothing executes."""
        digest = xxhash.xxh3_64()
        for base, container in zip(self.bases, self.containers.values(), strict=True):
            if container.replicated:
                for piece in container.content(self.region, base):
                    digest.update(piece)
        return digest.intdigest()

    def state_bytes(self) -> int:
        """How much memory the region holds at present, its rings included."""
        return self.region.allocated_bytes()
