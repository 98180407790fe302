"""The shared memory of one replica's execution: every offset, who writes it, and why a reader may trust it.

    | control | slots | frames, one a worker | undo notes, arena, staging, replies, events of each | delivery ring | state |

**Control.** Each item is alone on its 128 bytes (`LINE_BYTES`), so writers never share a line.

    offset            written by      word
    PUBLISHED         the replica     slots published; a release, after the slot and its batch are in place
    STOPPING          the replica     1: workers end
    COLLECTED         the replica     slots whose replies were taken; their room in the reply rings is free again
    BELL_WANTED       both            1: the replica is about to sleep, ring the eventfd; who rings puts it back to 0
    BELL              the replica     once: descriptor of the eventfd, then a word that holds 1
    CAPTURES          the replica     odd while a capture needs the workers' notes: before PUBLISHED passes the first slot
                                      behind the position of the capture; grows by one at its beginning and at its end
    PATIENCE          the replica     how often a worker that waits for another looks before it sleeps (`patience.py`)
    worker w, at WORKERS + w × WORKER_BYTES:
      COMPLETED       the worker      slots completed; a release, after the replies are in place. Then its counters
      REACHED         the worker      position at which it waits for a barrier; a release, after all its effects before
      RESUME          an executor     position from which the worker may go on; a release, after the executor's effects
      ASLEEP          the worker      1 or 2: about to sleep on ALARM, for what (the sleep protocol is in `waiting`)
      ALARM           who wakes it    the word that futex(2) sleeps on; several may, so they add to it atomically
      NOTES           the worker      two words of `psmr.state.frame`: how far its notes are. The replica sets
                                      the second as a capture begins, when nothing executes
      ROUND           the worker      rounds of staged slots that it has met in; a release, after FRONTIER and all early
                                      stages before that
      FRONTIER        the worker      two words, for even and odd rounds: the first row that it has not decided. The next round but
                                      one overwrites it, and nobody gets there before everybody has read this one
      THROUGH         the worker      2 × a round: its main stages before the round's bound are done; one more: the row at the bound
                                      is decided, or all that follow are. A release, after all their effects

A *position* is `slot << 32 | row + 1`; positions only grow, so "at least" is all that anyone waits for.

**Slots.** `SLOTS` descriptors of 128 bytes, slot s at `s % SLOTS`: the batch as published (`SLOT_…`), written by the replica
before PUBLISHED passes it, and not written again before every worker has completed it and its replies were collected. A slot
is executed by all workers together, or by one alone: its EXECUTOR, once the others have completed the slots before AFTER (the
last that were executed together). The others pass it when it is completed, which may be late: the replica waits for nobody
but the executor, and for the others only when all slots are in use.

**Frames.** A worker's private words: first those of `psmr.state.frame`, then `FRAME_…` below. The replica reads them only to
say where a worker stands.

**Notes.** Each worker has two places for what it notes: FRAME_UNDO, with room for the largest command, and, during a capture,
FRAME_NOTES up to FRAME_NOTES_END, where the notes of one command follow those of the one before (`psmr.execution.noting`). The
replica's copying thread reads them below the worker's KEPT, and gives their memory back.

**Events.** A worker of a service that declares events has an area for them (`psmr.execution.events`), FRAME_EVENT_AREA, and for
each slot, at FRAME_EVENT_PIECES, two words: where in the area the slot's events begin and end. They are the worker's until
COMPLETED passes the slot, and the replica's until COLLECTED does.

**Digests.** Where FRAME_DIGESTS is not 0, two rings of the worker's own begin there. The first has DIGESTS words, and room for a
slot's behind them: for each command of the log that it has executed, the upper DIGEST_BITS of the command's digest
(`psmr.execution.folding`), and below them the row. Behind it are DIGEST_SLOTS records, of each slot in which the worker has had a
part: DIGEST_SLOT_…. FRAME_DIGESTS_NEXT is how many digests there ever were, all that the open slot may have included,
FRAME_DIGESTS_FIRST how many at its opening, FRAME_DIGEST_SUM the worker's part of the slot's digest. FRAME_DIGESTING is where the
slot's digests go, or 0 where it only reads. The replica looks into the rings only when somebody
asks, and then also how far the worker has come meanwhile. The state begins at FRAME_STATE; what lies FRAME_STATE_BYTES and more
behind that is no part of it.

**Waits.** Where FRAME_WAITS is not 0, the worker writes down every wait that it cannot pass at once: a head of `WAITS_…`, then
entries of `WAIT_…`. Whoever has put the memory there reads it while nothing executes (`psmr.execution.waits`).
"""

