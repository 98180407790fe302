"""Which replicas a command is to ask: those of a cluster's file, or the one at an address."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from psmr.config import ClusterConfig

Target = Annotated[
    str,
    typer.Argument(
        metavar="ADDRESS|CLUSTER.toml",
        help="A replica's address for clients, such as [b]127.0.0.1:7201[/], or the cluster's file.",
        show_default=False,
    ),
]
_HOST_AND_PORT = re.compile(r"[^/]+:[0-9]+")


def target_of(command: str, text: str) -> ClusterConfig | str:
    """What `text` names: the cluster that a file describes, or an address in full. Raises ConfigurationError."""
    from psmr.config import load
    from psmr.config.reading import Address, fail

    written = f"tcp://{text}" if _HOST_AND_PORT.fullmatch(text) and not Path(text).exists() else text
    if not re.match(r"[a-z]+://", written):
        return load(text)
    address = Address().accept(written)
    if address is None:
        fail(command, "ADDRESS", f"{Address().expected} or the cluster's file", text, "correct it")
    return address
