"""Counting in a process of its own, which compiles recording code: both ends of it.

    python -m bench._lines_apart PARENT '{"service": "work", "workers": [2], "batches": 2, "rows": 64}'

prints a JSON object a line, one for each number of workers.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from psmr.proxy_files import cache_folder


@dataclass(frozen=True, slots=True)
class Request:
    """What to count: `batches` of at most `rows` commands of a service, executed by each number of workers."""

    service: str
    workers: Sequence[int]
    batches: int
    rows: int


def counted(request: Request) -> Iterator[dict[str, Any]]:
    """What `bench._lines_counting.count` finds, row by row. Raises RuntimeError if the process fails; it has said why."""
    command = [sys.executable, "-m", "bench._lines_apart", str(os.getpid()), json.dumps(asdict(request))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout or ():
                yield json.loads(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        raise RuntimeError(f"lines: expected the counting process to end well, found exit code {process.returncode}")


def _main(parent: int, request: Request) -> None:
    # First the recording, then the engine: what is imported before would be compiled without it.
    recording = importlib.import_module("bench._lines_recording")
    log = recording.record_stores(recorded_folder())
    importlib.import_module("psmr.execution.worker").die_with_parent(parent)
    for row in importlib.import_module("bench._lines_counting").count(request, log):
        print(json.dumps(row), flush=True)


def recorded_folder(changes: str = "") -> Path:
    """Where machine code is kept that records its stores in today's way, of the engine with these changes."""
    made_by = Path(__file__).with_name("_lines_recording.py").read_bytes() + changes.encode()
    return cache_folder() / f"recorded-{hashlib.blake2b(made_by, digest_size=8).hexdigest()}"


if __name__ == "__main__":
    _main(int(sys.argv[1]), Request(**json.loads(sys.argv[2])))
