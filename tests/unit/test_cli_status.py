"""What statuses are made into: a table, a judgement, an exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from psmr.cli.exits import ExitCode
from psmr.cli.output import bytes_text, rate_text
from psmr.cli.status import judge
from psmr.cli.status_notes import status_notes
from psmr.cli.status_table import shares, status_table
from psmr.cli.target import target_of
from psmr.cli.up_display import LinesDisplay, display_for
from psmr.cli.watching import Watch, exit_code_for
from psmr.cluster import ReplicaStatus, majority
from psmr.config import local_cluster
from psmr.errors import ConfigurationError
from psmr.json_output import STANDARD_OUTPUT, JsonOutput

LEADER = {
    "role": "leader",
    "term": 3,
    "leader": 1,
    "last_index": 40,
    "delivered": 39,
    "executed": 1200,
    "workers": [900, 300],
    "memory_bytes": 3 << 20,
}


def status(number: int, **changes: object) -> ReplicaStatus:
    return ReplicaStatus(number, f"ipc://@{number}", {**LEADER, **changes})


def gone(number: int) -> ReplicaStatus:
    return ReplicaStatus(number, f"ipc://@{number}", None, "no answer within 1 s")


def drawn(*arguments: object, **options: object) -> list[str]:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(status_table(*arguments, **options))  # type: ignore[arg-type]
    return [" ".join(line.replace("│", " ").replace("┃", " ").split()) for line in capture.get().splitlines()]


def test_a_row_for_each_replica() -> None:
    lines = drawn([status(1), status(2, role="follower", workers=[0, 0]), gone(3)])
    assert "replica role term leader log index executed workers' shares memory address" in lines
    assert "1 leader 3 1 40 1200 75 % 25 % 3.0 MiB ipc://@1" in lines
    assert "2 follower 3 1 40 1200 - 3.0 MiB ipc://@2" in lines
    assert "3 unreachable: no answer within 1 s ipc://@3" in lines


def test_digests_rates_and_problems_when_there_are_any() -> None:
    lines = drawn(
        [status(1, digest="00ff"), status(2), gone(3)], digest=True, rates={1: 12_345.0}, problems={3: "starting"}
    )
    assert "1 leader 3 1 40 1200 12.3 k 75 % 25 % 3.0 MiB 00ff ipc://@1" in lines
    assert "2 leader 3 1 40 1200 … 75 % 25 % 3.0 MiB - ipc://@2" in lines
    assert "3 starting ipc://@3" in lines


def test_an_address_of_nobody_knows_whom() -> None:
    lines = drawn([ReplicaStatus(None, "tcp://node:1", None, "no answer within 1 s")])
    assert "? unreachable: no answer within 1 s tcp://node:1" in lines


def test_a_majority_must_answer() -> None:
    assert judge([status(1), status(2), gone(3)], 3) == ("", ExitCode.OK)
    message, code = judge([status(1), gone(2), gone(3)], 3)
    assert code is ExitCode.UNAVAILABLE
    assert message.startswith("expected 2 of 3 replicas to answer, found 1")
    assert judge([gone(1)], 1)[1] is ExitCode.UNAVAILABLE
    assert [majority(members) for members in range(1, 8)] == [1, 2, 2, 3, 3, 4, 4]


def test_a_target_is_a_file_or_an_address_with_or_without_its_scheme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert target_of("status", "tcp://node:7201") == target_of("status", "node:7201") == "tcp://node:7201"
    config = local_cluster("demo", "apps.kv:KV", tmp_path, token="0")
    for name in ("cluster.toml", "cluster:7"):
        (tmp_path / name).write_text(config.to_toml())
        assert target_of("status", name) == config
    for wrong in ("node", "node:", "tcp://node", "node:99999"):
        with pytest.raises(ConfigurationError):
            target_of("status", wrong)


def test_whoever_else_answers_at_a_replicas_address_is_not_taken_for_it(tmp_path: Path) -> None:
    config = local_cluster("demo", "apps.kv:KV", tmp_path, token="0")
    found = Watch(tmp_path / "cluster.toml", config, LinesDisplay()).own(status(1, pid=77))
    assert (found.reachable, found.problem) == (False, "process 77 answers there")


def test_who_serves_and_leads_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    written: list[dict[str, object]] = []
    display = display_for(JsonOutput(STANDARD_OUTPUT), written.append)
    with display:
        display.show([gone(1), gone(2)], {}, {})
        for _ in range(2):
            display.show([status(1), gone(2)], {}, {})
        display.show([status(1, role="follower"), status(2)], {}, {})
        display.stopping()
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        "replica 1 serves, and is leader in term 3",
        "replica 1 is follower in term 3",
        "replica 2 serves, and is leader in term 3",
        "stopping the replicas",
    ]
    assert printed.out == ""
    assert [each["event"] for each in written] == ["status"] * 4 + ["stopping"]


def test_equal_positions_must_have_equal_digests() -> None:
    assert judge([status(1, digest="a"), status(2, digest="a"), status(3)], 3)[1] is ExitCode.OK
    assert judge([status(1, digest="a"), status(2, digest="b", delivered=38)], 2)[1] is ExitCode.OK
    message, code = judge([status(1, digest="a"), status(2, digest="b"), status(3, digest="a")], 3)
    assert code is ExitCode.VIOLATION
    assert "at log index 39" in message


def test_the_worst_end_of_a_replica_is_the_end_of_all() -> None:
    assert exit_code_for([]) is ExitCode.OK
    assert exit_code_for([-9]) is ExitCode.FAILED
    assert exit_code_for([0]) is ExitCode.FAILED
    assert exit_code_for([-9, 2]) is ExitCode.CALLER
    assert exit_code_for([2, 4, 1]) is ExitCode.VIOLATION


def test_numbers_for_people() -> None:
    assert [bytes_text(size) for size in (0, 1023, 1024, 5 << 20, 3 << 30, 5 << 40)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "5.0 MiB",
        "3.0 GiB",
        "5120.0 GiB",
    ]
    assert [rate_text(rate) for rate in (0, 999, 1000, 2_710_000)] == ["0", "999", "1.0 k", "2.71 M"]
    assert shares([1, 3]) == "25 % 75 %"
    assert shares([0, 0]) == "-"
    assert shares(None) == "-"


def test_what_the_table_has_no_room_for() -> None:
    members = [{"id": 1, "votes": True, "match": 40}, {"id": 4, "votes": False, "match": 12}]
    served = {"service": "kv", "version": 2, "members": members, "members_since": 7}
    leads = status(1, **served, snapshot_index=30, snapshots=2, snapshot_bytes=3 << 20)
    follows = status(4, **served, role="follower", fetching=[30, 1 << 20, 3 << 20], snapshot_failure="disk full")
    assert status_notes([leads, follows, gone(3)]) == [
        "service: kv, version 2",
        "members since log index 7: 1 (up to 40), 4 (learner, up to 12)",
        "replica 1: newest snapshot at log index 30, 3.0 MiB",
        "replica 4: fetching the snapshot at log index 30, 1.0 MiB of 3.0 MiB",
        "replica 4: its last snapshot failed: disk full",
    ]


def test_who_has_diverged_is_said_first() -> None:
    report = {"row": 3, "command": "deposit"}
    wrong = {"replica": 2, "index": 40, "is_first": True, "is_wrong": True, "report": report}
    unknown = {"replica": 2, "index": 40, "is_first": False, "is_wrong": False, "report": None}
    known = [status(1, role="leader", diverged=[wrong]), status(3, role="follower", diverged=[wrong])]
    assert status_notes([*known, gone(2)]) == [
        "replica 2 has diverged at log index 40, row 3, deposit (says replicas 1, 3)",
    ]
    assert status_notes([status(1, role="leader", diverged=[unknown]), gone(2), gone(3)]) == [
        "replica 2 differs, and too few replicas answer to know who is right, at log index 40 or before (says replica 1)",
    ]


def test_versions_that_differ_and_members_without_a_leader() -> None:
    members = [{"id": 1, "votes": True, "match": 0}]
    old = status(1, service="kv", version=1, role="follower", members=members)
    new = status(2, service="kv", version=2, role="candidate", snapshot_index=30)
    assert status_notes([old, new]) == [
        "service: kv, version 1 on replica 1",
        "service: kv, version 2 on replica 2",
        "members: 1",
        "replica 2: newest snapshot at log index 30",
    ]
    assert status_notes([gone(3)]) == []


def test_what_was_started_against_advice() -> None:
    said = {
        "index": 2,
        "time_us": 1_700_000_000_000_000,
        "service": "shop:Book",
        "fingerprint": "0x0000000000000007",
        "findings": 2,
        "codes": ["clock", "random"],
        "lines": ["shop.py:3:5 clock", "shop.py:9:1 random"],
    }
    behind, ahead = status(1, delivered=1, overrides=[]), status(2, delivered=5, overrides=[said])
    assert status_notes([behind, ahead, gone(3)]) == [
        "WARNING: shop:Book (0x0000000000000007) was started although replicas may differ, says log index 2, "
        "2023-11-14 22:13:20+00:00: 2 findings (clock, random): shop.py:3:5 clock; shop.py:9:1 random"
    ]
    (unseen,) = status_notes([status(1, overrides=[{**said, "findings": 0, "codes": []}])])
    assert "it cannot be looked at: " in unseen
