"""What a worker does next: the barriers of P-SMR, combined.

A worker goes through the rows of a batch in log order. A row whose groups are all its own it executes at once (*parallel mode*).
A row with several owners makes exactly those meet (*synchronous mode*): the lowest-numbered one executes, the others
say that they have reached the row and wait. While they wait the executor holds everything they own, so it runs on: it executes
the following rows that need nothing else, as long as another synchronous row is near (`look_ahead` rows), and then releases
the others to the row after. A barrier then costs once a cluster of synchronous rows, not once a row.

A slot that is not worth meeting for (`psmr.core.width`) is executed by one worker alone, the others pass it.

    begin(frame)        → True: a slot is open, rows wait; False: end
    seek(frame, row)    → the next row, ≥ `row`, that this worker must execute; −1: the slot is done; −2: end
    finish(frame)       → publish the slot's replies
"""

from __future__ import annotations

from cdep.compiled import compiled, inlined
from psmr.execution.digest_slots import keep_slot, open_digests
from psmr.execution.events import close_events, open_events, pass_events
from psmr.execution.layout import (
    BELL,
    BELL_WANTED,
    CAPTURES,
    COLLECTED,
    COMPLETED,
    EXECUTED,
    FRAME_ACTIVE,
    FRAME_BLOB,
    FRAME_CLOCK,
    FRAME_CONTROL,
    FRAME_COUNT,
    FRAME_DIGEST_SUM,
    FRAME_DIGESTING,
    FRAME_EVENT_AREA,
    FRAME_EXECUTOR,
    FRAME_HELD,
    FRAME_INDEX,
    FRAME_INDEX_MINE,
    FRAME_LOOK_AHEAD,
    FRAME_OWNERS,
    FRAME_RECORDS,
    FRAME_REPLY_BLOB,
    FRAME_REPLY_BLOB_USED,
    FRAME_REPLY_COUNT,
    FRAME_REPLY_CURSOR,
    FRAME_REPLY_RECORDS,
    FRAME_REPLY_RING,
    FRAME_REPLY_RING_BYTES,
    FRAME_REPLY_ROWS,
    FRAME_REPLY_SOFT_BYTES,
    FRAME_REPLY_STARTS,
    FRAME_REPLY_STRIDE,
    FRAME_ROW,
    FRAME_SLOT,
    FRAME_SLOTS,
    FRAME_STARTED_NS,
    FRAME_STOP_ROW,
    FRAME_STRIDE,
    FRAME_WORKER,
    FRAME_WORKERS,
    PUBLISHED,
    REACHED,
    REPLIES_BLOB,
    REPLIES_BLOB_BYTES,
    REPLIES_BUSY_NS,
    REPLIES_COUNT,
    REPLIES_DIGEST_SUM,
    REPLIES_ENDED_NS,
    REPLIES_HEADER_BYTES,
    REPLIES_RECORDS,
    REPLIES_ROWS,
    RESUME,
    RUN_ON,
    SLOT_AFTER,
    SLOT_BLOB,
    SLOT_BYTES,
    SLOT_COUNT,
    SLOT_EXECUTOR,
    SLOT_IS_READ,
    SLOT_NOW_US,
    SLOT_OWNERS,
    SLOT_RECORDS,
    SLOT_REPLY_BYTES,
    SLOT_STRIDE,
    SLOTS,
    SYNCHRONOUS,
    TOGETHER,
)
from psmr.execution.noting import take_up
from psmr.execution.ring import ALIGNMENT, place_beside
from psmr.execution.row_index import index_place, list_bytes, next_row
from psmr.execution.waiting import line_of, rouse, wait_until
from psmr.state.atomics import fence, load_acquire, monotonic_ns, ring_bell, store_release
from psmr.state.frame import NOTING, NOW_US
from psmr.state.words import load_i64, load_u16, store_i64

SLOT_DONE = -1
ENDING = -2


@compiled
def _reply_start(frame: int, slot: int, collected: int, need: int) -> int:
    """Where in the ring `need` bytes of replies may go, or −1 while older replies are in the way."""
    if collected >= slot:
        return 0
    return place_beside(
        load_i64(frame + FRAME_REPLY_CURSOR),
        load_i64(load_i64(frame + FRAME_REPLY_STARTS) + 8 * (collected % SLOTS)),
        (need + ALIGNMENT - 1) & -ALIGNMENT,
        load_i64(frame + FRAME_REPLY_RING_BYTES),
        load_i64(frame + FRAME_REPLY_SOFT_BYTES),
    )


