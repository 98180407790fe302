"""Mistakes that the tests of state and scheduling must find, by name: each is one change to the engine's source."""

from __future__ import annotations

from twin import Fault

_MAP = "psmr.state.map_core"
_FRAME = "psmr.state.frame"
_SCHEDULE = "psmr.execution.schedule"
_WAITING = "psmr.execution.waiting"
_RING = "psmr.execution.ring"

MAP_FAULTS = (
    Fault("undo skipped", _FRAME, "while note >= load_i64(frame + UNDO_BASE):", "while False:"),
    Fault("undo forgets the first note", _FRAME, "while note >= load_i64(", "while note > load_i64("),
    Fault(
        "a word noted after its change",
        _FRAME,
        "    note_word(frame, address)\n    store_i64(address, value)\n",
        "    store_i64(address, value)\n    note_word(frame, address)\n",
    ),
    Fault(
        "growth without rehashing",
        _MAP,
        "        if hashed != 0:\n            place",
        "        if False:\n            place",
    ),
    Fault(
        "growth that undo does not know of",
        _MAP,
        "    write_word(frame, partition + _LEVEL, level)",
        "    store_i64(partition + _LEVEL, level)",
    ),
    Fault("growth after a clear not noted", _MAP, "    if load_i64(frame + CLEARED) != 0:", "    if False:"),
    Fault("growth into garbage", _MAP, "    clear_bytes(index, 8 * slots)\n", ""),
    Fault(
        "growth past the last level", _MAP, "if live >= load_i64(base + _LIMIT):", "if live > load_i64(base + _LIMIT):"
    ),
    Fault("clear leaves the index", _MAP, "for slot in range(FIRST_SLOTS):", "for slot in range(FIRST_SLOTS - 1):"),
    Fault("clear leaves the free entries", _MAP, "for word in range(4):", "for word in (0, 1, 3):"),
    Fault("removal leaves a hole", _MAP, "if ((place - home) & last) >= ((place - gap) & last):", "if False:"),
    Fault("removal moves too few", _MAP, "((place - home) & last) >= (", "((place - home) & last) > ("),
    Fault("removal moves too many", _MAP, "if ((place - home) & last) >= ((place - gap) & last):", "if True:"),
    Fault("removal forgets the entry", _MAP, "    write_word(frame, partition + _FREE, number + 1)\n", ""),
    Fault(
        "removal keeps the count",
        _MAP,
        "_LIVE, load_i64(partition + _LIVE) - 1)",
        "_LIVE, load_i64(partition + _LIVE))",
    ),
    Fault("keys not compared", _MAP, "return load_u64(entry + 8) == key", "return True"),
    Fault("key 0 taken for no key", _MAP, "return mix(key) | _ONE", "return mix(key)"),
    Fault(
        "the search does not wrap around",
        _MAP,
        "        place = (place + 1) & last\n\n",
        "        place = min(place + 1, last)\n\n",
    ),
)

