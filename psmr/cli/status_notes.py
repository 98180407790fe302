"""What a table of statuses has no room for: who has diverged, the service's version, the members, snapshots."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from psmr.cli.output import bytes_text
from psmr.cluster import ReplicaStatus


def status_notes(statuses: Sequence[ReplicaStatus]) -> list[str]:
    """One line for each thing to say about the replicas that answered; none of those that did not."""
    there = [status for status in statuses if status.reachable]
    return [
        *_divergence(there),
        *_versions(there),
        *_overrides(there),
        *_members(there),
        *(line for status in there for line in _snapshots(status)),
    ]


def _divergence(there: Sequence[ReplicaStatus]) -> Iterator[str]:
    """Which replicas did something else than others with a command, each once where those that say so agree."""
    said: dict[str, list[str]] = {}
    for status in there:
        for found in status.get("diverged") or []:
            said.setdefault(_difference(found), []).append(str(status.id))
    for text, replicas in said.items():
        yield f"{text} (says {_replicas(replicas)})"


def _difference(found: Mapping[str, Any]) -> str:
    report = found.get("report") or {}
    place = f"log index {found['index']}" + (f", row {report['row']}" if "row" in report else "")
    what = "has diverged" if found["is_wrong"] else "differs, and too few replicas answer to know who is right,"
    before = "" if found["is_first"] else " or before"
    command = f", {report['command']}" if "command" in report else ""
    return f"replica {found['replica']} {what} at {place}{before}{command}"


def _versions(there: Sequence[ReplicaStatus]) -> Iterator[str]:
    """Who executes which version of the service; after an upgrade all must say the same."""
    served: dict[str, list[str]] = {}
    for status in there:
        if status.get("service") is not None:
            served.setdefault(f"{status.get('service')}, version {status.get('version')}", []).append(str(status.id))
    for text, replicas in served.items():
        yield f"service: {text}" + ("" if len(served) == 1 else f" on {_replicas(replicas)}")


def _overrides(there: Sequence[ReplicaStatus]) -> Iterator[str]:
    """What was started though its handlers may make replicas differ, as the log says; who has delivered most knows most."""
    if not there:
        return
    newest = max(there, key=lambda status: status.get("delivered") or 0)
    for one in newest.get("overrides") or ():
        found = (
            f"{one['findings']} findings ({', '.join(one['codes'])})" if one["findings"] else "it cannot be looked at"
        )
        at = datetime.fromtimestamp(one["time_us"] / 1e6, UTC).isoformat(sep=" ", timespec="seconds")
        yield (
            f"WARNING: {one['service']} ({one['fingerprint']}) was started although replicas may differ, says log index "
            f"{one['index']}, {at}: {found}: {'; '.join(one['lines'])}"
        )


def _members(there: Sequence[ReplicaStatus]) -> Iterator[str]:
    """The members as the replica sees them that has delivered most of the log, the leader before others."""
    knowing = [status for status in there if status.get("members")]
    if not knowing:
        return
    newest = max(knowing, key=lambda status: (status.get("role") == "leader", status.get("delivered") or 0))
    leads = newest.get("role") == "leader"
    since = newest.get("members_since")
    members = ", ".join(_member(member, leads=leads) for member in newest.get("members"))
    yield f"members{f' since log index {since}' if since else ''}: {members}"


def _member(member: Mapping[str, Any], *, leads: bool) -> str:
    """Only a leader knows how far the others are."""
    said = [*([] if member["votes"] else ["learner"]), *([f"up to {member['match']}"] if leads else [])]
    return f"{member['id']} ({', '.join(said)})" if said else str(member["id"])


def _snapshots(status: ReplicaStatus) -> Iterator[str]:
    name = f"replica {status.id}"
    if status.get("snapshot_index"):
        size = f", {_bytes(status.get('snapshot_bytes'))}" if status.get("snapshots") else ""
        yield f"{name}: newest snapshot at log index {status.get('snapshot_index')}{size}"
    if status.get("fetching"):
        index, held, size = status.get("fetching")
        yield f"{name}: fetching the snapshot at log index {index}, {_bytes(held)} of {_bytes(size)}"
    if status.get("snapshot_failure"):
        yield f"{name}: its last snapshot failed: {status.get('snapshot_failure')}"


def _replicas(names: Sequence[str]) -> str:
    return f"replica {names[0]}" if len(names) == 1 else f"replicas {', '.join(names)}"


def _bytes(count: Any) -> str:
    return bytes_text(count) if isinstance(count, int) else "?"
