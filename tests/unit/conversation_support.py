"""What the tests of a client's conversation share."""

from __future__ import annotations

from psmr.core.batch import KIND_OPEN, parse_whole
from psmr.transport import client_protocol as protocol


def said(frames: list[bytes]) -> str:
    """What a client transmits, in a word or two."""
    request = protocol.decode_request(frames)
    if not isinstance(request, protocol.Submit):
        return type(request).__name__.lower()
    batch = parse_whole(request.batch)
    return "open" if batch.kind == KIND_OPEN else f"batch {batch.sequence}"
