"""What a run under faults is judged by: the same words for every command that makes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psmr.demo.scenario import Scenario
from psmr.demo.verify import Findings


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What became of the commands. `digests` are of state and sessions, one a replica; `unknown` of outcomes is no fault."""

    acknowledged: int
    read_beside_log: int
    unknown: int
    lost: int
    duplicated: int
    digests: tuple[str, ...]
    digests_equal: bool
    model_equal: bool
    model_difference: str
    linearizable: bool | None
    linearizability: str

    @property
    def passed(self) -> bool:
        """Whether nothing was lost or duplicated and every comparison holds."""
        clean = self.lost == 0 and self.duplicated == 0
        return clean and self.digests_equal and self.model_equal and self.linearizable is True


def judged(scenario: Scenario, findings: Findings) -> dict[str, Any]:
    """The fields of `Verdicts`."""
    digests = tuple(f"{s.get('digest')}-{s.get('sessions_digest')}" for s in scenario.course.statuses)
    return {
        "acknowledged": scenario.traffic.commands,
        "read_beside_log": scenario.traffic.reads,
        "unknown": scenario.traffic.unknown,
        "lost": findings.lost,
        "duplicated": findings.duplicated,
        "digests": digests,
        "digests_equal": set(digests) == {f"{findings.digest}-{findings.sessions_digest}"},
        "model_equal": findings.model_equal,
        "model_difference": findings.model_difference,
        "linearizable": findings.linearizable,
        "linearizability": findings.linearizability,
    }


def verdict_rows(verdicts: Verdicts) -> list[tuple[str, str, str]]:
    """Name, what was found in rich's markup, what it means."""
    return [
        (
            "lost",
            _verdict(verdicts.lost == 0, str(verdicts.lost)),
            f"of {verdicts.acknowledged:,} acknowledged commands",
        ),
        (
            "duplicated",
            _verdict(verdicts.duplicated == 0, str(verdicts.duplicated)),
            "commands executed or answered twice",
        ),
        (
            "digests equal",
            _verdict(verdicts.digests_equal),
            "state and sessions, on all replicas and in a fresh replay of the log",
        ),
        ("model equal", _verdict(verdicts.model_equal), "every reply and the final state, against sequential Python"),
        ("linearizable", _verdict(verdicts.linearizable is True), verdicts.linearizability.splitlines()[0]),
    ]


def _verdict(holds: bool, text: str = "") -> str:
    return f"[green]{text or 'yes'}[/green]" if holds else f"[bold red]{text or 'NO'}[/bold red]"