SCHEDULE_FAULTS = (
    Fault("barrier skipped", _SCHEDULE, "if waits and not wait_until(", "if False and not wait_until("),
    Fault("barrier waits for the one before", _SCHEDULE, "+ REACHED, position):", "+ REACHED, position - 1):"),
    Fault(
        "an owner dropped",
        _SCHEDULE,
        "        waits = (owner >> worker) & 1 and worker != me\n",
        "        waits = (owner >> worker) & 1 and worker != me and worker != 1\n",
    ),
    Fault("two executors", _SCHEDULE, "elif _lowest(owner) == me:", "elif _lowest(owner) == me or me == 1:"),
    Fault(
        "released early",
        _SCHEDULE,
        "    store_i64(frame + FRAME_STOP_ROW, _run_on_until(frame, row, owner))\n",
        "    store_i64(frame + FRAME_STOP_ROW, _run_on_until(frame, row, owner))\n"
        "    _release(frame, row + 1)\n    store_i64(frame + FRAME_HELD, owner)\n",
    ),
    Fault(
        "released one row early",
        _SCHEDULE,
        "if row >= load_i64(frame + FRAME_STOP_ROW):",
        "if row + 1 >= load_i64(frame + FRAME_STOP_ROW):",
    ),
    Fault(
        "never released at the end",
        _SCHEDULE,
        "        _release(frame, count)\n",
        "        store_i64(frame + FRAME_HELD, 0)\n",
    ),
    Fault(
        "one of the held not released",
        _SCHEDULE,
        "if (held >> worker) & 1 and worker != me:\n            store_release",
        "if (held >> worker) & 1 and worker != me and worker != 2:\n            store_release",
    ),
    Fault(
        "runs on past a row that needs others", _SCHEDULE, "            if owner & ~held:\n                break\n", ""
    ),
    Fault(
        "held rows left to nobody",
        _SCHEDULE,
        "            if owner & held:\n                return row\n",
        "            if owner & mine:\n                return row\n",
    ),
    Fault(
        "resumed a row too late",
        _SCHEDULE,
        "return (load_acquire(line + RESUME) & 0xFFFFFFFF) - 1",
        "return load_acquire(line + RESUME) & 0xFFFFFFFF",
    ),
    Fault("resumed at the barrier", _SCHEDULE, "return (load_acquire(line + RESUME) & 0xFFFFFFFF) - 1", "return row"),
    Fault("executor not woken", _SCHEDULE, "    rouse(control, _lowest(owner))\n", ""),
    Fault(
        "held not woken",
        _SCHEDULE,
        "RESUME, _position(frame, row))\n            rouse(control, worker)\n",
        "RESUME, _position(frame, row))\n",
    ),
    Fault(
        "an exception forgets who is held",
        _SCHEDULE,
        "    if load_i64(frame + FRAME_ACTIVE) != 0:\n        return True\n",
        "    if load_i64(frame + FRAME_ACTIVE) != 0:\n        store_i64(frame + FRAME_HELD, 0)\n        return True\n",
    ),
    Fault(
        "bell not rung",
        _SCHEDULE,
        "    _rouse_for_change(frame, slot)\n    _ring_if_wanted(control)\n",
        "    _rouse_for_change(frame, slot)\n",
    ),
    Fault("bell not rung for a free slot", _SCHEDULE, "            _ring_if_wanted(control)\n", "            pass\n"),
    Fault(
        "bell rung too early",
        _SCHEDULE,
        "    store_release(line + COMPLETED, slot + 1)\n    fence()\n"
        "    _rouse_for_change(frame, slot)\n    _ring_if_wanted(control)\n",
        "    _ring_if_wanted(control)\n    store_release(line + COMPLETED, slot + 1)\n    fence()\n"
        "    _rouse_for_change(frame, slot)\n",
    ),
    Fault(
        "no fence before looking at the bell",
        _SCHEDULE,
        "    fence()\n    _rouse_for_change(frame, slot)\n",
        "    _rouse_for_change(frame, slot)\n",
    ),
    Fault(
        "completed before the replies are there",
        _SCHEDULE,
        "    store_i64(header + REPLIES_COUNT, executed)\n",
        "    store_release(line + COMPLETED, slot + 1)\n    store_i64(header + REPLIES_COUNT, executed)\n",
    ),
    Fault(
        "alone without waiting for the others",
        _SCHEDULE,
        "return _wait_for_others(frame, load_i64(_descriptor(frame, slot) + SLOT_AFTER))",
        "return True",
    ),
    Fault(
        "a slot executed alone passed too early",
        _SCHEDULE,
        "        if not wait_until(frame, line_of(control, executor) + COMPLETED, slot + 1):\n            return False\n        #",
        "        #",
    ),
    Fault(
        "replies wait for what was already collected",
        _SCHEDULE,
        "if not wait_until(frame, control + COLLECTED, collected + 1):",
        "if not wait_until(frame, control + COLLECTED, load_acquire(control + COLLECTED) + 1):",
    ),
    Fault(
        "replies over those of a slot not collected",
        _SCHEDULE,
        "    if collected >= slot:\n        return 0\n",
        "    if collected + 1 >= slot:\n        return 0\n",
    ),
    Fault(
        "room for replies not rounded up",
        _SCHEDULE,
        "        (need + ALIGNMENT - 1) & -ALIGNMENT,\n",
        "        need,\n",
    ),
    Fault(
        "reply rows swapped",
        _SCHEDULE,
        "    store_i64(header + REPLIES_ROWS, load_i64(frame + FRAME_REPLY_ROWS))\n",
        "    store_i64(header + REPLIES_ROWS, 0)\n",
    ),
    Fault(
        "room found beyond the ring",
        _RING,
        "free + need > size_bytes):\n        return 0\n    return free if free + need <= size_bytes else -1",
        "False):\n        return 0\n    return free",
    ),
    Fault(
        "room found over the oldest piece",
        _RING,
        "        return free if free + need < oldest else -1\n",
        "        return free\n",
    ),
    Fault(
        "sleeper without a fence",
        _WAITING,
        "        store_release(mine + ASLEEP, 1)\n        fence()\n",
        "        store_release(mine + ASLEEP, 1)\n",
    ),
    Fault("waker without a fence", _WAITING, "    fence()\n    line = line_of", "    line = line_of"),
    Fault(
        "sleeper does not look again",
        _WAITING,
        "        ready = load_acquire(word) >= least\n        stopping",
        "        ready = False\n        stopping",
    ),
    Fault(
        "alarm read after looking",
        _WAITING,
        "sleep_while(mine + ALARM, alarm, NAP_NS)",
        "sleep_while(mine + ALARM, load_acquire(mine + ALARM), NAP_NS)",
    ),
    Fault("alarm not raised", _WAITING, "        add_atomic(line + ALARM, 1)\n", ""),
)