@compiled
def _open_replies(frame: int, slot: int, count: int, several: bool, need: int) -> bool:
    """Make room for the slot's replies, waiting for older ones to be collected; False at the end."""
    control = load_i64(frame + FRAME_CONTROL)
    collected = load_acquire(control + COLLECTED)
    start = _reply_start(frame, slot, collected, need)
    while start < 0:
        # Wait for more than was looked at. To look again first would lose what is collected in between, for good: what
        # is out may all be collected by then, and nothing more is until this worker goes on.
        if not wait_until(frame, control + COLLECTED, collected + 1):
            return False
        collected = load_acquire(control + COLLECTED)
        start = _reply_start(frame, slot, collected, need)
    store_i64(load_i64(frame + FRAME_REPLY_STARTS) + 8 * (slot % SLOTS), start)
    rows = load_i64(frame + FRAME_REPLY_RING) + start + REPLIES_HEADER_BYTES
    records = rows + ((4 * count + 7) & ~7 if several else 0)
    store_i64(frame + FRAME_REPLY_ROWS, rows if several else 0)
    store_i64(frame + FRAME_REPLY_RECORDS, records)
    store_i64(frame + FRAME_REPLY_COUNT, 0)
    store_i64(frame + FRAME_REPLY_BLOB, records + count * load_i64(frame + FRAME_REPLY_STRIDE))
    store_i64(frame + FRAME_REPLY_BLOB_USED, 0)
    return True


@inlined
def _descriptor(frame: int, slot: int) -> int:
    return load_i64(frame + FRAME_SLOTS) + (slot % SLOTS) * SLOT_BYTES


@compiled
def _ring_if_wanted(control: int) -> None:
    """Wake the replica if it sleeps; call after a fence after the store that it may be waiting for."""
    if load_acquire(control + BELL_WANTED) != 0:
        store_release(control + BELL_WANTED, 0)
        ring_bell(load_i64(control + BELL), control + BELL + 8)


@compiled
def _pass(frame: int, slot: int) -> None:
    """An empty piece of the reply ring: the slot has none of this worker's replies, and none of its events."""
    is_empty = load_acquire(load_i64(frame + FRAME_CONTROL) + COLLECTED) >= slot
    if is_empty:
        # Back to the start, as who executes goes. A piece high up, though empty, would be the oldest, and all that
        # follows would have to go below it.
        store_i64(frame + FRAME_REPLY_CURSOR, 0)
    store_i64(load_i64(frame + FRAME_REPLY_STARTS) + 8 * (slot % SLOTS), load_i64(frame + FRAME_REPLY_CURSOR))
    if load_i64(frame + FRAME_EVENT_AREA) != 0:
        pass_events(frame, slot, is_empty)


@compiled
def _next_slot(frame: int) -> bool:
    """Wait for a published slot that this worker has a part in, passing those that others execute alone. False: end."""
    control = load_i64(frame + FRAME_CONTROL)
    me = load_i64(frame + FRAME_WORKER)
    while True:
        slot = load_i64(frame + FRAME_SLOT)
        if not wait_until(frame, control + PUBLISHED, slot + 1):
            return False
        executor = load_i64(_descriptor(frame, slot) + SLOT_EXECUTOR)
        if executor == TOGETHER:
            return True
        if executor == me:
            return _wait_for_others(frame, load_i64(_descriptor(frame, slot) + SLOT_AFTER))
        if not wait_until(frame, line_of(control, executor) + COMPLETED, slot + 1):
            return False
        _pass(frame, slot)
        store_i64(frame + FRAME_SLOT, slot + 1)
        store_release(line_of(control, me) + COMPLETED, slot + 1)
        fence()
        if load_acquire(control + PUBLISHED) - slot >= SLOTS:
            # All descriptors were in use, this one is free now: the replica may be waiting for it, and for nothing else.
            _ring_if_wanted(control)


@compiled
def _wait_for_others(frame: int, after: int) -> bool:
    """As the executor of a slot: wait until all have completed the slots before `after`. False: end."""
    control = load_i64(frame + FRAME_CONTROL)
    for worker in range(load_i64(frame + FRAME_WORKERS)):
        if not wait_until(frame, line_of(control, worker) + COMPLETED, after):
            return False
    return True


@compiled
def _rouse_for_change(frame: int, slot: int) -> None:
    """Wake the others where a slot executed together follows one executed alone, or the reverse: they wait for this one.

    A slot that is not yet published needs no care: whoever publishes it wakes everybody.
    """
    control = load_i64(frame + FRAME_CONTROL)
    if load_acquire(control + PUBLISHED) <= slot + 1:
        return
    following = load_i64(_descriptor(frame, slot + 1) + SLOT_EXECUTOR)
    if (following == TOGETHER) != (load_i64(frame + FRAME_EXECUTOR) == TOGETHER):
        me = load_i64(frame + FRAME_WORKER)
        for worker in range(load_i64(frame + FRAME_WORKERS)):
            if worker != me:
                rouse(control, worker)


