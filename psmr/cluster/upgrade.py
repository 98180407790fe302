"""Having a new version of the service take over in a running cluster, as its operator wishes."""

from __future__ import annotations

import time
from collections.abc import Mapping

from cdep import Service
from psmr.cluster.members import Membership, Report, ask_change
from psmr.cluster.status import ReplicaStatus, ask
from psmr.errors import ClusterUnavailable, Refused
from psmr.transport.client_protocol import AskUpgrade

UPGRADE_TIMEOUT_S = 300.0
"""Long, for replicas write their whole state, start again, and compile the new version."""
_LOOK_S = 0.1


class Upgrade:
    """From the version that runs to `service`. `addresses`: where clients reach replicas, by id.

    Raises Refused when the cluster will not, ClusterUnavailable when no leader answers in `timeout_s` or replicas that ran at
    the beginning do not run the new version by then; those go on with it later, or say in their output why they cannot.
    """

    def __init__(
        self, addresses: Mapping[int, str], service: Service, *, timeout_s: float, report: Report = lambda text: None
    ) -> None:
        self._addresses = dict(addresses)
        self._fingerprint = f"{service.fingerprint:#018x}"
        self._wish = AskUpgrade(service.fingerprint, service.name, service.version, list(service.state))
        self._timeout_s = timeout_s
        self._deadline_s = time.monotonic() + timeout_s
        self._report = report
        self._membership = Membership(addresses, timeout_s=timeout_s, report=report)

    def run(self) -> list[ReplicaStatus]:
        """Ask for it, and wait until all replicas that answered before run it; how all of them stand then."""
        there = {status.id for status in ask(self._addresses) if status.reachable}
        there &= {member["id"] for member in self._membership.members()}
        self._ask()
        self._report("ordered: every replica takes a snapshot there and starts again")
        return self._wait_for(there)

    def _ask(self) -> None:
        """Ask the leader until it has ordered it. An answer may get lost, and a leader cease to be one."""
        is_asked = False
        while True:
            leader = self._membership.leader()
            if is_asked and leader.get("fingerprint") == self._fingerprint:
                return
            answer = ask_change(leader.address, self._wish)
            if answer is not None and answer.accepted:
                return
            still_leads = self._membership.leader().address == leader.address
            if answer is not None and still_leads and not is_asked:
                raise Refused(answer.text)
            is_asked = is_asked or answer is None
            if time.monotonic() > self._deadline_s:
                found = answer.text if answer is not None else f"no answer of {leader.address}"
                raise ClusterUnavailable(
                    f"expected a leader that orders it within {self._timeout_s:g} s, found: {found}"
                )
            time.sleep(_LOOK_S)

    def _wait_for(self, there: set[int | None]) -> list[ReplicaStatus]:
        before = -1
        while True:
            statuses = ask(self._addresses)
            behind = [each for each in statuses if each.id in there and each.get("fingerprint") != self._fingerprint]
            if len(behind) != before:
                before = len(behind)
                self._report(f"{len(there) - before} of {len(there)} replicas run it")
            if not behind and any(each.get("role") == "leader" for each in statuses):
                return statuses
            if time.monotonic() > self._deadline_s:
                raise ClusterUnavailable(self._not_yet(behind))
            time.sleep(_LOOK_S)

    def _not_yet(self, behind: list[ReplicaStatus]) -> str:
        found = ", ".join(
            f"replica {each.id} with {each.get('fingerprint')}" if each.reachable else f"replica {each.id} silent"
            for each in behind
        )
        return (
            f"expected every replica that ran to run {self._fingerprint} within {self._timeout_s:g} s, found "
            f"{found or 'no leader'}: see their output; one whose source was not replaced waits for that, and a start"
        )
