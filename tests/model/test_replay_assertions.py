"""Virtual clusters and replays on the engine's own workers: what simulated ones do is what it does."""

from __future__ import annotations

from random import Random

import pytest

from apps.kv import APPLICATION
from psmr.errors import ConfigurationError
from psmr.testing import VirtualCluster, assert_linearizable, assert_replay_identical
from psmr.testing.calls import Calls
from psmr.testing.effects import Witness
from psmr.testing.engines import RealWorkers, SimulatedWorkers
from psmr.testing.plain import told_plainly

KV = APPLICATION.service


def test_a_log_has_one_outcome_however_many_workers_execute_it() -> None:
    assert_replay_identical(KV, 150, workers=(1, 3))


def test_the_engine_itself_executes_where_it_is_wanted() -> None:
    with VirtualCluster(KV, compiled=True) as cluster:
        assert_linearizable(cluster.run(60, faults=True), APPLICATION)
        cluster.crash(0)
        cluster.restart(0)
        cluster.check()


def test_simulated_workers_answer_as_the_engine_does() -> None:
    calls = Calls(KV)
    log = calls.generated(300, Random(3))
    simulated = SimulatedWorkers(KV, 1, Random(0), Witness(), "simulated")
    real = RealWorkers(KV, 1, Witness(), "real", compiled=True)
    try:
        found: list[list[bytes]] = [[], []]
        for engine, replies in zip((simulated, real), found, strict=True):
            for sequence, start in enumerate(range(0, len(log), 20), 1):
                rows = calls.encoded(log[start : start + 20])
                engine.prepare(1, sequence, rows.stride, rows.count, rows.records, rows.blob, 5)
                engine.publish()
                engine.execute(1)
                replies += [done.reply for done in engine.collect()]
        assert found[0] == found[1]
        assert len(found[0]) == 15
    finally:
        real.close()


def test_states_that_differ_though_no_reply_does_are_found_at_their_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two engines one loses a write: nobody reads it, but the digests of the states tell."""
    digests = iter([1, 1, 1, 2])
    monkeypatch.setattr(RealWorkers, "digest", lambda engine: next(digests))
    states = iter([{"table": {b"a": b"x"}}, {"table": {}}])
    monkeypatch.setattr(RealWorkers, "state", lambda engine: next(states))
    calls = [("put", b"a", b"x"), ("get", b"b"), ("put", b"a", b"x"), ("get", b"c")]
    with pytest.raises(AssertionError) as found:
        assert_replay_identical(KV, calls, workers=(1, 2), forms=("compiled",), batch=2)
    said = str(found.value)
    assert "now commands 3 to 4 of it, and their states differ" in said
    assert "table[b'a']: b'x' on 1 compiled worker, None on 2 compiled workers" in said
    assert "command 3, put(b'a', b'x'), writes there" in said
    assert "command 1," not in said


def test_a_refusal_shows_no_frame_but_the_callers() -> None:
    def refuse() -> None:
        raise ConfigurationError("no")

    with pytest.raises(ConfigurationError) as found:
        told_plainly(refuse)()
    assert len(found.traceback) == 2
