"""Mistakes around changes of members, as the whole path has them: in the log's payloads, in snapshots, at a restart."""

from __future__ import annotations

from psmr.simulation.faults.planting import PlantedFault as Fault

_LOG = "psmr.log.raft_log"
_OPENING = "psmr.log.opening"
_ROSTERS = "psmr.log.rosters"
_CHANGES = "psmr.core.changes"
_CATCH_UP = "psmr.log.catch_up"

MEMBER_FAULTS = (
    Fault(
        "members forgotten at restart",
        _OPENING,
        "    for index in store.control_indexes:\n",
        "    for index in ():\n",
        seeds=100,
    ),
    Fault(
        "roster not in the snapshot",
        _OPENING,
        "decode_roster(base.about) if base.about else founders)",
        "founders)",
        seeds=300,
    ),
    Fault(
        "snapshot with the founders' roster",
        _LOG,
        "encode_roster(self._rosters.at(index))",
        "encode_roster(self._rosters.at(0) if self._raft.base_index == 0 else self._rosters.at(index))",
        seeds=200,
    ),
    Fault(
        "members that came with entries not told to the core",
        _OPENING,
        "        return records, tuple(_memberships_in(controls)) if controls else ()\n",
        "        return records, ()\n",
    ),
    Fault(
        "new member votes at once",
        _CHANGES,
        "Seat(wanted.id, wanted.peers, wanted.clients, votes=False)",
        "Seat(wanted.id, wanted.peers, wanted.clients, votes=True)",
        seeds=300,
    ),
    Fault(
        "learner taken for a voter",
        _ROSTERS,
        "    return Membership(roster.voters, roster.learners)\n",
        "    return Membership(tuple(sorted((*roster.voters, *roster.learners))), ())\n",
        seeds=300,
    ),
    Fault(
        "removed member stays in the roster",
        "psmr.core.roster",
        "return Roster(tuple(seat for seat in self.seats if seat.id != replica_id))",
        "return Roster(tuple(seat for seat in self.seats if seat.id != replica_id or seat.votes))",
    ),
)