from __future__ import annotations

from psmr.core.batch import RECORDS_MAX
from psmr.core.event_format import COMMAND_BYTES, EVENT_ROWS_MAX
from psmr.state.atomics import LINE_BYTES
from psmr.state.frame import FRAME_BYTES

WORKERS_MAX = 16
SLOTS = 1024
REPLY_RING_BYTES = 256 << 20
REPLY_RING_SOFT_BYTES = 2 << 20
"""Replies wrap to the start of their ring from here on, when there is room: a small ring stays in the cache."""
EVENT_SOFT_BYTES = 2 << 20
"""As REPLY_RING_SOFT_BYTES, for a worker's events."""
EVENT_START_BYTES = 64 << 20
"""A slot's events begin before here, and end behind it only where they are many: that memory is given back."""
EVENT_AREA_BYTES = EVENT_START_BYTES + EVENT_ROWS_MAX * COMMAND_BYTES + (1 << 20)
"""Only reserved: what is not used takes no memory."""
DIGESTS = 1 << 18
"""Of so many of the newest commands of a worker something is kept of their digests; memory comes with its use."""
DIGEST_BITS = 40
DIGEST_SLOTS = 1 << 16
"""Of so many of the newest slots it is kept where a worker's digests are."""
DIGEST_SLOT = 0
DIGEST_SLOT_FIRST = 8
DIGEST_SLOT_COUNT = 16
DIGEST_SLOT_BYTES = 24
DIGEST_RING_BYTES = 8 * (DIGESTS + RECORDS_MAX)
"""A slot's digests lie together: those of the last one before the ring begins anew go beyond it."""
DIGESTS_BYTES = DIGEST_RING_BYTES + DIGEST_SLOT_BYTES * DIGEST_SLOTS

PUBLISHED = 0
STOPPING = 1 * LINE_BYTES
COLLECTED = 2 * LINE_BYTES
BELL_WANTED = 3 * LINE_BYTES
BELL = 4 * LINE_BYTES
CAPTURES = 5 * LINE_BYTES
PATIENCE = 6 * LINE_BYTES
WORKERS = 7 * LINE_BYTES

COMPLETED = 0
EXECUTED = 8
SYNCHRONOUS = 16
RUN_ON = 24
ROUNDS = 64
WAITED = 72
REACHED = 1 * LINE_BYTES
RESUME = 2 * LINE_BYTES
ASLEEP = 3 * LINE_BYTES
ALARM = 4 * LINE_BYTES
NOTES = 5 * LINE_BYTES
ROUND = 6 * LINE_BYTES
FRONTIER = ROUND + 8
THROUGH = ROUND + 24
WORKER_BYTES = 7 * LINE_BYTES
CONTROL_BYTES = WORKERS + WORKERS_MAX * WORKER_BYTES

SLOT_BYTES = LINE_BYTES
SLOT_RECORDS = 0
SLOT_BLOB = 8
SLOT_COUNT = 16
SLOT_OWNERS = 24
SLOT_NOW_US = 32
SLOT_REPLY_BYTES = 40
SLOT_EXECUTOR = 48
SLOT_AFTER = 56
SLOT_STRIDE = 64
SLOT_IS_READ = 72
SLOT_WORDS = 10
TOGETHER = -1
"""In place of an executor: all workers execute the slot, each the rows that it owns."""

