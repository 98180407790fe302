"""Node validity: every node's own invariants hold after every step, and its disk holds what it believes."""

from __future__ import annotations

from psmr.core.raft import Raft
from psmr.errors import Violation
from psmr.simulation.invariants.invariant import Invariant, Observed


class NodeValidity(Invariant):
    """`Raft.validate`, and what the node was told of its log, term and vote against what the disk holds."""

    name = "node validity"

    def check_node(self, replica: Observed) -> None:
        """One node, after a step."""
        node = replica.node
        if node is None:
            return
        try:
            node.validate()
        except Violation as violation:
            self.fail(str(violation))
        self._check_disk(replica, node)

    def _check_disk(self, replica: Observed, node: Raft) -> None:
        disk, durable = replica.disk, node.durable_index
        saved = disk.hard_state
        fact = ""
        if node.last_index != len(disk.entries):
            fact = "written the log it believes to have"
        elif saved.term != node.term or saved.voted_for != node.voted_for:
            fact = "saved its term and vote"
        elif disk.entries[node.base_index : durable] != disk.durable[node.base_index : durable]:
            fact = "on disk what it takes for durable"
        elif (node.membership_index, node.membership) != disk.changes[-1]:
            fact = f"in force what its log says last, {disk.changes[-1]}"
        elif node.base_index != disk.base_index:
            fact = f"forgotten what its log has, up to {disk.base_index}"
        if fact:
            self.fail(
                f"expected replica {replica.me} to have {fact}, found {node.describe()}; on disk {saved}, "
                f"{len(disk.entries)} entries written, {len(disk.durable)} durable"
            )
