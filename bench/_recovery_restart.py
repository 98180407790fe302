"""A replica restarted on its log, as a whole: from the start of its process to the first answer of a client's read."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from apps.kv import IntegerKV
from bench._recovery_log import PATIENCE_S, REPLICA, WrittenLog
from psmr.client.connecting import connect_blocking
from psmr.cluster.local import LocalCluster

_LOOK_S = 0.005


def measure(cluster: LocalCluster, log: WrittenLog, runs: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Restart the cluster's one replica `runs` times; medians. It is stopped before and after."""
    found = [_restart(cluster, log) for _ in range(runs)]
    row: dict[str, Any] = {
        name: round(median(run[name] for run in found), 3) for name in ("serving_s", "executed_s", "answer_s")
    }
    row["commands_per_s"] = round(log.commands / row["answer_s"])
    row["after_start_per_s"] = round(log.commands / max(1e-9, row["answer_s"] - row["serving_s"]))
    row["answers_right"] = all(run["right"] for run in found)
    row["runs"] = found
    say(f"restart: answers after {row['answer_s']:.2f} s, {row['serving_s']:.2f} s of them until it serves")
    return row


def _restart(cluster: LocalCluster, log: WrittenLog) -> dict[str, Any]:
    """Seconds from the start of the process until it serves, has executed its log, has answered."""
    began_s = time.perf_counter()
    cluster.start(REPLICA)
    address = cluster.addresses[0]
    with connect_blocking(IntegerKV, address, timeout_s=PATIENCE_S, connect_timeout_s=PATIENCE_S) as client:
        serving_s = time.perf_counter() - began_s
        # A client that is not answered asks again, ever more rarely: whoever asks at once waits for that too.
        while cluster.status(REPLICA).get("delivered") < log.last_index:
            time.sleep(_LOOK_S)
        executed_s = time.perf_counter() - began_s
        value = client.get(log.key)
        answer_s = time.perf_counter() - began_s
    status = cluster.status(REPLICA, digest=True)
    cluster.stop(REPLICA)
    right = (value, status.get("commands"), status.get("digest")) == (log.value, log.commands, log.digest)
    return {"serving_s": serving_s, "executed_s": executed_s, "answer_s": answer_s, "right": right}