FRAME_CONTROL = FRAME_BYTES
FRAME_SLOTS = FRAME_BYTES + 8
FRAME_WORKER = FRAME_BYTES + 16
FRAME_WORKERS = FRAME_BYTES + 24
FRAME_SPIN = FRAME_BYTES + 32
FRAME_LOOK_AHEAD = FRAME_BYTES + 40
FRAME_REPLY_RING = FRAME_BYTES + 48
FRAME_REPLY_CURSOR = FRAME_BYTES + 56
FRAME_REPLY_STARTS = FRAME_BYTES + 64
FRAME_REPLY_STRIDE = FRAME_BYTES + 72
FRAME_SLOT = FRAME_BYTES + 80
FRAME_ACTIVE = FRAME_BYTES + 88
FRAME_ROW = FRAME_BYTES + 96
FRAME_COUNT = FRAME_BYTES + 104
FRAME_RECORDS = FRAME_BYTES + 112
FRAME_BLOB = FRAME_BYTES + 120
FRAME_OWNERS = FRAME_BYTES + 128
FRAME_HELD = FRAME_BYTES + 136
FRAME_STOP_ROW = FRAME_BYTES + 144
FRAME_REPLY_ROWS = FRAME_BYTES + 152
FRAME_REPLY_RECORDS = FRAME_BYTES + 160
FRAME_REPLY_COUNT = FRAME_BYTES + 168
FRAME_REPLY_BLOB = FRAME_BYTES + 176
FRAME_REPLY_BLOB_USED = FRAME_BYTES + 184
FRAME_EXECUTOR = FRAME_BYTES + 192
FRAME_STARTED_NS = FRAME_BYTES + 200
FRAME_CLOCK = FRAME_BYTES + 208
FRAME_REPLY_RING_BYTES = FRAME_BYTES + 224
FRAME_REPLY_SOFT_BYTES = FRAME_BYTES + 232
FRAME_STRIDE = FRAME_BYTES + 240
FRAME_INDEX = FRAME_BYTES + 248
FRAME_INDEX_MINE = FRAME_BYTES + 256
FRAME_UNDO = FRAME_BYTES + 264
FRAME_NOTES = FRAME_BYTES + 272
FRAME_NOTES_END = FRAME_BYTES + 280
FRAME_EVENT_AREA = FRAME_BYTES + 288
FRAME_EVENT_PIECES = FRAME_BYTES + 296
FRAME_EVENT_WALL = FRAME_BYTES + 304
FRAME_STAGE = FRAME_BYTES + 312
FRAME_PART = FRAME_BYTES + 320
FRAME_CARRIED = FRAME_BYTES + 328
FRAME_IS_BLOCKED = FRAME_BYTES + 336
FRAME_FRONTIER = FRAME_BYTES + 344
FRAME_BOUND = FRAME_BYTES + 352
FRAME_MAINS = FRAME_BYTES + 360
FRAME_ROUND = FRAME_BYTES + 368
FRAME_EARLY_LIST = FRAME_BYTES + 376
FRAME_MAIN_LIST = FRAME_BYTES + 384
FRAME_ENDED = FRAME_BYTES + 392
FRAME_CARRIED_WORDS = FRAME_BYTES + 400
FRAME_ROUND_ROWS = FRAME_BYTES + 408
FRAME_SLOT_ROUNDS = FRAME_BYTES + 416
FRAME_FINISHES = FRAME_BYTES + 424
FRAME_DIGESTS = FRAME_BYTES + 432
FRAME_DIGESTING = FRAME_BYTES + 440
FRAME_EARLY_FOLD = FRAME_BYTES + 448
FRAME_STATE = FRAME_BYTES + 456
FRAME_STATE_BYTES = FRAME_BYTES + 464
FRAME_DIGESTS_NEXT = FRAME_BYTES + 472
FRAME_DIGESTS_FIRST = FRAME_BYTES + 480
FRAME_DIGEST_SUM = FRAME_BYTES + 488
FRAME_WAITS = FRAME_BYTES + 768
FRAME_TOTAL_BYTES = 4096

WAITS_COUNT = 0
WAITS_ROOM = 8
WAITS_NS = 16
WAITS_HEAD_BYTES = 64
WAIT_WORD = 0
WAIT_LEAST = 8
WAIT_SLOT = 16
WAIT_BOUND = 24
WAIT_NS = 32
WAIT_BYTES = 40

REPLIES_COUNT = 0
REPLIES_BLOB_BYTES = 8
REPLIES_RECORDS = 16
REPLIES_ROWS = 24
REPLIES_BLOB = 32
REPLIES_BUSY_NS = 40
REPLIES_ENDED_NS = 48
REPLIES_DIGEST_SUM = 56
REPLIES_WORDS = 8
REPLIES_HEADER_BYTES = 64


def worker_line(control: int, worker: int) -> int:
    """The address of a worker's words in the control block."""
    return control + WORKERS + worker * WORKER_BYTES
