"""Node validity: every node's own invariants hold after every step, and its disk holds what it believes."""

from __future__ import annotations

from psmr.core.raft import HardState
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
        disk = replica.disk
        durable = node.durable_index
        facts = (
            ("its log as long as the one written", node.last_index == len(disk.entries)),
            ("its term and vote on disk", disk.hard_state == HardState(node.term, node.voted_for)),
            ("on disk what it takes for durable", disk.entries[:durable] == disk.durable[:durable]),
        )
        for fact, holds in facts:
            if not holds:
                self.fail(
                    f"expected replica {replica.me} to have {fact}, found {node.describe()}; on disk "
                    f"{disk.hard_state}, {len(disk.entries)} entries written, {len(disk.durable)} durable"
                )
