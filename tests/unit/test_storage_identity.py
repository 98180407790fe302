from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from psmr.errors import ConfigurationError
from psmr.storage import Identity, claim
from psmr.storage.identity import parse_identity

ASKED: dict[str, Any] = {
    "cluster": "prod",
    "cluster_id": 0xABC,
    "replica_id": 2,
    "service": "Accounts",
    "fingerprint": 0xFEDCBA9876543210,
}


def test_a_new_folder_is_made_and_becomes_the_replicas(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "data"
    with claim(folder, **ASKED) as claimed:
        assert claimed.folder == folder
        assert claimed.identity == Identity("prod", 0xABC, 2, "Accounts", "0xfedcba9876543210")
    assert json.loads((folder / "identity.json").read_text()) == {
        "cluster": "prod",
        "cluster_id": 0xABC,
        "replica_id": 2,
        "service": "Accounts",
        "fingerprint": "0xfedcba9876543210",
        "format_version": 1,
    }


def test_the_same_replica_may_claim_it_again(tmp_path: Path) -> None:
    for _ in range(2):
        claim(tmp_path, **ASKED).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["identity.json", "lock"]


@pytest.mark.parametrize(
    ("name", "other", "text"),
    [
        ("cluster", "test", "cluster 'test', found 'prod'"),
        ("cluster_id", 1, "cluster_id 1, found 2748"),
        ("replica_id", 3, "replica_id 3, found 2"),
        ("service", "Book", "service 'Book', found 'Accounts'"),
        ("fingerprint", 1, "fingerprint '0x0000000000000001', found '0xfedcba9876543210'"),
    ],
)
def test_a_folder_of_something_else_is_refused_and_not_kept(tmp_path: Path, name: str, other: Any, text: str) -> None:
    claim(tmp_path, **ASKED).close()
    with pytest.raises(ConfigurationError) as raised:
        claim(tmp_path, **ASKED | {name: other})
    assert f"{tmp_path / 'identity.json'}: expected {text}" in str(raised.value)
    assert "\n" not in str(raised.value)
    claim(tmp_path, **ASKED).close()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"format_version": 2, "unheard": "of"}', "format 1 or older, found 2: run the version"),
        ('{"format_version": 1}', "expected the JSON identity"),
        ('{"format', "expected the JSON identity"),
        ("", "expected the JSON identity"),
        ("[]", "expected the JSON identity"),
    ],
)
def test_an_identity_that_cannot_be_read_is_refused(tmp_path: Path, content: str, text: str) -> None:
    (tmp_path / "identity.json").write_text(content)
    with pytest.raises(ConfigurationError, match=text):
        claim(tmp_path, **ASKED)


def test_a_folder_in_use_is_refused_within_a_process(tmp_path: Path) -> None:
    with claim(tmp_path, **ASKED), pytest.raises(ConfigurationError, match=f"locked by process {os.getpid()}: stop"):
        claim(tmp_path, **ASKED)
    claim(tmp_path, **ASKED).close()


HOLD = """
import sys
from pathlib import Path
from psmr.storage import claim
with claim(Path(sys.argv[1]), cluster="prod", cluster_id=0xABC, replica_id=2, service="Accounts",
           fingerprint=0xFEDCBA9876543210):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_in_use_by_another_process_is_free_once_that_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigurationError, match=f"{tmp_path}: .* locked by process {holder.pid}:"):
            claim(tmp_path, **ASKED)
        holder.kill()
        holder.wait()
    claim(tmp_path, **ASKED).close()


def test_a_place_where_no_folder_can_be_is_the_callers_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "data", Path("/proc/data")):
        with pytest.raises(ConfigurationError, match=f"{folder}: expected a data folder that can be made and written"):
            claim(folder, **ASKED)


def test_an_identity_nested_without_end_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="expected the JSON identity of a data folder"):
        parse_identity(Path("identity.json"), b'{"format_version": 1, "a": ' + b"[" * 5000)


def test_a_folder_goes_over_to_another_fingerprint_if_it_may(tmp_path: Path) -> None:
    claim(tmp_path, **ASKED).close()
    asked: list[int] = []
    claim(tmp_path, **ASKED | {"fingerprint": 7}, check_successor=asked.append).close()
    assert asked == [ASKED["fingerprint"]]
    claim(tmp_path, **ASKED | {"fingerprint": 7}, check_successor=asked.append).close()
    assert asked == [ASKED["fingerprint"]]
    with pytest.raises(ConfigurationError, match="expected fingerprint"):
        claim(tmp_path, **ASKED)


def test_a_folder_that_may_not_go_over_stays_what_it_is(tmp_path: Path) -> None:
    def refuse(found: int) -> None:
        raise ConfigurationError("the log says no")

    claim(tmp_path, **ASKED).close()
    with pytest.raises(ConfigurationError, match="the log says no"):
        claim(tmp_path, **ASKED | {"fingerprint": 7}, check_successor=refuse)
    # Another cluster's folder is not even asked about, and what is no fingerprint is none of a predecessor.
    with pytest.raises(ConfigurationError, match="expected cluster 'test'"):
        claim(tmp_path, **ASKED | {"fingerprint": 7, "cluster": "test"}, check_successor=refuse)
    claim(tmp_path, **ASKED).close()
    path = tmp_path / "identity.json"
    path.write_text(path.read_text().replace("0xfedc", "0xghij"))
    with pytest.raises(ConfigurationError, match="in hexadecimal"):
        claim(tmp_path, **ASKED, check_successor=refuse)
