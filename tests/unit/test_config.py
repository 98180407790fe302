"""The cluster's file: what it may say, and the one line that answers each mistake in it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from psmr.config import ClusterConfig, ReplicaConfig, Tuning, load, local_cluster, parse
from psmr.errors import ConfigurationError

BASE = Path("/srv/demo")

FILE = """
[cluster]
name = "demo"
service = "apps.kv:KV"
durability = "memory"
data = "./data"
execution = "interpreted"

[[replica]]
id = 1
peers = "tcp://127.0.0.1:7101"
clients = "tcp://127.0.0.1:7201"
workers = 2

[[replica]]
id = 2
peers = "tcp://[::1]:7102"
clients = "ipc://@psmr-2"
workers = 16

[tuning]
heartbeat_ms = 20
"""

SMALLEST = """
[cluster]
name = "demo"
service = "apps.kv"
[[replica]]
id = 1
peers = "tcp://node-1.example:7101"
clients = "tcp://node-1.example:7201"
"""


def complaint(text: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, BASE, source="demo.toml")
    message = str(caught.value)
    assert message.startswith("demo.toml: ")
    assert "\n" not in message
    return message


def test_a_file_is_read_whole() -> None:
    assert parse(FILE, BASE) == ClusterConfig(
        name="demo",
        service="apps.kv:KV",
        data=BASE / "data",
        replicas=(
            ReplicaConfig(1, "tcp://127.0.0.1:7101", "tcp://127.0.0.1:7201", 2),
            ReplicaConfig(2, "tcp://[::1]:7102", "ipc://@psmr-2", 16),
        ),
        durability="memory",
        execution="interpreted",
        tuning=Tuning(heartbeat_ms=20),
    )


def test_what_may_be_left_out_has_defaults() -> None:
    config = parse(SMALLEST, BASE)
    assert (config.durability, config.execution, config.data) == ("disk", "compiled", BASE / "data")
    assert config.replicas[0].workers == 2
    assert config.tuning == Tuning()


def test_a_configuration_cannot_be_changed() -> None:
    config = parse(SMALLEST, BASE)
    with pytest.raises(FrozenInstanceError):
        config.name = "other"


def test_a_replica_is_found_by_id() -> None:
    config = parse(FILE, BASE)
    assert config.replica(2).workers == 16
    assert config.folder(2) == BASE / "data" / "replica-2"
    with pytest.raises(ConfigurationError, match=r'"demo" has no replica 3: it has 1, 2'):
        config.folder(3)


def test_a_relative_folder_lies_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "demo.toml").write_text(SMALLEST.replace("[[", 'data = "../here"\n[[', 1))
    assert load(tmp_path / "demo.toml").data == tmp_path.resolve().parent / "here"


def test_an_absolute_folder_stays(tmp_path: Path) -> None:
    assert parse(SMALLEST.replace("[[", 'data = "/var/psmr"\n[[', 1), tmp_path).data == Path("/var/psmr")


def edited(old: str, new: str) -> str:
    assert old in FILE
    return FILE.replace(old, new, 1)


INTEGER = "expected an integer from 1 to 16, found"
ADDRESS = 'expected an address such as "tcp://127.0.0.1:7101" (port 1 to 65535) or "ipc://@name", found'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            edited("durability", "durabilty"),
            "cluster.durabilty: expected one of data, durability, execution, lint, name, "
            'service, found an unknown key: did you mean "durability"?',
        ),
        (
            edited("[tuning]", "[tunning]"),
            'tunning: expected one of cluster, replica, tuning, found an unknown key: did you mean "tuning"?',
        ),
        (
            edited("workers = 2", "zebra = 2"),
            "replica[1].zebra: expected one of clients, id, peers, workers, found an unknown key: remove it",
        ),
        (
            edited('name = "demo"', 'name = "demo"\nworkers = 2'),
            "cluster.workers: expected one of data, durability, execution, lint, name, service, "
            "found an unknown key: write it below each [[replica]]",
        ),
        (edited('name = "demo"', ""), "cluster.name: expected this key, found none: add name"),
        (edited("id = 2", ""), "replica[2].id: expected this key, found none: add id"),
        ("[[replica]]\nid = 1", "cluster: expected this key, found none: add cluster as a table"),
        ("cluster = 3\nreplica = 4", "cluster: expected a table, found 3: write its keys below a line [cluster]"),
        (
            edited('name = "demo"', "name = 3"),
            'cluster.name: expected a name of up to 32 of a-z, 0-9, "-" and "_", '
            'such as "demo", found 3: correct the value',
        ),
        (edited('name = "demo"', 'name = "De mo"'), 'found "De mo"'),
        (edited('name = "demo"', 'name = "demo"\nlint = "no"'), 'cluster.lint: expected "on" or "off", found "no"'),
        (
            edited("apps.kv:KV", "apps/kv.py"),
            'cluster.service: expected a module or module:class, such as "apps.kv:KV", found "apps/kv.py"',
        ),
        (edited('"memory"', '"ram"'), 'cluster.durability: expected "disk" or "memory", found "ram"'),
        (edited('"interpreted"', "true"), 'cluster.execution: expected "compiled" or "interpreted", found true'),
        (edited("workers = 16", "workers = 17"), f"replica[2].workers: {INTEGER} 17"),
        (edited("workers = 2", "workers = 0"), f"replica[1].workers: {INTEGER} 0"),
        (edited("workers = 2", "workers = true"), f"replica[1].workers: {INTEGER} true"),
        (edited("workers = 2", "workers = 2.0"), f"replica[1].workers: {INTEGER} 2.0"),
        (edited("workers = 2", "workers = [2]"), f"replica[1].workers: {INTEGER} a list"),
        (edited("id = 1", "id = 0"), "replica[1].id: expected an integer from 1 to 255, found 0"),
        (edited("heartbeat_ms = 20", "heartbeat_ms = 0"), "tuning.heartbeat_ms: expected an integer from 1 to 30000"),
        (
            edited("heartbeat_ms = 20", "heartbeat_ms = 200"),
            "tuning.election_timeout_ms: expected at least twice heartbeat_ms (200), found 150",
        ),
        (edited("id = 2", "id = 1"), "replica[2].id: expected an id of its own, found 1, which is replica[1].id too"),
        (
            edited("ipc://@psmr-2", "tcp://127.0.0.1:7101"),
            "replica[2].clients: expected an address of its own, found "
            '"tcp://127.0.0.1:7101", which is replica[1].peers too',
        ),
        (
            edited("[[replica]]", "[replica]").split("[[")[0],
            "replica: expected 1 to 7 tables [[replica]] (3 survive "
            "the loss of one, 5 of two), found one [replica]: write one [[replica]], in double brackets, for each",
        ),
        ('replica = []\n[cluster]\nname = "a"\nservice = "b"', "replica: expected 1 to 7 tables"),
        (edited('"demo"', '"demo'), "expected TOML, found: "),
    ],
)
def test_a_mistake_is_answered_by_one_line(text: str, words: str) -> None:
    assert words in complaint(text)


@pytest.mark.parametrize(
    "address",
    [
        "tcp://127.0.0.1",
        "tcp://127.0.0.1:0",
        "tcp://127.0.0.1:65536",
        "tcp://*:7101",
        "tcp://a b:7101",
        "udp://127.0.0.1:7101",
        "127.0.0.1:7101",
        "ipc:///tmp/socket",
        "ipc://@",
        "ipc://@" + "x" * 107,
    ],
)
def test_an_address_that_cannot_be_is_refused(address: str) -> None:
    assert f"replica[1].peers: {ADDRESS}" in complaint(edited("tcp://127.0.0.1:7101", address))


def test_one_address_in_two_spellings_is_one() -> None:
    text = edited("tcp://[::1]:7102", "tcp://Node:1").replace("ipc://@psmr-2", "tcp://node:1")
    assert "replica[2].clients: expected an address of its own" in complaint(text)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7])
def test_any_count_up_to_seven_is_taken(count: int) -> None:
    assert len(local_cluster("a", "apps.kv", BASE, token="0f", replicas=count).replicas) == count


@pytest.mark.parametrize("count", [0, 8])
def test_other_counts_are_refused(count: int) -> None:
    with pytest.raises(ConfigurationError, match=r"local cluster: .*1 to 7 tables|local cluster: replica: expected"):
        local_cluster("a", "apps.kv", BASE, token="0f", replicas=count)


def test_a_local_cluster_has_abstract_addresses() -> None:
    config = local_cluster("demo", "apps.kv:KV", BASE, token="0f3a", replicas=3, workers=4, durability="memory")
    assert config.replica(3) == ReplicaConfig(3, "ipc://@psmr-demo-0f3a-3-peers", "ipc://@psmr-demo-0f3a-3-clients", 4)
    assert (config.data, config.durability, config.execution) == (BASE, "memory", "compiled")


def test_a_local_cluster_is_checked_like_a_file() -> None:
    with pytest.raises(ConfigurationError, match=r"local cluster: cluster\.durability: expected"):
        local_cluster("demo", "apps.kv", BASE, token="0f", durability="tape")
    with pytest.raises(ConfigurationError, match=r"local cluster: replica\[1\]\.workers: expected"):
        local_cluster("demo", "apps.kv", BASE, token="0f", workers=99)


def test_what_is_written_reads_back_equal() -> None:
    config = parse(FILE, BASE)
    assert parse(config.to_toml(), Path("/elsewhere")) == config
    assert parse(config.to_toml(), Path("/elsewhere")).to_toml() == config.to_toml()
    tuned = replace(config, tuning=Tuning(election_timeout_ms=1000, lookahead=7))
    assert parse(tuned.to_toml(), BASE) == tuned


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=20))
def test_any_folder_reads_back_equal(name: str) -> None:
    config = replace(parse(SMALLEST, BASE), data=(BASE / "x" / name).resolve())
    assert parse(config.to_toml(), BASE) == config


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.toml: expected the cluster's file, found none"):
        load(tmp_path / "absent.toml")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected a file that can be read, found: Is a directory"):
        load(tmp_path)


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b'name = "\xe9"')
    with pytest.raises(ConfigurationError, match="expected UTF-8 text, found byte 0xe9 at 8"):
        load(path)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 2000,
        "a = " + "{a=" * 2000,
        "a = " + "9" * 5000,
        "[cluster]\nname = 0x" + "f" * 5000 + '\nservice = "kv"\n[[replica]]\nid = 1',
    ],
    ids=["nested lists", "nested tables", "many digits", "many hexadecimal digits"],
)
def test_what_the_parser_of_toml_cannot_hold_is_one_line(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"expected .*, found") as raised:
        parse(text, Path("/"))
    assert len(str(raised.value)) < 400