_STAGES = "psmr.execution.stages"

STAGE_FAULTS = (
    Fault(
        "the highest frontier for the bound", _STAGES, "bound = min(bound, load_i64(", "bound = max(bound, load_i64("
    ),
    Fault("a frontier not waited for", _STAGES, "line_of(control, worker) + ROUND, number)", "line + ROUND, number)"),
    Fault(
        "a frontier published before what is below it",
        _STAGES,
        "    store_i64(line + place, frontier)\n    store_release(line + ROUND, number)\n",
        "    store_release(line + ROUND, number)\n    store_i64(line + place, frontier)\n",
    ),
    Fault("one place for all frontiers", _STAGES, "place = FRONTIER + 8 * (number & 1)", "place = FRONTIER"),
    Fault(
        "rounds not woken for",
        _STAGES,
        "        if worker != me:\n            rouse(control, worker)\n",
        "        pass\n",
    ),
    Fault(
        "main stages past the bound",
        _STAGES,
        "row = next_in(load_i64(frame + FRAME_MAIN_LIST), row, bound)\n                if row < bound:",
        "row = next_in(load_i64(frame + FRAME_MAIN_LIST), row, count)\n                if row < count:",
    ),
    Fault("a row decided before what is before it", _STAGES, "+ THROUGH, 2 * number):", "+ THROUGH, 2 * number - 2):"),
    Fault("a row passed before it is decided", _STAGES, "+ THROUGH, 2 * number + 1):", "+ THROUGH, 2 * number - 1):"),
    Fault("the decider not woken", _STAGES, "    rouse(control, decider)\n", ""),
    Fault("a decided row's main stage once more", _STAGES, "FRAME_MAINS, bound + 1)", "FRAME_MAINS, bound)"),
    Fault(
        "an exact row taken for an early one",
        _STAGES,
        "if row < count and not _is_exact(frame, row):",
        "if row < count:",
    ),
    Fault(
        "a blocked worker goes on",
        _STAGES,
        "            if load_i64(frame + FRAME_IS_BLOCKED) != 0:\n",
        "            if False:\n",
    ),
    Fault(
        "blocked for ever",
        _STAGES,
        "    store_i64(frame + FRAME_MAINS, bound + 1)\n    store_i64(frame + FRAME_IS_BLOCKED, 0)\n",
        "    store_i64(frame + FRAME_MAINS, bound + 1)\n",
    ),
    Fault(
        "the words of another worker",
        _STAGES,
        "worker = lowest_bit(load_u16(load_i64(frame + FRAME_OWNERS) + 4 * row))",
        "worker = load_i64(frame + FRAME_WORKER)",
    ),
    Fault("an early stage that waits does not", _STAGES, "FRAME_IS_BLOCKED, 1)", "FRAME_IS_BLOCKED, 0)"),
    Fault(
        "the word of another command", _STAGES, "load_i64(frame + FRAME_COUNT) + row)", "load_i64(frame + FRAME_COUNT))"
    ),
    Fault(
        "main after an early stage that has ended",
        _STAGES,
        "FRAME_STAGE) == MAIN and load_u8(",
        "FRAME_STAGE) == 9 and load_u8(",
    ),
    Fault("two deciders", _STAGES, "    if decider == me:", "    if (stopped >> me) & 1:"),
    Fault(
        "early stages again",
        _STAGES,
        "        return load_i64(frame + FRAME_FRONTIER)\n    if not",
        "        return bound\n    if not",
    ),
    Fault(
        "the rest begun with a row that is decided",
        _STAGES,
        "MAIN if row < frontier else",
        "MAIN if row <= frontier else",
    ),
    Fault("the rest's early stages again", _STAGES, "MAIN if row < frontier else", "WHOLE if row < frontier else"),
    Fault(
        "nobody told that the rest is done",
        _STAGES,
        "        if worker != me:\n            rouse(control, worker)\n    return SLOT_DONE",
        "        pass\n    return SLOT_DONE",
    ),
    Fault(
        "a slot left before the rest is done",
        _STAGES,
        "    if (stopped >> me) & 1 == 0 and not is_slow:",
        "    if is_slow:\n        return SLOT_DONE\n    if (stopped >> me) & 1 == 0:",
    ),
)
