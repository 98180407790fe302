"""Servers of other systems as child processes that leave nothing behind: no process, no file, no port."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from bench import _peers_starter
from bench._peers_measure import NotInstalled, PeerFailed
from psmr.cluster.folders import TemporaryFolder

HOST = "127.0.0.1"
READY_TIMEOUT_S = 30.0
_PORTS = range(20_000, 32_000)
"""Below those that Linux gives to outgoing connections: one of these could take the port before its server does."""
_POLL_S = 0.02
_TAIL_BYTES = 4096

T = TypeVar("T")


def program(name: str, how_to_get_it: str) -> str:
    """The path of a program, on PATH or installed beside Python; raises NotInstalled."""
    places = os.pathsep.join([os.environ.get("PATH", ""), sysconfig.get_path("scripts")])
    found = shutil.which(name, path=places)
    if found is None:
        raise NotInstalled(how_to_get_it)
    return found


def output_of(command: Sequence[str]) -> str:
    """What a program prints, such as its version; raises PeerFailed."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=READY_TIMEOUT_S).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise PeerFailed(f"{command[0]}: expected it to run, found: {error}") from None


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at."""
    ports: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as candidate, suppress(OSError):
            candidate.bind((HOST, port))
            ports.append(port)
        if len(ports) == count:
            return ports
    raise PeerFailed(f"expected {count} free ports in {_PORTS}, found {len(ports)}")


def _listens(port: int) -> bool:
    with socket.create_connection((HOST, port)):
        return True


class Servers:
    """Servers with one temporary folder; killed, and the folder removed, on leaving or when this process ends.

    Enter it in a thread that outlives it: the kernel kills the servers when that thread ends.
    """

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stack = ExitStack()
        self._folder: TemporaryFolder | None = None

    def __enter__(self) -> Servers:
        self._folder = TemporaryFolder()
        self._stack.callback(self._folder.close)
        self._stack.callback(self._kill_all)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def folder(self) -> Path:
        """Where their files lie."""
        return self._entered().path

    def start(self, name: str, command: Sequence[str | Path], *, talks: bool = False) -> subprocess.Popen[bytes]:
        """Start a server, its program given by its path; its output goes to a file, or if it `talks` to a pipe."""
        folder = self._entered()
        starter = [sys.executable, "-I", "-S", _peers_starter.__file__, str(os.getpid())]
        with open(folder.path / f"{name}.log", "ab") as log:
            process = subprocess.Popen(
                [*starter, *map(str, command)],
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else log,
                stderr=log,
                cwd=folder.path,
                pass_fds=(folder.lifeline,),
                # Ctrl-C at the terminal reaches only this process, which then kills them.
                process_group=0,
            )
        self._processes[name] = process
        return process

    def wait_for(self, what: str, look: Callable[[], T | None]) -> T:
        """Look again and again until there is something; raises PeerFailed after a while, or when a server has ended.

        An OSError while looking only means that it is not there yet.
        """
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            self.check()
            with suppress(OSError):
                found = look()
                if found is not None:
                    return found
            if time.monotonic() > deadline:
                raise PeerFailed(f"expected {what} within {READY_TIMEOUT_S:g} s, found none")
            time.sleep(_POLL_S)

    def wait_for_port(self, port: int) -> None:
        """Wait until somebody listens there."""
        self.wait_for(f"a server at port {port}", partial(_listens, port))

    def check(self) -> None:
        """Raise PeerFailed if a server has ended, with its last words."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise PeerFailed(f"expected {name} to run, found that it ended: {self._last_words(name)}")

    def _entered(self) -> TemporaryFolder:
        if self._folder is None:
            raise PeerFailed("Servers: expected to be entered, found it outside its `with`: enter it first")
        return self._folder

    def _last_words(self, name: str) -> str:
        text = (self.folder / f"{name}.log").read_bytes()[-_TAIL_BYTES:].decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1] if lines else "it said nothing"

    def _kill_all(self) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGKILL)
        for process in self._processes.values():
            # Leaving its context closes the pipes, even one with something left to be written, and waits for its end.
            with suppress(BrokenPipeError), process:
                pass
