"""Changing who belongs to a running cluster: one replica at a time, each change settled before the next."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import zmq

from psmr.cluster.status import ASK_TIMEOUT_S, ReplicaStatus, ask, majority
from psmr.core.changes import Action
from psmr.core.roster import Seat
from psmr.errors import ClusterUnavailable, Refused
from psmr.transport.client_protocol import (
    FRAME_BYTES_MAX,
    AskChange,
    AskUpgrade,
    ChangeIs,
    ErrorText,
    decode_response,
    encode_control,
)

CHANGE_TIMEOUT_S = 300.0
"""Long, for a learner must fetch the whole state before it may vote."""
SILENCE_S = 10.0
"""Of all replicas, from the beginning: then there is nothing to wait for. Replicas that answered once may be starting again."""
_LOOK_S = 0.05
_REPORT_S = 1.0

Report = Callable[[str], None]


class Membership:
    """The members of a cluster, to be looked at and changed by its operator. `addresses`: where clients reach replicas, by id.

    Raises ClusterUnavailable when no leader answers or a change does not settle in `timeout_s`, or no replica has answered at
    all in `silence_s`; Refused when a change cannot be.
    """

    def __init__(
        self,
        addresses: Mapping[int, str],
        *,
        timeout_s: float = CHANGE_TIMEOUT_S,
        silence_s: float = SILENCE_S,
        report: Report = lambda text: None,
    ) -> None:
        self._addresses = dict(addresses)
        now_s = time.monotonic()
        self._deadline_s = now_s + timeout_s
        self._timeout_s = timeout_s
        self._silent_until_s = min(now_s + silence_s, self._deadline_s)
        self._silence_s = min(silence_s, timeout_s)
        self._any_answered = False
        self._is_silence_told = False
        self._report = report
        self._led_at = ""
        self._since = 0

    def leader(self) -> ReplicaStatus:
        """The status of the replica that leads in the highest term.

        One that knows of fewer changes than were seen before is not taken for it: it was deposed and has not noticed.
        """
        while True:
            # Whoever led a moment ago is asked alone: to ask all is to wait for those that are dead.
            found = ask(self._led_at) if self._led_at else ask(self._addresses)
            leading = [one for one in found if one.get("role") == "leader" and one.get("members_since") >= self._since]
            if leading:
                leader = max(leading, key=lambda status: int(status.get("term")))
                self._led_at = leader.address
                self._since = int(leader.get("members_since"))
                return leader
            if self._led_at:
                self._led_at = ""
                continue
            self._hear(found)
            self._look_again("a leader among " + ", ".join(map(str, self._addresses)), "none that answers")

    def _hear(self, found: list[ReplicaStatus]) -> None:
        """Give up on a cluster of which nobody has answered yet; say that once before."""
        if self._any_answered or any(one.reachable for one in found):
            self._any_answered = True
            return
        if time.monotonic() >= self._silent_until_s:
            raise ClusterUnavailable(
                f"expected an answer of one of the replicas {self._places()} within {self._silence_s:g} s, found none: "
                "start them, or correct their addresses"
            )
        if not self._is_silence_told:
            self._is_silence_told = True
            self._report(f"no replica answers: asking again for {self._silence_s:g} s")

    def _places(self) -> str:
        return ", ".join(f"{number} ({address})" for number, address in self._addresses.items())

    def _accepted_leader(self) -> ReplicaStatus:
        """A leader that most of its voters follow: what it knows of the members is no older than what they know."""
        while True:
            leader = self.leader()
            voters = {each["id"]: each["clients"] for each in leader.get("members") if each["votes"]}
            place = (leader.get("leader"), leader.get("term"))
            following = [one for one in ask(voters) if (one.get("leader"), one.get("term")) == place]
            if len(following) >= majority(len(voters)):
                return leader
            self._look_again(f"most of the voters {sorted(voters)} to follow replica {place[0]}", f"{len(following)}")

    def members(self) -> list[dict[str, Any]]:
        """The members as the leader knows them: id, clients, votes, match."""
        return list(self.leader().get("members"))

    def add(self, seat: Seat) -> None:
        """Have a replica belong to the cluster, and vote when it has caught up. It must run, started to join."""
        self._addresses[seat.id] = seat.clients
        self._accepted_leader()
        if self._member(seat.id) is None:
            self._change(Action.ADD, seat)
        elif self._votes(seat.id):
            self._report(f"replica {seat.id} is a member that votes: nothing to add")
            return
        self._wait_for_catch_up(seat)
        if not self._votes(seat.id):
            self._change(Action.PROMOTE, seat)

    def remove(self, replica_id: int) -> None:
        """Have a replica belong to the cluster no longer. It may then be stopped; nobody waits for it."""
        self._accepted_leader()
        if self._member(replica_id) is None:
            self._report(f"replica {replica_id} is no member: nothing to remove")
            return
        self._change(Action.REMOVE, Seat(replica_id, "", ""))

    def _member(self, replica_id: int) -> dict[str, Any] | None:
        return next((each for each in self.members() if each["id"] == replica_id), None)

    def _votes(self, replica_id: int) -> bool:
        member = self._member(replica_id)
        return member is not None and bool(member["votes"])

    def _change(self, action: Action, seat: Seat) -> None:
        """Ask the leader until the change is under way, then wait until it is settled."""
        wanted = (action is not Action.REMOVE, action is Action.PROMOTE)
        self._report(f"{action.value} replica {seat.id}")
        while True:
            leader = self.leader()
            answer = ask_change(leader.address, AskChange(action.value, seat.id, seat.peers, seat.clients))
            if answer is not None and answer.accepted:
                break
            if self._is_settled(seat.id, wanted):
                return
            self._look_again(f"{action.value} replica {seat.id}", answer.text if answer else "no answer", answer)
        while not self._is_settled(seat.id, wanted):
            self._look_again(f"{action.value} replica {seat.id} to be committed", "it not committed yet")

    def _is_settled(self, replica_id: int, wanted: tuple[bool, bool]) -> bool:
        leader = self.leader()
        member = next((each for each in leader.get("members") if each["id"] == replica_id), None)
        found = (member is not None, member is not None and bool(member["votes"]))
        is_as_wanted = found == wanted or (wanted == (True, False) and found[0])
        return is_as_wanted and int(leader.get("members_since")) <= int(leader.get("committed"))

    def _wait_for_catch_up(self, seat: Seat) -> None:
        told_s = 0.0
        while True:
            leader = self.leader()
            member = next((each for each in leader.get("members") if each["id"] == seat.id), None)
            behind = int(leader.get("last_index")) - int(member["match"] if member else 0)
            if member is not None and (member["votes"] or (member["match"] and behind <= 64)):
                return
            if time.monotonic() >= told_s + _REPORT_S:
                told_s = time.monotonic()
                self._report(f"replica {seat.id} is {behind} entries behind")
            self._look_again(
                f"replica {seat.id} to catch up", f"it {behind} entries behind; does it run, started to join?"
            )

    def _look_again(self, expected: str, found: str, answer: ChangeIs | None = None) -> None:
        """Sleep a moment, or give up."""
        if time.monotonic() > self._deadline_s:
            text = f"expected {expected} within {self._timeout_s:g} s, found: {found}"
            raise Refused(text) if answer is not None else ClusterUnavailable(text)
        time.sleep(_LOOK_S)


def ask_change(address: str, wish: AskChange | AskUpgrade) -> ChangeIs | None:
    """What a replica says to a wish; None when it does not answer. Raises Refused for what no replica would do."""
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    socket = context.socket(zmq.DEALER)
    try:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
        socket.connect(address)
        socket.send_multipart(encode_control(wish))
        if not socket.poll(int(ASK_TIMEOUT_S * 1000)):
            return None
        response = decode_response(socket.recv_multipart(copy=True))
    finally:
        socket.close(linger=0)
    if isinstance(response, ErrorText):
        raise Refused(f"{address}: expected a replica that knows how to do that, found: {response.text}")
    return response if isinstance(response, ChangeIs) else None
