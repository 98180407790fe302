"""Mistakes around events and what is kept of them, and around snapshots that are damaged on the disk."""

from __future__ import annotations

from psmr.simulation.faults.planting import PlantedFault as Fault

_CONTENT = "psmr.replica.snapshot_content"
_THREAD = "psmr.replica.snapshot_thread"
_STREAM = "psmr.replica.event_stream"
_EVENT_LOG = "psmr.storage.event_log"
_FRAME = "psmr.core.event_frame"
_FOLLOWING = "psmr.client.following"
_SNAPSHOT = "psmr.storage.snapshot_file"

EVENT_FAULTS = (
    Fault(
        "event lost at a snapshot boundary",
        _THREAD,
        "            events = self._events.position\n",
        "            events = self._events.position + 1\n",
    ),
    Fault(
        "event position not restored from the snapshot",
        _CONTENT,
        "return Restored(base, sessions, meta.events, ",
        "return Restored(base, sessions, 0, ",
    ),
    Fault(
        "event twice after a restart",
        _EVENT_LOG,
        "        if head.position >= self._compare_end:\n",
        "        if True:\n",
    ),
    Fault(
        "snapshot counts before its events are on the disk",
        _THREAD,
        "                self._events.sync()  #",
        "                pass  #",
        seeds=200,
    ),
    Fault(
        "torn events accepted",
        _FRAME,
        "    if found != expected:\n",
        "    if False:\n",
        seeds=200,
    ),
    Fault(
        "events kept that do not reach the snapshot",
        _EVENT_LOG,
        "        if end < start and self._files:\n",
        "        if False:\n",
        seeds=300,
    ),
    Fault(
        "positions counted by batches",
        _STREAM,
        "            self.position += count\n",
        "            self.position += 1\n",
    ),
    Fault(
        "events under the entry of an earlier batch",
        "psmr.replica.delivery",
        "            entry = self._executing.popleft()\n",
        "            entry = self._executing[0]\n",
    ),
    Fault(
        "event given again with its frame",
        _FOLLOWING,
        "                if position < self.position:\n",
        "                if False:\n",
        seeds=200,
    ),
    Fault(
        "who follows is told of a gap as if it were none",
        _FOLLOWING,
        "        if answer.earliest > self.position:\n            self._gone",
        "        if answer.earliest > self.position:\n            self.position = answer.earliest\n            self._gone",
        seeds=300,
    ),
    Fault(
        "damaged snapshot accepted",
        _SNAPSHOT,
        "        if found != expected or not is_whole:\n",
        "        if not is_whole:\n",
        seeds=300,
    ),
    Fault(
        "damaged snapshot left in its place",
        _SNAPSHOT,
        "                files.rename(path, aside)\n",
        "                pass\n",
        seeds=200,
    ),
)
