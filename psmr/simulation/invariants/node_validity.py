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
        elif disk.entries[:durable] != disk.durable[:durable]:
            fact = "on disk what it takes for durable"
        if fact:
            self.fail(
                f"expected replica {replica.me} to have {fact}, found {node.describe()}; on disk {saved}, "
                f"{len(disk.entries)} entries written, {len(disk.durable)} durable"
            )
