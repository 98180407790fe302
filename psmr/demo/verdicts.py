"""What a run under faults is judged by: the same words for every command that makes one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from psmr.demo.scenario import Scenario
from psmr.demo.verify import Findings
from psmr.workload import Judgement


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
    judgement: Judgement | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing was lost or duplicated, every comparison holds, and the application has nothing against it."""
        clean = self.lost == 0 and self.duplicated == 0 and (self.judgement is None or self.judgement.holds)
        return clean and self.digests_equal and self.model_equal and self.linearizable is True

    def as_json(self) -> dict[str, Any]:
        """The outcome as one object; what the application itself found stands beside the rest."""
        fields = asdict(self)
        judgement = fields.pop("judgement")
        return {**fields, **(judgement["figures"] if judgement else {}), "passed": self.passed}


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
        "judgement": findings.judgement,
    }


def verdict_rows(verdicts: Verdicts) -> list[tuple[str, str, str]]:
    """Name, what was found in rich's markup, what it means."""
    judgement = verdicts.judgement
    judged_rows = [("real input", _verdict(judgement.holds), judgement.text)] if judgement else []
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
        (
            "model equal",
            _verdict(verdicts.model_equal),
            "every reply and event, and the final state, against sequential Python",
        ),
        ("linearizable", _verdict(verdicts.linearizable is True), verdicts.linearizability.splitlines()[0]),
        *judged_rows,
    ]


def _verdict(holds: bool, text: str = "") -> str:
    return f"[green]{text or 'yes'}[/green]" if holds else f"[bold red]{text or 'NO'}[/bold red]"
