"""Mistakes around snapshots: taken too early, of another place, forgotten in part, the log cut before they are there."""

from __future__ import annotations

from psmr.simulation.faults.planting import PlantedFault as Fault

_PLAN = "psmr.replica.snapshots"
_RECORD = "psmr.core.sessions_record"
_SESSIONS = "psmr.core.sessions"
_FETCHING = "psmr.core.fetching"
_LOG = "psmr.log.raft_log"
_OPENING = "psmr.log.opening"
_REPLICA = "psmr.replica.replica"

SNAPSHOT_FAULTS = (
    Fault(
        "forgotten session on snapshot",
        _RECORD,
        "    sessions = [_Session(each.id, each.last, each.answered, list(each.replies)) for each in remembered]\n",
        "    sessions = [_Session(each.id, each.last, each.answered, list(each.replies)) for each in remembered[1:]]\n",
    ),
    Fault(
        "kept replies shifted on restore",
        _SESSIONS,
        "dict(enumerate(each.replies, each.answered + 1))",
        "dict(enumerate(each.replies[::-1], each.answered + 1))",
        seeds=200,
    ),
    Fault(
        "snapshot at the place before",
        _PLAN,
        "log.base_at(delivery.delivered), newest",
        "log.base_at(max(1, delivery.delivered - 1)), newest",
        seeds=200,
    ),
    Fault(
        "compacted before the snapshot is on the disk",
        _PLAN,
        "newest, remembered, engine.capture(), follows, known)\n",
        "newest, remembered, engine.capture(), follows, known)\n        log.compact(delivery.delivered)\n",
        seeds=200,
    ),
    Fault(
        "captured while something executes",
        _REPLICA,
        "        if self._wants_quiet and self._delivery.idle:\n",
        "        if self._wants_quiet:\n",
    ),
    Fault(
        "parts not asked for again",
        _FETCHING,
        "        self._asked_to = self.held_bytes\n        return",
        "        return",
        seeds=400,
    ),
    Fault(
        "snapshot offered to nobody",
        _LOG,
        "self._catch_up.offer(effect.to, self._raft.term)",
        "pass",
    ),
    Fault(
        "begins below its snapshot",
        _OPENING,
        "store.last_index, base.index, base.term)",
        "store.last_index, store.first_index - 1, 0 if store.first_index == 1 else base.term)",
        seeds=200,
    ),
)