@compiled
def begin(frame: int) -> bool:
    """Wait for the next published slot and open it; go on with the open one after a failed command. False: end."""
    if load_i64(frame + FRAME_ACTIVE) != 0:
        return True
    if not _next_slot(frame):
        return False
    captures = load_i64(load_i64(frame + FRAME_CONTROL) + CAPTURES)
    if captures != load_i64(frame + NOTING):
        take_up(frame, captures)
    slot = load_i64(frame + FRAME_SLOT)
    descriptor = _descriptor(frame, slot)
    count = load_i64(descriptor + SLOT_COUNT)
    owners = load_i64(descriptor + SLOT_OWNERS)
    if not _open_replies(frame, slot, count, owners != 0, load_i64(descriptor + SLOT_REPLY_BYTES)):
        return False
    is_read = load_i64(descriptor + SLOT_IS_READ) != 0
    if load_i64(frame + FRAME_EVENT_AREA) != 0 and not open_events(frame, slot, is_read):
        return False
    open_digests(frame, count, is_read)
    store_i64(frame + FRAME_COUNT, count)
    store_i64(frame + FRAME_RECORDS, load_i64(descriptor + SLOT_RECORDS))
    store_i64(frame + FRAME_STRIDE, load_i64(descriptor + SLOT_STRIDE))
    store_i64(frame + FRAME_BLOB, load_i64(descriptor + SLOT_BLOB))
    store_i64(frame + FRAME_OWNERS, owners)
    several = index_place(owners, count)
    store_i64(frame + FRAME_INDEX, several)
    store_i64(frame + FRAME_INDEX_MINE, several + (1 + load_i64(frame + FRAME_WORKER)) * list_bytes(count))
    store_i64(frame + NOW_US, load_i64(descriptor + SLOT_NOW_US))
    store_i64(frame + FRAME_ROW, 0)
    store_i64(frame + FRAME_HELD, 0)
    store_i64(frame + FRAME_EXECUTOR, load_i64(descriptor + SLOT_EXECUTOR))
    store_i64(frame + FRAME_STARTED_NS, monotonic_ns(frame + FRAME_CLOCK))
    store_i64(frame + FRAME_ACTIVE, 1)
    return True


@compiled
def finish(frame: int) -> None:
    """Publish the slot's replies and the counters, and ring for the replica if it sleeps."""
    control = load_i64(frame + FRAME_CONTROL)
    line = line_of(control, load_i64(frame + FRAME_WORKER))
    slot = load_i64(frame + FRAME_SLOT)
    start = load_i64(load_i64(frame + FRAME_REPLY_STARTS) + 8 * (slot % SLOTS))
    header = load_i64(frame + FRAME_REPLY_RING) + start
    blob = load_i64(frame + FRAME_REPLY_BLOB)
    used = load_i64(frame + FRAME_REPLY_BLOB_USED)
    executed = load_i64(frame + FRAME_REPLY_COUNT)
    store_i64(header + REPLIES_COUNT, executed)
    store_i64(header + REPLIES_BLOB_BYTES, used)
    store_i64(header + REPLIES_RECORDS, load_i64(frame + FRAME_REPLY_RECORDS))
    store_i64(header + REPLIES_ROWS, load_i64(frame + FRAME_REPLY_ROWS))
    store_i64(header + REPLIES_BLOB, blob)
    if load_i64(frame + FRAME_DIGESTING) != 0:
        keep_slot(frame, slot)
    store_i64(header + REPLIES_DIGEST_SUM, load_i64(frame + FRAME_DIGEST_SUM))
    ended_ns = monotonic_ns(frame + FRAME_CLOCK)
    store_i64(header + REPLIES_ENDED_NS, ended_ns)
    store_i64(header + REPLIES_BUSY_NS, ended_ns - load_i64(frame + FRAME_STARTED_NS))
    end = blob + used - load_i64(frame + FRAME_REPLY_RING)
    store_i64(frame + FRAME_REPLY_CURSOR, (end + ALIGNMENT - 1) & -ALIGNMENT)
    if load_i64(frame + FRAME_EVENT_AREA) != 0:
        close_events(frame, slot)
    store_i64(line + EXECUTED, load_i64(line + EXECUTED) + executed)
    store_i64(frame + FRAME_SLOT, slot + 1)
    store_i64(frame + FRAME_ACTIVE, 0)
    store_release(line + COMPLETED, slot + 1)
    fence()
    _rouse_for_change(frame, slot)
    _ring_if_wanted(control)


@inlined
def _position(frame: int, row: int) -> int:
    return (load_i64(frame + FRAME_SLOT) << 32) + row + 1


