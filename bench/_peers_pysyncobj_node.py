"""One process of a PySyncObj cluster: answers questions, a line of JSON each, and makes the leader's calls.

Started by its file rather than as a module, with what it needs to know as one argument of JSON.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

LATENCIES_MAX = 20_000
"""Of a run's latencies so many are passed on, evenly taken."""
ANSWER_TIMEOUT_S = 60.0


class Calls:
    """`in_flight` calls of `set` at a time: the callback of each makes the next, in PySyncObj's own thread.

    The first ones are made in another, while answers arrive already: the lock keeps calls in the order of their places.
    """

    def __init__(self, table: Any, keys: list[bytes], values: list[bytes]) -> None:
        self._set = table.set
        self._keys = keys
        self._values = values
        self._made = 0
        self._answered = 0
        self._until_s = 0.0
        self._failed: int | None = None
        self._latencies_s: list[float] = []
        self._done = threading.Event()
        self._lock = threading.Lock()

    def drive(self, seconds: float, in_flight: int) -> dict[str, Any]:
        """One run, until all calls are answered."""
        self._latencies_s = []
        self._done.clear()
        first, started_s = self._answered, time.perf_counter()
        self._until_s = started_s + seconds
        for _ in range(in_flight):
            self._call()
        if not self._done.wait(seconds + ANSWER_TIMEOUT_S):
            return {"failed": f"no answer within {ANSWER_TIMEOUT_S:g} s"}
        if self._failed is not None:
            return {"failed": self._failed}
        every = len(self._latencies_s) // LATENCIES_MAX + 1
        return {
            "commands": self._answered - first,
            "seconds": time.perf_counter() - started_s,
            "latencies_us": [latency_s * 1e6 for latency_s in self._latencies_s[::every]],
        }

    def _call(self) -> None:
        began_s = time.perf_counter()
        with self._lock:
            place = self._made % len(self._keys)
            self._made += 1
            self._set(
                self._keys[place], self._values[place], callback=lambda _, reason: self._on_answer(began_s, reason)
            )

    def _on_answer(self, began_s: float, reason: int) -> None:
        now_s = time.perf_counter()
        self._answered += 1
        self._latencies_s.append(now_s - began_s)
        if reason:
            self._failed = reason
        if now_s < self._until_s and not reason:
            self._call()
        elif self._answered == self._made:
            self._done.set()


def serve(own: str, others: list[str], settings: dict[str, float]) -> None:
    """Answer until standard input ends."""
    from pysyncobj import SyncObj, SyncObjConf
    from pysyncobj.batteries import ReplDict

    from bench._peers_work import Lane

    table = ReplDict()
    cluster = SyncObj(own, others, conf=SyncObjConf(**settings), consumers=[table])
    calls = Calls(table, *([row.tobytes() for row in rows] for rows in Lane(0).writes(0)))
    for line in sys.stdin:
        question = json.loads(line)
        match question.pop("do"):
            case "drive":
                answer = calls.drive(**question)
            case "get":
                found = [table.get(key.encode()) for key in question["keys"]]
                answer = {"values": [value.decode() if value is not None else None for value in found]}
            case _:
                answer = _status(cluster, own)
        print(json.dumps(answer), flush=True)


def _status(cluster: Any, own: str) -> dict[str, Any]:
    status = cluster.getStatus()
    return {
        "ready": cluster.isReady() and status["leader"] is not None,
        "leads": str(status["leader"]) == own,
        "applied": status["last_applied"],
    }


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    sys.path[:] = told["import_from"]
    serve(told["self"], told["others"], told["settings"])
