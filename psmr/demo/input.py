"""The workload of a demonstration. What is wrong with its input file is the user's to mend, and said in one line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from psmr.demo.options import DemoOptions
from psmr.errors import ConfigurationError
from psmr.services import app_names, find_application
from psmr.workload import Application, InvalidParameterError, Segment, Workload, WorkloadOptions


def workload_options(options: DemoOptions) -> WorkloadOptions:
    """What of a demonstration's options is the workload's."""
    return WorkloadOptions(options.seed, options.clients, options.batch, options.input, options.parameters)


def workload_of(application: Application, options: DemoOptions) -> Workload:
    """The application's workload; raises ConfigurationError for a wrong parameter and, now or later, for a malformed input."""
    chosen = workload_options(options)
    if options.input is None:
        try:
            return application.workload(chosen)
        except ValueError as error:
            raise ConfigurationError(f"--set: {error}") from error
    with _malformed_input(options.input):
        return _FromFile(application.workload(chosen), options.input)


class _FromFile:
    """A workload that reads its input as it goes."""

    def __init__(self, workload: Workload, path: Path) -> None:
        self._workload = workload
        self._path = path

    def preload(self) -> Iterator[Sequence[Segment]]:
        """What the workload itself gives."""
        with _malformed_input(self._path):
            yield from self._workload.preload()

    def batches(self, client: int) -> Iterator[Sequence[Segment]]:
        """What the workload itself gives."""
        with _malformed_input(self._path):
            yield from self._workload.batches(client)


@contextmanager
def _malformed_input(path: Path) -> Iterator[None]:
    # What applications raise for a file they cannot read: their own kinds of ValueError, or the decompressor's.
    try:
        yield
    except InvalidParameterError as error:
        raise ConfigurationError(f"--set: {error}") from error
    except (OSError, ValueError, EOFError) as error:
        found = str(error).removeprefix(f"{path}: ")
        raise ConfigurationError(
            f"--input {path}: {found}: give a file of the application's kind; {inputs_text()}"
        ) from error


def inputs_text() -> str:
    """Which applications take an input, and what it is."""
    takers: dict[str, list[str]] = {}
    for name in app_names():
        if wanted := find_application(name).input:
            takers.setdefault(wanted, []).append(name)
    return "; ".join(f"{' and '.join(names)}: {wanted}" for wanted, names in takers.items())