@inlined
def _lowest(owners: int) -> int:
    worker = 0
    while (owners >> worker) & 1 == 0:
        worker += 1
    return worker


@compiled
def _run_on_until(frame: int, row: int, held: int) -> int:
    """The row at which to release: after the last synchronous row that is near enough to the one before it."""
    owners = load_i64(frame + FRAME_OWNERS)
    count = load_i64(frame + FRAME_COUNT)
    look_ahead = load_i64(frame + FRAME_LOOK_AHEAD)
    last = row
    row += 1
    while row < count and row <= last + look_ahead:
        owner = load_u16(owners + 2 * row)
        if owner & held:
            if owner & ~held:
                break
            if owner & (owner - 1):
                last = row
        row += 1
    return last + 1


@compiled
def _gather(frame: int, row: int, owner: int) -> bool:
    """As executor: wait until the other owners have reached the row; then hold them. False: end."""
    control = load_i64(frame + FRAME_CONTROL)
    me = load_i64(frame + FRAME_WORKER)
    position = _position(frame, row)
    for worker in range(load_i64(frame + FRAME_WORKERS)):
        waits = (owner >> worker) & 1 and worker != me
        if waits and not wait_until(frame, line_of(control, worker) + REACHED, position):
            return False
    store_i64(frame + FRAME_HELD, owner)
    store_i64(frame + FRAME_STOP_ROW, _run_on_until(frame, row, owner))
    line = line_of(control, me)
    store_i64(line + SYNCHRONOUS, load_i64(line + SYNCHRONOUS) + 1)
    store_i64(line + RUN_ON, load_i64(line + RUN_ON) + load_i64(frame + FRAME_STOP_ROW) - row - 1)
    return True


@compiled
def _release(frame: int, row: int) -> None:
    """Let the workers held go on at `row`."""
    control = load_i64(frame + FRAME_CONTROL)
    me = load_i64(frame + FRAME_WORKER)
    held = load_i64(frame + FRAME_HELD)
    store_i64(frame + FRAME_HELD, 0)
    for worker in range(load_i64(frame + FRAME_WORKERS)):
        if (held >> worker) & 1 and worker != me:
            store_release(line_of(control, worker) + RESUME, _position(frame, row))
            rouse(control, worker)


@compiled
def _stand_by(frame: int, row: int, owner: int) -> int:
    """As one of the others: say that the row is reached, wait for the executor; the row to go on at, or ENDING."""
    control = load_i64(frame + FRAME_CONTROL)
    line = line_of(control, load_i64(frame + FRAME_WORKER))
    store_release(line + REACHED, _position(frame, row))
    rouse(control, _lowest(owner))
    if not wait_until(frame, line + RESUME, _position(frame, row) + 1):
        return ENDING
    return (load_acquire(line + RESUME) & 0xFFFFFFFF) - 1


@compiled
def seek(frame: int, row: int) -> int:
    """The next row from `row` on that this worker executes, after whatever meeting it needs; SLOT_DONE or ENDING."""
    owners = load_i64(frame + FRAME_OWNERS)
    count = load_i64(frame + FRAME_COUNT)
    if owners == 0:
        return row if row < count else SLOT_DONE
    me = load_i64(frame + FRAME_WORKER)
    mine = 1 << me
    several = load_i64(frame + FRAME_INDEX)
    own = load_i64(frame + FRAME_INDEX_MINE)
    while row < count:
        held = load_i64(frame + FRAME_HELD)
        if held != 0:
            if row >= load_i64(frame + FRAME_STOP_ROW):
                _release(frame, row)
            elif load_u16(owners + 2 * row) & held:
                return row
            else:
                row += 1
            continue
        row = next_row(several, own, row, count)
        if row >= count:
            break
        owner = load_u16(owners + 2 * row)
        if owner == mine:
            return row
        if owner & mine == 0:
            row += 1
        elif _lowest(owner) == me:
            if not _gather(frame, row, owner):
                return ENDING
        else:
            row = _stand_by(frame, row, owner)
            if row < 0:
                return ENDING
    if load_i64(frame + FRAME_HELD) != 0:
        _release(frame, count)
    return SLOT_DONE


@inlined
def seek_at_once(frame: int, row: int) -> int:
    """As `seek`, merged into the loop that calls it where the next row is the worker's own and nobody is held."""
    owners = load_i64(frame + FRAME_OWNERS)
    count = load_i64(frame + FRAME_COUNT)
    if row < count and load_i64(frame + FRAME_HELD) == 0:
        row = next_row(load_i64(frame + FRAME_INDEX), load_i64(frame + FRAME_INDEX_MINE), row, count)
        if row < count and load_u16(owners + 2 * row) == 1 << load_i64(frame + FRAME_WORKER):
            return row
    return seek(frame, row)
